"""`crew-router ask` against a real local server, through real LangChain clients."""

import json
import re

import pytest
from typer.testing import CliRunner
from wire_server import WireServer

from crew_router.cli.app import app
from crew_router.config.reachability import ACCESS


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server that stands where LM Studio would, and nothing else to call."""
    for access in ACCESS.values():
        for key in access.keys:
            monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    with WireServer() as running:
        monkeypatch.setattr("crew_router.router.probe.LOCAL_SERVERS", {"lmstudio": f"{running.url}/v1"})
        yield running


def run(*arguments):
    """Run a command and return its result."""
    return CliRunner().invoke(app, list(arguments))


def test_ask_finds_a_local_server_and_answers(server):
    """With no key, a server on a usual port is found, and a model that it lists answers."""
    result = run("ask", "Say hello", "--json")

    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert document["model"].startswith("lmstudio:")
    assert document["text"]
    assert document["cost_usd"] == 0.0
    assert [seen.model for seen in server.seen if "chat" in seen.path] == [document["model"].partition(":")[2]]


@pytest.mark.usefixtures("server")
def test_ask_streams_and_says_how_to_ask_why():
    """Without --json the answer is streamed to stdout, and stderr names the model and the command that explains it."""
    result = run("ask", "Say hello")

    assert result.exit_code == 0
    assert result.stdout.strip()
    decision_id = result.stderr.rpartition("crew-router explain ")[2].strip(" ]\n")
    assert "answered in" in run("explain", decision_id).stdout


def test_health_checks_the_models_themselves_when_asked(server):
    """With --check each reachable model is checked, here by what its server lists, and nobody is called."""
    document = json.loads(run("health", "--check", "--json").stdout)

    assert {ref: (check["ok"], check["how"]) for ref, check in document["checks"].items()} == {
        "lmstudio:fast": (True, "listing"),
        "lmstudio:smart": (True, "listing"),
    }
    assert "lmstudio:fast" in run("health", "--check").stdout
    assert not [seen for seen in server.seen if "chat" in seen.path]


@pytest.mark.usefixtures("server")
def test_health_names_the_models_of_the_server():
    """A health check finds the server and reports its models ready."""
    document = json.loads(run("health", "--json").stdout)

    ready = {ref for ref, state in document["models"].items() if state == "ready"}
    assert ready == {"lmstudio:fast", "lmstudio:smart"}


def test_ask_puts_standard_input_behind_the_prompt(server):
    """`cat code.py | crew-router ask "Explain this"` sends both."""
    result = CliRunner().invoke(app, ["ask", "Explain this", "--json"], input="print(42)")

    assert result.exit_code == 0
    (sent,) = [seen.body for seen in server.seen if "chat" in seen.path]
    assert sent["messages"][-1]["content"] == "Explain this\n\nprint(42)"


def test_ask_takes_instructions_and_a_model(server):
    """-s stands before the prompt as the system's message, -m names who answers."""
    result = run("ask", "Hi", "-s", "Answer in one word", "-m", "lmstudio:smart", "--json")

    assert json.loads(result.stdout)["model"] == "lmstudio:smart"
    (sent,) = [seen.body for seen in server.seen if "chat" in seen.path]
    assert [(each["role"], each["content"]) for each in sent["messages"]] == [("system", "Answer in one word"), ("user", "Hi")]


@pytest.mark.usefixtures("server")
def test_the_last_line_of_ask_has_model_cost_seconds_and_id():
    """One line on stderr says what the answer took."""
    (line,) = run("ask", "Say hello").stderr.splitlines()

    assert re.fullmatch(r"\[lmstudio:\w+, \$0\.000000, \d+\.\d s, 1 call; why: crew-router explain d-\S+\]", line)
