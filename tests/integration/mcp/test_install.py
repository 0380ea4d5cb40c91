"""Adding the server to clients: only our own entry changes, and a broken file is left alone."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tomllib
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from hypothesis import given, settings
from hypothesis import strategies as st

from crew_router.errors import ConfigurationError, InvalidRequestError
from crew_router_mcp.install.clients import CLIENTS, Machine, ServerEntry
from crew_router_mcp.install.command import edited, main, server_entry
from crew_router_mcp.install.json_text import BrokenJsonError, with_member
from crew_router_mcp.install.toml_text import with_table

MAC = Machine("darwin", PurePosixPath("/Users/jo"), {})
WINDOWS = Machine("win32", PureWindowsPath("C:/Users/jo"), {"APPDATA": r"C:\Users\jo\AppData\Roaming"})
MOVED = Machine("linux", PurePosixPath("/home/jo"), {"XDG_CONFIG_HOME": "/cfg", "CODEX_HOME": "/cx"})
LINUX = Machine("linux", PurePosixPath("/home/jo"), {})
_ROOT = Path(__file__).resolve().parents[3]
_PATH = os.pathsep.join(str(_ROOT / folder) for folder in (".", "adapters", "mcp_server"))
ENTRY = ServerEntry("/opt/crew-router-mcp", ("--folder", "/project"), {"OPENAI_API_KEY": "sk-secret"})


@pytest.mark.parametrize(
    ("client", "machine", "path"),
    [
        ("claude-desktop", MAC, "/Users/jo/Library/Application Support/Claude/claude_desktop_config.json"),
        ("claude-desktop", WINDOWS, r"C:\Users\jo\AppData\Roaming\Claude\claude_desktop_config.json"),
        ("claude-desktop", LINUX, "/home/jo/.config/Claude/claude_desktop_config.json"),
        ("claude-desktop", MOVED, "/cfg/Claude/claude_desktop_config.json"),
        ("claude-code", MAC, "/Users/jo/.claude.json"),
        ("claude-code", WINDOWS, r"C:\Users\jo\.claude.json"),
        ("cursor", LINUX, "/home/jo/.cursor/mcp.json"),
        ("vscode", MAC, "/Users/jo/Library/Application Support/Code/User/mcp.json"),
        ("vscode", WINDOWS, r"C:\Users\jo\AppData\Roaming\Code\User\mcp.json"),
        ("vscode", LINUX, "/home/jo/.config/Code/User/mcp.json"),
        ("codex", WINDOWS, r"C:\Users\jo\.codex\config.toml"),
        ("codex", MOVED, "/cx/config.toml"),
    ],
)
def test_each_client_has_its_file(client, machine, path):
    """The file of each client is where it keeps its servers on macOS, Windows and Linux."""
    assert str(CLIENTS[client].file(machine, scope="user", folder=Path("/project"))) == path


def test_project_files():
    """Clients that have a file inside a project get it there; Claude Desktop has none."""
    assert CLIENTS["claude-code"].file(LINUX, scope="project", folder=Path("/project")) == Path("/project/.mcp.json")
    with pytest.raises(InvalidRequestError, match="no file inside a project"):
        CLIENTS["claude-desktop"].file(LINUX, scope="project", folder=Path("/project"))


def test_keys_are_written_only_where_a_client_cannot_name_them():
    """Clients that can name a variable of the environment, or pass it on, do not get its value."""
    written = {name: json.dumps(ENTRY.written_for(client)) for name, client in CLIENTS.items()}

    assert {name for name, text in written.items() if "sk-secret" in text} == {"claude-desktop", "vscode"}
    assert all("OPENAI_API_KEY" in text for text in written.values())


OTHERS = '{\n    "theme":  "dark",\n\t"mcpServers": { "other" : {"command":"x", "args":[ ]}\n  },\n  "n": 1.50e3 }\n'


def test_everything_else_stays_byte_for_byte():
    """An entry is added and then replaced; blanks, numbers and other servers stay as they were written."""
    once = with_member(OTHERS, ("mcpServers", "crew-router"), {"command": "a"})
    twice = with_member(once, ("mcpServers", "crew-router"), {"command": "b"})

    assert json.loads(twice)["mcpServers"]["crew-router"] == {"command": "b"}
    for kept in ('"theme":  "dark"', '{ "other" : {"command":"x", "args":[ ]}', "1.50e3 }\n"):
        assert kept in twice
    assert with_member(twice, ("mcpServers", "crew-router"), {"command": "a"}) == once


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.text() | st.just("mcpServers"), _values | st.dictionaries(st.text(), _values)),
    st.sampled_from([None, 2, "\t"]),
    st.booleans(),
)
def test_any_json_keeps_the_rest(document, indent, newlines):
    """Whatever JSON a file holds, what is read afterwards differs in our entry only; a section that is no object is refused."""
    text = json.dumps(document, indent=indent)
    text = text.replace("\n", "\r\n") if newlines else text
    try:
        after = json.loads(with_member(text, ("mcpServers", "crew-router"), {"command": "a"}))
    except BrokenJsonError:
        assert not isinstance(document.get("mcpServers", {}), dict)
        return

    assert after["mcpServers"].pop("crew-router") == {"command": "a"}
    before = {**document, "mcpServers": {**document.get("mcpServers", {})}}
    before["mcpServers"].pop("crew-router", None)
    assert after == before


def test_comments_stay_where_they_are_allowed():
    """VS Code's file may hold comments and trailing commas; they stay."""
    text = '// mine\n{\n  "servers": {\n    "a": {"url": "http://x"}, // one\n  },\n  /* two */ "inputs": [1, ],\n}\n'

    after = edited(text, CLIENTS["vscode"], ENTRY, path=Path("mcp.json"))

    for kept in ("// mine", "// one", "/* two */", "[1, ]"):
        assert kept in after
    assert '"crew-router"' in after
    assert edited(after, CLIENTS["vscode"], ENTRY, path=Path("mcp.json")) == after


