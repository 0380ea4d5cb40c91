"""``crew-router config``: check a configuration, or show the one in force."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from crew_router.cli.console import ConfigOption, JsonOption, one_line_errors, say, say_json
from crew_router.config.load import load_config
from crew_router.config.settings import SETTINGS_FIELDS
from crew_router.router.rules import check_strategy, rules_of

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
def show(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the configuration that holds: packaged, file, environment."""
    with one_line_errors():
        loaded = load_config(config, env=os.environ)
        if as_json:
            say_json(
                {**{name: getattr(loaded, name) for name in SETTINGS_FIELDS}, "models": len(loaded.registry), "sources": loaded.sources}
            )
        else:
            for name in SETTINGS_FIELDS:
                say(f"{name}: {getattr(loaded, name)}")
            say(f"models: {len(loaded.registry)}")
            say(f"read from: {', '.join(loaded.sources)}")
