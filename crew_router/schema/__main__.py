"""Write the JSON Schemas that editors check configuration files against: ``python -m crew_router.schema [FOLDER]``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from crew_router.configuration import packaged_folder
from crew_router.schema.entry import ModelsFile
from crew_router.schema.validation import json_schema
from crew_router.settings import ConfigFile


def texts() -> dict[str, str]:
    """Return the schemas as file name and text."""
    schemas = {
        "crew_router.schema.json": json_schema(ConfigFile, title="crew_router.yaml"),
        "models.schema.json": json_schema(ModelsFile, title="models/*.yaml of crew-router"),
    }
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def main() -> None:
    """Write the schemas into the folder named on the command line, by default ``config/schema``."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else packaged_folder() / "schema"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
