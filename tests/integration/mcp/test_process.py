"""The MCP server as a process, asked by a real client over stdio and HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
from importlib.metadata import version
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from ports import answering, free_port

_ROOT = Path(__file__).resolve().parents[3]
_PATH = os.pathsep.join(str(_ROOT / folder) for folder in (".", "adapters", "mcp_server"))
_SERVE = {
    "crew-router-mcp": "from crew_router_mcp import main; main()",
    "crew-router mcp": "import sys; sys.argv.insert(1, 'mcp'); from crew_router.cli import main; main()",
}
_CONFIG = """
registry: none
state: {url: "memory://"}
ledger: {url: "sqlite://"}
models:
  "lab:small": {provider: openai, model: small, base_url: "http://127.0.0.1:9/v1", api_key: none, quality: 0.6,
    price: {input: 0.1, output: 0.4}, context_window: 8000, capabilities: [tools, json, streaming], source: unmeasured}
"""
_HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}


def _run(words, environment, *, said=""):
    return subprocess.run(words, input=said, env=environment, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own


@pytest.fixture(params=list(_SERVE))
def command(request, tmp_path):
    """Return a command that serves a configuration of one model, and the environment to run it in."""
    config = tmp_path / "crew_router.yaml"
    config.write_text(_CONFIG, encoding="utf-8")
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data"), "PYTHONPATH": _PATH, "PATH": os.environ["PATH"]}
    return [sys.executable, "-c", _SERVE[request.param], "--config", str(config)], home


async def test_client_over_stdio_gets_a_suggestion(command):
    """A client that starts the server as a subprocess lists the tools and gets a suggestion."""
    words, environment = command

    async with Client(StdioTransport(words[0], words[1:], env=environment), init_timeout=60) as client:
        tools = [tool.name for tool in await client.list_tools()]
        answer = await client.call_tool("suggest_model", {"task": "Say hello."})

    assert {"suggest_model", "list_models", "check_health"} <= set(tools)
    assert answer.structured_content["model"] == "lab:small"


def test_standard_output_holds_nothing_but_the_protocol(command):
    """Every line on standard output is a JSON-RPC message, from the first on."""
    words, environment = command

    done = _run(words, environment, said=json.dumps(_HELLO) + "\n")

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["id"] for line in lines] == [1]
    assert lines[0]["result"]["serverInfo"]["name"] == "crew-router"
    assert lines[0]["result"]["serverInfo"]["version"] == version("crew-router")


_NOISY = """
import logging, os, subprocess, sys
import numpy as np
from crew_router import factor
logging.getLogger("noisy").addHandler(logging.StreamHandler(sys.stdout))

@factor("noisy", points=1)
def noisy(context):
    print("a line")
    print("half a line", end="")
    sys.stdout.write("more")
    sys.stdout.flush()
    sys.__stdout__.write("round the guard")
    sys.__stdout__.flush()
    os.write(1, b"bytes without an end")
    logging.getLogger("noisy").warning("logged")
    subprocess.run(["echo", "from a child"])
    subprocess.run(["cat"])
    return np.zeros(len(context.models))
