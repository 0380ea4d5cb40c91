"""``crew-router mcp install``: add the server to a client, for the project of the folder that the command is given in."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from crew_router.config.environment import CONFIG_VARIABLE
from crew_router.errors import ConfigurationError, InvalidRequestError
from crew_router_mcp.install.clients import CLIENTS, NAME, ClientProgram, Machine, Platform, ServerEntry
from crew_router_mcp.install.json_text import BrokenJsonError, with_member
from crew_router_mcp.install.toml_text import with_table

_CONFIG_FILE: Final = "crew_router.yaml"


def main(arguments: Sequence[str]) -> None:
    """Run ``install``.

    Raises:
        InvalidRequestError: An argument means nothing.
        ConfigurationError: A file is broken or cannot be written, or a variable is not set.
    """
    given = _parser().parse_args(list(arguments))
    folder = Path(given.folder or Path.cwd()).resolve()
    entry = server_entry(folder, config=given.config, project=given.project, env=_values(given.env, os.environ))
    client = CLIENTS[given.client] if given.client else None
    if client is None:
        sys.stdout.write(json.dumps({"mcpServers": {NAME: entry.written_for(CLIENTS["claude-desktop"])}}, indent=2) + "\n")
        return
    machine = Machine(_platform(), Path.home(), os.environ)
    path = Path(client.file(machine, scope=given.scope, folder=folder))
    before = _read(path)
    after = edited(before, client, entry, path=path)
    if given.dry_run:
        sys.stdout.write(f"{path} would be:\n{after}")
        return
    backup = write(path, before=before, after=after)
    kept = f"; the file as it was is {backup}" if backup else ""
    sys.stdout.write(f"{NAME} is in {path}{kept}. Start {client.name} again.\n")


def server_entry(folder: Path, *, config: Path | None, project: str | None, env: Mapping[str, str]) -> ServerEntry:
    """Return how a client starts the server for a project, from whatever folder it does.

    Args:
        folder: A folder of the project; the server works in it, so that files, project and stores are found as they are there.
        config: Configuration of the router; the one that holds in the folder when not given.
        project: Name space; the one that holds in the folder when not given.
        env: Variables that the server gets.
    """
    if config is None and os.environ.get(CONFIG_VARIABLE):
        config = Path(os.environ[CONFIG_VARIABLE])  # the client's environment is not this one
    config = config or next((here / _CONFIG_FILE for here in (folder, *folder.parents) if (here / _CONFIG_FILE).is_file()), None)
    if config is not None and not config.exists():
        raise InvalidRequestError("config", str(config), expected="a file or folder that is there")
    if not folder.is_dir():
        raise InvalidRequestError("folder", str(folder), expected="a folder that is there")
    args = ["--folder", str(folder)]
    args += ["--config", str(config.absolute())] if config else []
    args += ["--project", project] if project else []
    script = Path(sys.executable).parent / ("crew-router-mcp.exe" if sys.platform == "win32" else "crew-router-mcp")
    if script.is_file():
        return ServerEntry(str(script), tuple(args), env)
    return ServerEntry(sys.executable, ("-m", "crew_router_mcp", *args), env)


def edited(before: str, client: ClientProgram, entry: ServerEntry, *, path: Path) -> str:
    """Return the text of a client's file with our entry, and everything else as it was.

    Raises:
        ConfigurationError: The file is broken; the message says where.
    """
    value = entry.written_for(client)
    try:
        if client.kind == "toml":
            return with_table(before, (client.section, NAME), value)
        return with_member(before, (client.section, NAME), value, comments=client.kind == "jsonc")
    except (BrokenJsonError, tomllib.TOMLDecodeError, RecursionError) as error:
        kind = "TOML" if client.kind == "toml" else "JSON"
        raise ConfigurationError(
            str(path), "", f"it is broken {kind}: {error}", cure="mend it and try again; nothing was changed"
        ) from None


def write(path: Path, *, before: str, after: str) -> Path | None:
    """Write a file in one step, and return where the file as it was is kept.

    Raises:
        ConfigurationError: It cannot be written.
    """
    try:
        target = path.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        backup = None
        if target.exists():
            backup = target.with_name(f"{target.name}.before-{NAME}")
            shutil.copy2(target, backup)
        fresh = target.with_name(f".{target.name}.{NAME}")
        fresh.write_bytes(after.encode())
        if backup is not None:
            shutil.copymode(backup, fresh)
        elif before != after:
            fresh.chmod(0o600)  # it may hold keys
        fresh.replace(target)
    except OSError as error:
        raise ConfigurationError(str(path), "", f"it cannot be written ({error.strerror})", cure="check who may write there") from None
    return backup


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(str(path), "", f"it cannot be read ({type(error).__name__})", cure="make it a file in UTF-8") from None


def _values(keys: Sequence[str], env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the server gets.

    Raises:
        ConfigurationError: One of them is not set.
    """
    found: dict[str, str] = {}
    for key in keys:
        name, equals, value = key.partition("=")
        if not equals and name not in env:
            raise ConfigurationError("--env", name, "the variable is not set here", cure=f"set it, or write {name}=VALUE")
        found[name] = value if equals else env[name]
    return found


def _platform() -> Platform:
    if sys.platform == "darwin":
        return "darwin"
    return "win32" if sys.platform == "win32" else "linux"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crew-router mcp install", description="Add crew-router to an MCP client; without --client, print the JSON to paste."
    )
    parser.add_argument("--client", choices=sorted(CLIENTS), help="the client; the JSON to paste is printed when it is absent")
    parser.add_argument(
        "--scope", choices=["user", "project"], default="user", help="the client's file for all projects, or this project's"
    )
    parser.add_argument("--config", type=Path, help="configuration file or folder (default: the one that holds in this folder)")
    parser.add_argument("--project", help="name space of state, budgets and learning (default: that of this folder)")
    parser.add_argument("--folder", help="a folder of the project (default: the current one)")
    parser.add_argument("--env", action="append", default=[], metavar="KEY[=VALUE]", help="variable that the server gets; repeatable")
    parser.add_argument("--dry-run", action="store_true", help="show the file as it would be, and change nothing")
    return parser
