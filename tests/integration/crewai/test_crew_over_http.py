"""A crew whose models answer over HTTP through LangChain, on loopback."""

from __future__ import annotations

import pytest
from crewai.tools import tool
from wire_server import Fault, WireServer

from crew_router import Router
from crew_router_crewai import routed_crew

_AGENTS = {
    "researcher": {"role": "Researcher", "goal": "find facts", "backstory": "careful"},
    "writer": {"role": "Writer", "goal": "write", "backstory": "brief"},
}
_TASKS = {
    "research": {"description": "Find facts about cats.", "expected_output": "facts", "agent": "researcher"},
    "write": {"description": "Write about it.", "expected_output": "text", "agent": "writer", "context": ["research"]},
}


@pytest.fixture
def wire():
    """Return a running fake provider."""
    with WireServer() as server:
        yield server


@pytest.fixture
def router(wire):
    """Return a router over two models of the fake provider."""
    shared = {"provider": "openai", "base_url": wire.openai_url, "api_key": "none", "context_window": 32_000, "capabilities": ["tools"]}
    models = {
        "lab:first": {**shared, "model": "first", "quality": 0.9, "price": {"input": 0.1, "output": 0.1}, "source": "unmeasured"},
        "lab:second": {**shared, "model": "second", "quality": 0.6, "price": {"input": 1.0, "output": 1.0}, "source": "unmeasured"},
    }
    with Router(models=models, ledger_url="sqlite://") as made:
        yield made


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_conversation_with_a_tool_goes_on_with_another_model(router, wire):
    """The first model asks for a tool and is throttled from then on; the second goes on from the tool's result."""

    @tool("lookup")
    def lookup(q: str) -> str:
        """Look something up."""
        wire.break_model("first", Fault(status=429, code="rate_limit"))
        return f"fact about {q}"

    agents = {**_AGENTS, "researcher": {**_AGENTS["researcher"], "tools": [lookup]}}

    result = routed_crew(router, agents=agents, tasks=_TASKS).kickoff()

    assert wire.models_called()[:3] == ["first", "first", "second"]
    assert [message["role"] for message in wire.seen[2].body["messages"]][-2:] == ["assistant", "tool"]
    assert all(output.raw for output in result.tasks_output)
    assert result.token_usage.total_tokens > 0