@pytest.mark.parametrize(
    ("client", "text", "place"),
    [
        ("cursor", '{\n  "a": 1,\n  "b" 2\n}', "line 3, column 7"),
        ("cursor", '{"mcpServers": [1]}', "line 1, column 16"),
        ("cursor", '{"a": 1} more', "line 1, column 10"),
        ("cursor", "// no comments here\n{}", "line 1, column 1"),
        ("cursor", '{"a": 1,}', "line 1, column 9"),
        ("codex", "[a\n", "line 1"),
    ],
)
def test_a_broken_file_is_refused_with_the_place(client, text, place):
    """A file that cannot be read is an error that says where it is broken."""
    with pytest.raises(ConfigurationError, match=place):
        edited(text, CLIENTS[client], ENTRY, path=Path("file"))


def test_codex_gets_a_table_of_its_own():
    """The TOML table is added, then replaced with its subtables; comments and other tables stay as they are."""
    text = (
        'model = "x" # mine\n\n[mcp_servers.other]\ncommand = "y"\n\n'
        '[mcp_servers.crew-router]\ncommand = "old"\n\n[mcp_servers.crew-router.env]\nA = "1"\n\n[tui]\nz = 1\n'
    )

    after = with_table(text, ("mcp_servers", "crew-router"), ENTRY.written_for(CLIENTS["codex"]))

    read = tomllib.loads(after)
    assert read["mcp_servers"]["crew-router"] == {
        "command": "/opt/crew-router-mcp",
        "args": ["--folder", "/project"],
        "startup_timeout_sec": 60,
        "env_vars": ["OPENAI_API_KEY"],
    }
    assert after.startswith('model = "x" # mine\n\n[mcp_servers.other]\ncommand = "y"\n\n')
    assert after.endswith("[tui]\nz = 1\n")
    assert with_table(after, ("mcp_servers", "crew-router"), ENTRY.written_for(CLIENTS["codex"])) == after
    alone = with_table("", ("mcp_servers", "crew-router"), {"command": "a"})
    assert tomllib.loads(alone) == {"mcp_servers": {"crew-router": {"command": "a"}}}
    with pytest.raises(InvalidRequestError, match="table of its own"):
        with_table('mcp_servers = {"crew-router" = {command = "a"}}\n', ("mcp_servers", "crew-router"), {"command": "b"})


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return an empty home folder with a project in it."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "crew_router.yaml").write_text(
        'project: from-the-file\nstate: {url: "memory://"}\nledger: {url: "sqlite:///ledger.db"}\n', encoding="utf-8"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("CREW_ROUTER_CONFIG", raising=False)
    return tmp_path


def test_install_writes_the_entry_and_a_backup(home, capsys):
    """The client's file gets the entry, the file as it was is kept beside it, and a dry run changes nothing."""
    file = home / ".cursor" / "mcp.json"
    file.parent.mkdir()
    file.write_text(OTHERS, encoding="utf-8")
    words = ["--client", "cursor", "--folder", str(home / "project"), "--env", "KEY=value"]

    main([*words, "--dry-run"])
    untouched = file.read_text(encoding="utf-8")
    main(words)

    entry = json.loads(file.read_text(encoding="utf-8"))["mcpServers"]["crew-router"]
    assert untouched == OTHERS
    assert Path(entry["command"]).is_absolute()
    assert entry["env"] == {"KEY": "${env:KEY}"}
    assert (file.parent / "mcp.json.before-crew-router").read_text(encoding="utf-8") == OTHERS
    assert "Start cursor again" in capsys.readouterr().out


def test_without_a_client_the_json_to_paste_is_printed(home, capsys):
    """The printed JSON has an absolute command, the folder of the project and its configuration."""
    main(["--folder", str(home / "project")])

    entry = json.loads(capsys.readouterr().out)["mcpServers"]["crew-router"]
    assert Path(entry["command"]).is_absolute()
    project = home / "project"
    assert entry["args"][-4:] == ["--folder", str(project), "--config", str(project / "crew_router.yaml")]


def test_a_variable_that_is_not_set_is_an_error(home):
    """A key that this environment lacks is named, and nothing is written."""
    with pytest.raises(ConfigurationError, match="NO_SUCH_KEY"):
        main(["--client", "cursor", "--folder", str(home / "project"), "--env", "NO_SUCH_KEY"])

    assert not (home / ".cursor").exists()


def test_the_server_works_on_its_project_wherever_it_is_started(home):
    """Started in another folder, the installed entry serves the project it was installed from, with its ledger."""
    entry = server_entry(home / "project", config=None, project=None, env={})
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": _PATH}
    words = ["-m", "crew_router_mcp", *entry.args[entry.args.index("--folder") :]]

    async def ask():
        async with Client(StdioTransport(sys.executable, words, env=environment, cwd=str(elsewhere)), init_timeout=60) as client:
            stats = (await client.call_tool("get_stats", {})).structured_content
            decision = (await client.call_tool("suggest_model", {"task": "Add 2 and 3."})).structured_content["decision_id"]
        return stats, decision

    stats, decision = asyncio.run(ask())

    assert stats["project"] == "from-the-file"
    assert (home / "project" / "ledger.db").exists()
    assert decision
