"""Write the JSON Schemas that editors check configuration files against; ``make schema`` calls this."""

from __future__ import annotations

import json
from pathlib import Path

from crew_router.config.schema.entry import ModelsFile
from crew_router.config.schema.validation import json_schema
from crew_router.config.settings import ConfigFile


def texts() -> dict[str, str]:
    """Return the text of each schema by its file name."""
    schemas = {
        "crew_router.schema.json": json_schema(ConfigFile, title="crew_router.yaml"),
        "models.schema.json": json_schema(ModelsFile, title="models/*.yaml of crew-router"),
    }
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def write(folder: Path) -> None:
    """Write the schemas into a folder.

    Args:
        folder: Where to write; created when missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (folder / name).write_text(text, encoding="utf-8")
