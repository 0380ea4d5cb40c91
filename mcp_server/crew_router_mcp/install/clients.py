"""Where MCP clients keep their servers, and in what form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Final, Literal

from crew_router.errors import InvalidRequestError

Platform = Literal["darwin", "win32", "linux"]
Scope = Literal["user", "project"]
NAME: Final = "crew-router"


@dataclass(frozen=True, slots=True)
class Machine:
    """What paths depend on.

    Args:
        platform: As ``sys.platform`` says it.
        home: The user's folder.
        env: Environment variables.
    """

    platform: Platform
    home: PurePath
    env: Mapping[str, str]

    @property
    def settings(self) -> PurePath:
        """Return the folder in which programs keep their settings."""
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support"
        if self.platform == "win32":
            return PureWindowsPath(self.env.get("APPDATA") or str(self.home / "AppData" / "Roaming"))
        return PurePosixPath(self.env.get("XDG_CONFIG_HOME") or str(self.home / ".config"))


@dataclass(frozen=True, slots=True)
class ClientProgram:
    """One MCP client.

    Args:
        name: As it is named on the command line.
        user_file: Its file for all projects of a user.
        project_file: Its file inside a project; empty where it has none.
        section: The key under which servers stand.
        kind: Whether the file is JSON, JSON with comments, or TOML.
        reference: How the file names a variable of the environment; empty where it cannot, so that values are written.
        typed: Whether an entry says that it is a process.
    """

    name: str
    user_file: Callable[[Machine], PurePath]
    _: KW_ONLY
    project_file: str
    section: str = "mcpServers"
    kind: Literal["json", "jsonc", "toml"] = "json"
    reference: str = ""
    typed: bool = False

    def file(self, machine: Machine, *, scope: Scope, folder: Path) -> PurePath:
        """Return the file to edit.

        Raises:
            InvalidRequestError: It has no file inside a project.
        """
        if scope == "user":
            return self.user_file(machine)
        if not self.project_file:
            raise InvalidRequestError("scope", scope, expected=f"user; {self.name} has no file inside a project")
        return folder / self.project_file


CLIENTS: Final = {
    client.name: client
    for client in (
        ClientProgram("claude-desktop", lambda on: on.settings / "Claude" / "claude_desktop_config.json", project_file=""),
        ClientProgram("claude-code", lambda on: on.home / ".claude.json", project_file=".mcp.json", reference="${{{key}}}", typed=True),
        ClientProgram("cursor", lambda on: on.home / ".cursor" / "mcp.json", project_file=".cursor/mcp.json", reference="${{env:{key}}}"),
        ClientProgram(
            "vscode",
            lambda on: on.settings / "Code" / "User" / "mcp.json",
            project_file=".vscode/mcp.json",
            section="servers",
            kind="jsonc",
            typed=True,
        ),
        ClientProgram(
            "codex",
            lambda on: _codex_home(on) / "config.toml",
            project_file=".codex/config.toml",
            section="mcp_servers",
            kind="toml",
        ),
    )
}


def _codex_home(machine: Machine) -> PurePath:
    given = machine.env.get("CODEX_HOME")
    return machine.home / ".codex" if not given else type(machine.home)(given)


@dataclass(frozen=True, slots=True)
class ServerEntry:
    """How a client starts the server.

    Args:
        command: Absolute path of the program.
        args: Its arguments.
        env: Variables that it gets, with their values.
    """

    command: str
    args: tuple[str, ...]
    env: Mapping[str, str]

    def written_for(self, client: ClientProgram) -> dict[str, object]:
        """Return the entry as a client has it; where a client can name a variable, its value is not written down."""
        entry: dict[str, object] = {"type": "stdio"} if client.typed else {}
        entry |= {"command": self.command, "args": list(self.args)}
        if client.kind == "toml":
            return entry | {"startup_timeout_sec": 60} | ({"env_vars": list(self.env)} if self.env else {})
        values = {key: client.reference.format(key=key) if client.reference else value for key, value in self.env.items()}
        return entry | ({"env": values} if values else {})
