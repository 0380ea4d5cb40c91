"""Local model servers come and go while a router runs."""

import pytest
from wire_server import WireServer

from crew_router import AllModelsFailedError, NoCandidateError, Router
from crew_router.testing import FrozenClock

ENTRY = {"provider": "lmstudio", "price": {"input": 0, "output": 0}, "capabilities": ["streaming"]}


def router(url, *names, clock=None, **config):
    """Return a router over models of a local server, written by the user."""
    models = {f"lab:{name}": {**ENTRY, "model": name, "base_url": url} for name in names}
    return Router(models=models, ledger_url="sqlite://", project="test", clock=clock, **config)


def test_entry_of_ones_own_answers_without_a_check():
    """A server that the user names is trusted from the first call."""
    with WireServer() as server, router(server.openai_url, "fast") as routed:
        assert "fast" in routed.invoke("Hi").text


def test_server_that_is_lost_is_noticed_and_found_again():
    """A server that stopped is out of the choice after the next look, and a new look finds its successor."""
    clock = FrozenClock()
    with WireServer() as server:
        routed = router(server.openai_url, "fast", clock=clock)
        assert routed.invoke("Hi").text
    with routed:
        clock.advance(61)
        with pytest.raises((NoCandidateError, AllModelsFailedError)):
            routed.invoke("Hi")
        assert not routed.reachable()


def test_packaged_entry_needs_a_server_that_lists_it(monkeypatch, tmp_path):
    """An entry of the package counts only when a running server lists its model; others that it lists are added."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with WireServer() as server:
        monkeypatch.setattr("crew_router.router.probe.LOCAL_SERVERS", {"lmstudio": server.openai_url})
        with Router(ledger_url="sqlite://", project="test") as routed:
            before = routed.reachable()
            routed.discover()
            local = {ref for ref in routed.reachable() if ref.provider in {"lmstudio", "ollama", "vllm"}}

    assert not {ref for ref in before if ref.provider == "lmstudio"}
    assert local == {"lmstudio:fast", "lmstudio:smart"}
