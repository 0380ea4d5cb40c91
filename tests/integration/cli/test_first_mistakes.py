"""The first mistakes of a new user, against a real server through real clients: each is cured by its message."""

import pytest
from typer.testing import CliRunner
from wire_server import Fault, WireServer

from crew_router import AllModelsFailedError, Router
from crew_router.cli.app import app
from crew_router.config.reachability import ACCESS

SMALL = {"registry": "none", "models": {"openai:fast": {"price": {"input": 1, "output": 2}}, "anthropic:other": {}}}
WRONG = Fault(status=401, code="invalid_api_key", message="Incorrect API key provided.")


@pytest.fixture
def wire(monkeypatch, tmp_path):
    """OpenAI on loopback, which takes one key only; no other key is set."""
    for access in ACCESS.values():
        for key in access.keys:
            monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    with WireServer() as server:
        server.rule(lambda _, seen: None if "right" in seen.headers.get("Authorization", seen.headers.get("authorization", "")) else WRONG)
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
        yield server


@pytest.mark.usefixtures("wire")
def test_the_right_key_works_at_once_after_the_wrong_one(monkeypatch, tmp_path):
    """A wrong key says so; the right one, in the next process with the same stores, is not kept waiting for it."""
    stores = {"ledger_url": f"sqlite:///{tmp_path}/ledger.db", "state_url": f"sqlite:///{tmp_path}/state.db", "project": "test"}
    monkeypatch.setenv("OPENAI_API_KEY", "wrong-key-of-mine")
    with Router(config=SMALL, **stores) as router:
        for _ in range(3):
            with pytest.raises(AllModelsFailedError) as caught:
                router.invoke("Hi")
        state = router.health()["models"]["openai:fast"]
    last = str(caught.value).splitlines()[-1]

    monkeypatch.setenv("OPENAI_API_KEY", "right-key-of-mine")
    with Router(config=SMALL, **stores) as router:
        answer = router.invoke("Hi")

    assert "openai refused the key (openai:fast, status 401)" in last
    assert last.endswith("set a valid OPENAI_API_KEY.")
    assert "its key was refused" in state
    assert answer.decision.selected_model == "openai:fast"


@pytest.mark.usefixtures("wire")
def test_the_right_key_works_in_the_process_that_had_the_wrong_one(monkeypatch):
    """In a notebook the key is corrected without a new router."""
    monkeypatch.setenv("OPENAI_API_KEY", "wrong-key-of-mine")
    with Router(config=SMALL, ledger_url="sqlite://", state_url="memory://", project="test") as router:
        with pytest.raises(AllModelsFailedError):
            router.invoke("Hi")
        monkeypatch.setenv("OPENAI_API_KEY", "right-key-of-mine")

        assert router.invoke("Hi").text


@pytest.mark.usefixtures("wire")
def test_a_wrong_key_is_one_line_in_the_shell(monkeypatch, tmp_path):
    """The line names status, provider, model and the variable to set."""
    monkeypatch.setenv("OPENAI_API_KEY", "wrong-key-of-mine")
    (tmp_path / "small.yaml").write_text('registry: none\nmodels: {"openai:fast": {price: {input: 1, output: 2}}}\n', "utf-8")

    result = CliRunner().invoke(app, ["ask", "Hi", "--config", "small.yaml"])

    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    for part in ("status 401", "openai:fast", "set a valid OPENAI_API_KEY"):
        assert part in line
