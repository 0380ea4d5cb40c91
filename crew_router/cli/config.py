"""``crew-router config``: check a configuration, or show the one in force."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Final

import typer

from crew_router.cli.console import WRONG_USE, ConfigOption, JsonOption, fail, one_line_errors, say, say_json
from crew_router.config.found_file import FoundFile, find_config, held_back
from crew_router.config.found_file import trust as mark_trusted
from crew_router.config.load import files_of, load_config
from crew_router.config.schema.yaml_reader import parse_mapping, read_text
from crew_router.config.settings import SETTINGS_FIELDS
from crew_router.router.rules import check_strategy, rules_of
from crew_router.types.codec import encode

app: Final = typer.Typer(help="Check a configuration file, or show the one that holds.", no_args_is_help=True)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The file or folder to check.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Check a configuration; one line names file, key, value and cure when something is wrong."""
    with one_line_errors():
        config = load_config(file, env=os.environ, check_strategy=check_strategy)
        rules_of(config, config.registry)  # builds every strategy and policy, so that their parameters are checked too
        if as_json:
            say_json({"ok": True, "file": str(file), "models": len(config.registry)})
        else:
            say(f"{file}: ok, {len(config.registry)} models")


@app.command()
def trust(
    file: Annotated[Path | None, typer.Argument(help="The file; by default the crew_router.yaml of this project.")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Let everything in a found crew_router.yaml hold, addresses and stores too, until its text changes."""
    with one_line_errors():
        found = find_config(Path.cwd()) if file is None else FoundFile(file.absolute())
        if found is None:
            fail("no crew_router.yaml was found here or above, up to the root of the project; name the file", code=WRONG_USE)
            return
        text = read_text(found.path, str(found.path))
        held = held_back(parse_mapping(text, str(found.path)))
        mark_trusted(found.path, text)
        if as_json:
            say_json({"file": str(found.path), "holds_now": held})
        else:
            say(f"{found.path}: trusted as it is now; this holds from now on: {', '.join(held) or 'nothing more than before'}")


@app.command()
def show(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the configuration that holds: packaged, file, environment."""
    with one_line_errors():
        loaded = load_config(config, env=os.environ)
        files = tuple(map(str, files_of(config, os.environ)))
        if as_json:
            settings = {name: getattr(loaded, name) for name in SETTINGS_FIELDS}
            say_json({**settings, "models": len(loaded.registry), "sources": loaded.sources, "files": files})
        else:
            say(f"file: {', '.join(files) or 'none; the packaged configuration holds'}")
            for name in SETTINGS_FIELDS:
                say(f"{name}: {json.dumps(encode(getattr(loaded, name)), ensure_ascii=False)}")
            say(f"models: {len(loaded.registry)}")
            say(f"read from: {', '.join(loaded.sources)}")
