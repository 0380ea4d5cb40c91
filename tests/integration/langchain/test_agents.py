"""Agents and graphs over the chat model and the middleware."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware, ModelFallbackMiddleware, SummarizationMiddleware
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langchain_pools import Listening, pool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from pydantic import BaseModel
from wire_server import Fault, WireServer

from crew_router import Router
from crew_router_langchain import ChatCrewRouter, RoutingMiddleware
from crew_router_langchain.middleware import step_of


@pytest.fixture
def router(wire: WireServer) -> Iterator[Router]:
    """A router over two models, the better one first."""
    with Router(pool(wire, "fast", "smart")) as router:
        yield router


@tool
def get_weather(city: str) -> str:
    """Return the weather of a city."""
    return f"sunny in {city}"


class Weather(BaseModel):
    """Weather of a city."""

    city: str
    sky: str


def ask(agent: Any, text: str = "weather in Rome?", config: Any = None) -> list[Any]:
    """Return the messages of an agent's run."""
    return list(agent.invoke({"messages": [HumanMessage(text)]}, config)["messages"])


def answered_by(messages: list[Any]) -> list[str]:
    """Return the models of the answers in order."""
    return [message.response_metadata["model_name"] for message in messages if isinstance(message, AIMessage)]


def test_an_agent_calls_tools_through_the_router(router: Router) -> None:
    """The loop of call, tool and answer works, and each answer tells its routing."""
    messages = ask(create_agent(ChatCrewRouter(router=router), tools=[get_weather]))

    assert [type(message).__name__ for message in messages] == ["HumanMessage", "AIMessage", "ToolMessage", "AIMessage"]
    assert messages[2].text == "sunny in sample city"
    assert all("crew_router" in message.response_metadata for message in messages if isinstance(message, AIMessage))


def test_a_structured_answer_of_an_agent(router: Router) -> None:
    """``response_format`` works through the common profile of the pool."""
    agent = create_agent(ChatCrewRouter(router=router), response_format=Weather)

    result = agent.invoke({"messages": [HumanMessage("weather in Rome?")]})

    assert isinstance(result["structured_response"], Weather)


def test_messages_mode_shows_every_text_once(router: Router, wire: WireServer) -> None:
    """LangGraph's message stream has no duplicates, although a fallback answers."""
    wire.break_model("fast", Fault(status=500))
    agent = create_agent(ChatCrewRouter(router=router), tools=[])

    parts = [part for part, _ in agent.stream({"messages": [HumanMessage("hello")]}, stream_mode="messages")]

    text = "".join(str(part.text) for part in parts if isinstance(part, (AIMessage, AIMessageChunk)))
    assert text == "Hello from smart, and you asked: hello"
    assert len({part.id for part in parts}) == 1


def test_a_run_resumes_on_another_model_with_its_state(router: Router, wire: WireServer) -> None:
    """A thread goes on from its checkpoint when its model has gone: the other one sees tool calls and results."""
    agent = create_agent(ChatCrewRouter(router=router), tools=[get_weather], checkpointer=InMemorySaver())
    thread = {"configurable": {"thread_id": "t"}}
    ask(agent, config=thread)
    wire.break_model("fast", Fault(status=500))

    messages = ask(agent, "and in Oslo?", thread)

    assert answered_by(messages) == ["fast", "fast", "smart", "smart"]
    seen = wire.seen[-1].body["messages"]
    assert [message["role"] for message in seen] == ["user", "assistant", "tool", "assistant", "user", "assistant", "tool"]


def test_an_interrupt_waits_for_a_person_and_resumes_on_another_model(router: Router, wire: WireServer) -> None:
    """A tool call held for approval survives the checkpoint, and the answer may come from another model."""
    approval = HumanInTheLoopMiddleware(interrupt_on={"get_weather": True})
    agent = create_agent(ChatCrewRouter(router=router), tools=[get_weather], middleware=[approval], checkpointer=InMemorySaver())
    thread: Any = {"configurable": {"thread_id": "t"}}

    held = agent.invoke({"messages": [HumanMessage("weather in Rome?")]}, thread)
    wire.break_model("fast", Fault(status=500))
    done = agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), thread)

    assert "__interrupt__" in held
    assert isinstance(done["messages"][2], ToolMessage)
    assert answered_by(done["messages"]) == ["fast", "smart"]


