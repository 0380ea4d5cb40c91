"""What is sent with a call, and what is left out for models that do not take it; over HTTP through LangChain, on loopback."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from crewai import Crew, Task
from crewai.tools import tool
from pydantic import BaseModel
from wire_brain import Said
from wire_server import Fault, WireServer

from crew_router import Router
from crew_router.testing import ScriptedModel
from crew_router_crewai import AgentFactory, RouterLLM

_WRITER = {"role": "Writer", "goal": "write", "backstory": "brief"}


class City(BaseModel):
    """A structured result of a task."""

    name: str
    size: int = 1


@pytest.fixture
def wire():
    """Return a running fake provider."""
    with WireServer() as server:
        yield server


def _router(wire, **changes):
    entry = {"provider": "openai", "model": "only", "base_url": wire.openai_url, "api_key": "none", "context_window": 64_000}
    entry |= {"price": {"input": 0.1, "output": 0.1}, "quality": 0.8, "source": "unmeasured"}
    entry |= {"capabilities": ["tools", "json", "streaming"], **changes}
    return Router(models={"lab:only": entry}, ledger_url="sqlite://")


@pytest.fixture
def router(wire):
    """Return a router over one model of the fake provider."""
    with _router(wire) as made:
        yield made


@tool("lookup")
def lookup(q: str) -> str:
    """Look something up."""
    return f"fact about {q}"


def _kickoff(agent, **fields: Any):
    task = Task(description="Name a city.", expected_output="a city", agent=agent, **fields)
    return Crew(agents=[agent], tasks=[task]).kickoff()


def test_schema_is_enforced_by_the_provider(router, wire):
    """Structured output is asked for strictly, with the schema that CrewAI's own LLM sends."""
    result = _kickoff(AgentFactory(router).agent(_WRITER), output_pydantic=City)

    described = wire.seen[0].body["response_format"]["json_schema"]
    assert described["strict"] is True
    assert described["schema"]["additionalProperties"] is False
    assert described["schema"]["required"] == ["name", "size"]
    assert isinstance(result.pydantic, City)


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"name": "Ulm", "size": 5}\n```',
        'Here it is {so far}:\n```\n{"name": "Ulm", "size": 5}\n```\nDone {ok}.',
        '{"name": "Ulm"}',
    ],
)
def test_json_in_a_fence_is_read_and_paid_once(router, wire, text):
    """The right JSON counts in a code fence, between words, and where a field with a default is missing."""
    wire.break_model("only", Fault(answer=Said(text, (), 10, 5)))

    result = _kickoff(AgentFactory(router).agent(_WRITER), output_pydantic=City)

    assert result.pydantic.name == "Ulm"
    assert len(wire.seen) == 1


@pytest.mark.filterwarnings("ignore:Invalid schema for OpenAI")
def test_schema_that_a_provider_refuses_is_sent_plainly(router, wire):
    """A provider that cannot enforce this schema is asked again without, once for all calls of the agent."""
    agent = AgentFactory(router).agent(_WRITER)
    wire.refuse(
        lambda body: body.get("response_format", {}).get("json_schema", {}).get("strict"), "Invalid schema for response_format 'City'"
    )

    result = _kickoff(agent, output_pydantic=City)
    _kickoff(agent, output_pydantic=City)

    assert isinstance(result.pydantic, City)
    assert [seen.body["response_format"]["json_schema"]["strict"] for seen in wire.seen] == [True, False, False]


def test_stop_word_is_not_sent_where_no_tool_is_called_in_the_text(router, wire):
    """Neither a task without tools nor one with native tools sends CrewAI's stop word."""
    _kickoff(AgentFactory(router).agent(_WRITER))
    _kickoff(AgentFactory(router).agent(_WRITER, tools=[lookup]))

    assert len(wire.seen) == 3
    assert [seen.body.get("stop") for seen in wire.seen] == [None] * 3


def test_stop_word_is_sent_where_tools_are_called_in_the_text(wire):
    """A model without native tools gets it, and what it invents beyond is cut."""
    with _router(wire, capabilities=["streaming"]) as router:
        wire.break_model("only", Fault(answer=Said("Thought: I know\nFinal Answer: Ulm\nObservation: invented", (), 10, 5)))

        result = _kickoff(AgentFactory(router).agent(_WRITER, tools=[lookup]))

        assert wire.seen[0].body["stop"] == ["\nObservation:"]
        assert result.raw == "Ulm"


def test_stop_word_that_a_model_refuses_is_cut_on_our_side(wire):
    """After one refusal no call of the agent sends it again, and the answers end before it all the same."""
    with _router(wire, capabilities=["streaming"]) as router:
        wire.refuse(lambda body: body.get("stop"), "Unsupported parameter: 'stop' is not supported with this model.")
        wire.break_model("only", Fault(answer=Said("Thought: I know\nFinal Answer: Ulm\nObservation: invented", (), 10, 5)))
        agent = AgentFactory(router).agent(_WRITER, tools=[lookup])

        results = [_kickoff(agent).raw for _ in range(2)]

        assert results == ["Ulm", "Ulm"]
        assert [seen.body.get("stop") for seen in wire.seen] == [["\nObservation:"], None, None]


def test_setting_that_a_model_refuses_is_left_out(router, wire):
    """A seed that a provider does not know does not end the run."""
    wire.refuse(lambda body: "seed" in body, "Unrecognized request argument supplied: seed")
    llm = RouterLLM(router, seed=7, temperature=0.2)

    assert "only" in llm.call("Hello?")
    assert [seen.body.get("seed") for seen in wire.seen] == [7, None]
    assert [seen.body["temperature"] for seen in wire.seen] == [0.2, 0.2]


def test_refusal_of_the_prompt_is_no_refusal_of_a_setting(router, wire):
    """Another mistake in the request is raised as it is."""
    wire.refuse(lambda _body: True, "Invalid value for messages")

    with pytest.raises(Exception, match="messages"):
        RouterLLM(router, seed=7).call("Hello?")
    assert len(wire.seen) == 1


def test_seed_does_not_reach_a_client_that_does_not_know_it(wire):
    """Anthropic's client would raise on it."""
    entry = {"provider": "anthropic", "model": "only", "base_url": wire.url, "api_key": "none", "context_window": 64_000}
    entry |= {"price": {"input": 0.1, "output": 0.1}, "quality": 0.8, "capabilities": ["tools"], "source": "unmeasured"}
    with Router(models={"anthropic:only": entry}, ledger_url="sqlite://") as router:
        assert "only" in RouterLLM(router, seed=7, frequency_penalty=0.1).call("Hello?")

    assert len(wire.seen) == 1


def test_picture_counts_as_a_picture():
    """An inline picture of 600 kB is some hundred tokens, not its base64 text."""
    data = base64.b64encode(b"x" * 600_000).decode()
    blocks = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}]
    with Router(models={"lab:a": ScriptedModel("A cat.")}, ledger_url="sqlite://") as router:
        counted = RouterLLM(router).get_input_tokens_count([{"role": "user", "content": blocks}])

    assert 500 < counted < 3_000