"""


def _said(*calls):
    """Return what a client writes that makes these calls on the older protocol."""
    messages = [_HELLO, {"jsonrpc": "2.0", "method": "notifications/initialized"}]
    messages += [
        {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
        for number, (name, arguments) in enumerate(calls, start=2)
    ]
    return "".join(json.dumps(message) + "\n" for message in messages)


def _talk(words, environment, said, *, ids, cwd=None):
    """Write to a server until it has answered these requests, end it, and return what it wrote and what it logged."""
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(  # noqa: S603 - our own
            words, env=environment, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as server,
    ):
        watch = threading.Timer(60, server.kill)  # a server that does not answer ends the test, not the run
        watch.start()
        server.stdin.write(said)
        server.stdin.flush()
        lines, missing = [], set(ids)
        while missing and (line := server.stdout.readline()):
            lines.append(json.loads(line))
            missing.discard(lines[-1].get("id"))
        rest, _ = server.communicate()
        watch.cancel()
        log.seek(0)
        assert not missing, log.read()
        return [*lines, *(json.loads(line) for line in rest.splitlines())], log.read()


def test_whatever_prints_the_protocol_stays_clean(command):
    """Prints, half lines, bytes and child processes of a strategy go to standard error; every answer arrives."""
    words, environment = command
    words = [words[0], "-c", _NOISY + words[2], *words[3:]]

    lines, errors = _talk(words, environment, _said(*[("suggest_model", {"task": "Say hello."})] * 3), ids=[1, 2, 3, 4])

    assert sorted(line["id"] for line in lines) == [1, 2, 3, 4]
    for noise in ("a line", "half a line", "more", "round the guard", "bytes without an end", "logged", "from a child"):
        assert errors.count(noise) >= 3


def test_nothing_of_prompts_and_arguments_reaches_standard_error(command):
    """Refused arguments, prompts that no model may serve, and messages that are no protocol leave none of their text in a log file."""
    words, environment = command
    calls = [
        ("suggest_model", {"task": "swordfish one", "routing": {"cost_bugdet": "swordfish two"}}),
        ("suggest_model", {"task": ["swordfish three"], "routing": "{swordfish four"}),
        ("suggest_model", {"task": "swordfish five", "routing": {"quality_requirement": 1}}),
        ("ask", {"task": "swordfish six"}),
        ("swordfish", {"task": "swordfish seven"}),
    ]

    _, errors = _talk(words, environment, '{"jsonrpc": "swordfish"}\n' + _said(*calls), ids=[1, 2, 3, 4, 5, 6])

    assert "swordfish" not in errors


def test_an_unexpected_error_leaves_its_place_but_not_its_text(command):
    """An error that is not ours is logged with its kind and place; its text, which may hold the prompt, is not."""
    words, environment = command
    broken = _NOISY.partition('    print("a line")')[0] + "    raise ValueError(context.request.task_description)\n"
    words = [words[0], "-c", broken + words[2], *words[3:]]

    lines, errors = _talk(words, environment, _said(("suggest_model", {"task": "swordfish"})), ids=[1, 2])

    assert "unexpected ValueError" in str(lines[1])
    assert "ValueError at" in errors
    assert "swordfish" not in f"{errors} {lines[1]}"


def test_the_project_is_the_one_that_is_named(command, tmp_path):
    """With --project the server works on that project's name space, whatever folder it is started in."""
    words, environment = command
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    lines, _ = _talk([*words, "--project", "mine"], environment, _said(("get_stats", {})), ids=[1, 2], cwd=elsewhere)

    assert lines[1]["result"]["structuredContent"]["project"] == "mine"


def test_tools_can_be_chosen(command):
    """--tools and --read-only leave only what was wanted; an unknown name is one line that lists the tools."""
    words, environment = command
    listing = _said() + json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}) + "\n"

    lines, _ = _talk([*words, "--tools", "ask, get_stats", "--read-only"], environment, listing, ids=[1, 2])
    wrong = _run([*words, "--tools", "asks"], environment)

    assert [tool["name"] for tool in lines[1]["result"]["tools"]] == ["get_stats"]
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)
    assert "suggest_model" in wrong.stderr


def test_server_starts_without_crewai_and_langchain(command):
    """Making a server imports neither CrewAI nor LangChain."""
    code = (
        "import sys; from crew_router import Router; from crew_router_mcp import create_server;"
        "create_server(Router(config=sys.argv[1]));"
        "print([name for name in sys.modules if name.partition('.')[0] in ('crewai', 'langchain', 'langchain_core')])"
    )

    done = _run([sys.executable, "-c", code, command[0][-1]], command[1])

    assert done.stdout.strip() == "[]"


def test_broken_configuration_is_one_line(command, tmp_path):
    """A configuration that means nothing ends the process with one line on standard error and nothing on standard output."""
    words, environment = command
    (tmp_path / "crew_router.yaml").write_text("unheard_of: 1\n", encoding="utf-8")

    done = _run(words, environment)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "unheard_of" in done.stderr


def test_only_loopback_is_served(command):
    """Without authentication the server refuses every address that others could reach."""
    words, environment = command

    done = _run([*words, "--http", "--host", "0.0.0.0"], environment)  # noqa: S104 - it is refused

    assert done.returncode == 2
    assert "loopback" in done.stderr


@pytest.fixture
async def url(command):
    """Serve HTTP on a free loopback port and return the address."""
    port = free_port()
    words, environment = command
    server = await asyncio.create_subprocess_exec(*words, "--http", "--port", str(port), env=environment)
    try:
        await answering(port)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.terminate()
        await server.wait()


async def test_client_over_http_gets_a_suggestion(url):
    """A client over streamable HTTP gets a suggestion."""
    async with Client(url, init_timeout=60) as client:
        answer = await client.call_tool("suggest_model", {"task": "Say hello."})

    assert answer.structured_content["model"] == "lab:small"


async def test_foreign_hosts_are_refused(url):
    """A request that names another host, as a rebound name would, is refused."""
    port = int(url.split(":")[2].partition("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps(_HELLO)

    writer.write(
        f"POST /mcp HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nContent-Type: application/json\r\n"
        f"Accept: application/json, text/event-stream\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
    )
    status = int((await reader.readline()).split()[1])
    writer.close()

    assert status in {403, 421}