def test_langchains_fallback_middleware_wraps_the_router(router: Router, wire: WireServer) -> None:
    """When every model of the pool fails, LangChain's own fallback still answers."""
    for name in ("fast", "smart"):
        wire.break_model(name, Fault(status=401))
    last = ChatOpenAI(model="last", base_url=wire.openai_url, api_key="k")
    agent = create_agent(ChatCrewRouter(router=router), middleware=[ModelFallbackMiddleware(last)])

    assert answered_by(ask(agent)) == ["last"]


def test_summaries_by_share_of_the_context_know_its_size(router: Router) -> None:
    """The common profile gives the window that such middlewares ask for."""
    chat = ChatCrewRouter(router=router)

    agent = create_agent(chat, middleware=[SummarizationMiddleware(chat, trigger=("fraction", 0.5))])

    assert answered_by(ask(agent)) == ["fast"]


# RoutingMiddleware


def middleware_agent(router: Router, wire: WireServer, **more: Any) -> Any:
    """Return an agent whose own model is replaced in every step."""
    placeholder = ChatOpenAI(model="placeholder", base_url=wire.openai_url, api_key="k")
    return create_agent(placeholder, tools=[get_weather], middleware=[RoutingMiddleware(router, **more)])


async def test_the_middleware_picks_the_model_of_every_step(wire: WireServer) -> None:
    """The agent's own model is never called; policies see the number of the step and the tools."""
    listening = Listening()
    with Router(pool(wire, "fast", "smart"), classifier=listening) as router:
        await middleware_agent(router, wire).ainvoke({"messages": [HumanMessage("weather in Rome?")]})

    told = [request.metadata for request in listening.requests if request.metadata.get("agent_step")]
    assert wire.models_called() == ["fast", "fast"]
    assert {metadata["agent_step"] for metadata in told} == {1, 2}
    assert all(metadata["agent_tools"] == ["get_weather"] for metadata in told)


def config_with(wire: WireServer, smart: dict[str, Any], fast: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration of two models with some figures changed."""
    config = pool(wire, "fast", "smart")
    config["models"]["lab:smart"] |= smart
    config["models"]["lab:fast"] |= fast
    return config


def after_a_step_of(model: str, *, input_tokens: int) -> list[Any]:
    """Return a history whose last answer came from a model that had read so many tokens."""
    usage = {"input_tokens": input_tokens, "output_tokens": 10, "total_tokens": input_tokens + 10}
    call = {"name": "get_weather", "args": {"city": "Rome"}, "id": "call00001"}
    told = {"crew_router": {"decision_id": "d-elsewhere", "model": model, "answered_at": time.time(), "input_tokens": input_tokens}}
    answer = AIMessage("", tool_calls=[call], usage_metadata=usage, response_metadata=told)  # type: ignore[arg-type]  # a plain dictionary is one
    return [HumanMessage("weather in Rome?"), answer, ToolMessage("sunny", tool_call_id="call00001")]


@pytest.mark.parametrize(("gain", "answers"), [(0.9, "smart"), (0.0, "fast")])
def test_a_model_stays_while_another_gains_too_little(wire: WireServer, gain: float, answers: str) -> None:
    """The model of the last step keeps its prompt cache unless the better one gains more than ``switch_gain``."""
    prices = {"price": {"input": 1.0, "output": 2.0, "cached_input": 0.1}}
    with Router(config_with(wire, prices, prices)) as router:
        agent = middleware_agent(router, wire, switch_gain=gain)

        result = agent.invoke({"messages": after_a_step_of("lab:smart", input_tokens=50_000)})

    assert answered_by(result["messages"][3:]) == [answers]


def test_a_pin_is_kept_in_every_step(router: Router, wire: WireServer) -> None:
    """A forced model is not argued with."""
    agent = middleware_agent(router, wire, routing={"force_model": "lab:smart"})

    assert answered_by(ask(agent)) == ["smart", "smart"]


def test_steps_are_counted_from_the_last_word_of_the_user() -> None:
    """A new question starts at step one."""
    history = after_a_step_of("lab:fast", input_tokens=700)

    within, anew = step_of(history, [get_weather]), step_of([*history, HumanMessage("and in Oslo?")], [])

    assert (within.number, within.model, within.tools) == (2, "lab:fast", ("get_weather",))
    assert anew.number == 1
