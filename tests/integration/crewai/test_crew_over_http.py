"""A crew whose models answer over HTTP through LangChain, on loopback."""

from __future__ import annotations

import pytest
from crewai import Crew, Process, Task
from crewai.tools import tool
from pydantic import BaseModel
from wire_server import Fault, WireServer

from crew_router import Router
from crew_router_crewai import AgentFactory, RouterLLM, routed_crew

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
    abilities = {"context_window": 32_000, "capabilities": ["tools", "json", "streaming"], "source": "unmeasured"}
    shared = {"provider": "openai", "base_url": wire.openai_url, "api_key": "none", **abilities}
    models = {
        "lab:first": {**shared, "model": "first", "quality": 0.9, "price": {"input": 0.1, "output": 0.1}},
        "lab:second": {**shared, "model": "second", "quality": 0.6, "price": {"input": 1.0, "output": 1.0}},
    }
    with Router(models=models, ledger_url="sqlite://") as made:
        yield made


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


@pytest.fixture
def researcher(router):
    """Return one routed agent."""
    return AgentFactory(router, agents=_AGENTS).agent("researcher")


class City(BaseModel):
    """A structured result of a task."""

    name: str
    size: int


def test_structured_result_is_asked_for_in_one_call(researcher, wire):
    """A task with output_pydantic sends its schema to the model and needs no second call to convert the answer."""
    wanted = Task(description="Name a city.", expected_output="a city", agent=researcher, output_pydantic=City)

    result = Crew(agents=[researcher], tasks=[wanted]).kickoff()

    assert isinstance(result.pydantic, City)
    assert [seen.body["response_format"]["type"] for seen in wire.seen] == ["json_schema"]


def test_streaming_crew_streams_from_the_model(researcher, wire):
    """Crew(stream=True) streams over HTTP and yields the pieces of the routed answer."""
    streaming = Crew(agents=[researcher], tasks=[Task(description="Say it.", expected_output="text", agent=researcher)], stream=True)

    output = streaming.kickoff()
    pieces = [chunk.content for chunk in output]

    assert [seen.body.get("stream") for seen in wire.seen] == [True]
    assert "".join(pieces) == output.result.raw
    assert len(pieces) > 1


def test_manager_of_a_hierarchical_crew_is_routed(router, researcher):
    """A RouterLLM serves as manager_llm."""
    work = Task(description="Say it.", expected_output="text")
    hierarchical = Crew(agents=[researcher], tasks=[work], process=Process.hierarchical, manager_llm=RouterLLM(router))

    assert hierarchical.kickoff().raw
