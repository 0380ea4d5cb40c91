"""What a chat's history says of earlier decisions becomes their outcome, without anybody asking for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import ToolException, tool
from langchain_pools import pool

from crew_router import Router
from crew_router_langchain import ChatCrewRouter
from crew_router_langchain.history import Hindsight, hindsight

if TYPE_CHECKING:
    from wire_server import WireServer


@pytest.fixture
def router(wire: WireServer) -> Iterator[Router]:
    """A router over one model."""
    with Router(pool(wire, "fast")) as router:
        yield router


def successes(router: Router) -> float | None:
    """Return the success rate of the model over everything."""
    seen = router.performance("lab:fast")
    return None if seen is None else seen.success_rate


@tool
def broken_tool(city: str) -> str:
    """Fail."""
    msg = f"no such city: {city}"
    raise ToolException(msg)


broken_tool.handle_tool_error = True


def test_a_tool_that_failed_is_held_against_the_decision_that_called_it(router: Router) -> None:
    """A LangGraph tool node reports the error, and the next step of the loop makes it an outcome."""
    chat = ChatCrewRouter(router=router).bind_tools([broken_tool])
    asked = HumanMessage("weather in Rome?")
    answer = chat.invoke([asked])
    before = successes(router)
    result = ToolMessage("Error: no such city", tool_call_id=answer.tool_calls[0]["id"], status="error")

    chat.invoke([asked, answer, result])

    after = successes(router)
    assert before == 1.0
    assert after is not None
    assert after < 1.0


def test_an_agent_needs_nothing_for_it(router: Router) -> None:
    """In a plain agent loop a tool that reports its error becomes an outcome by itself."""
    agent = create_agent(ChatCrewRouter(router=router), tools=[broken_tool])

    messages = agent.invoke({"messages": [HumanMessage("weather in Rome?")]})["messages"]

    seen = successes(router)
    assert messages[2].status == "error"
    assert seen is not None
    assert seen < 1.0


def test_each_decision_is_judged_once_however_often_its_history_is_sent(router: Router) -> None:
    """Sending the same history again does not count the same error again."""
    chat = ChatCrewRouter(router=router).bind_tools([broken_tool])
    asked = HumanMessage("weather in Rome?")
    answer = chat.invoke([asked])
    history = [asked, answer, ToolMessage("Error", tool_call_id=answer.tool_calls[0]["id"], status="error")]

    chat.invoke(history)
    once = successes(router)
    chat.invoke(history)
    twice = successes(router)

    assert once is not None
    assert twice is not None
    assert twice > once


def test_a_history_of_another_ledger_disturbs_nobody(router: Router) -> None:
    """A decision that this router does not know is left alone, and the request is answered."""
    stranger = AIMessage("four", response_metadata={"crew_router": {"decision_id": "d-of-somebody-else-1"}})

    answer = ChatCrewRouter(router=router).invoke([HumanMessage("2+2?"), stranger, HumanMessage("2+2?")])

    assert answer.text


def told(*messages: BaseMessage) -> Hindsight | None:
    """Return what a history says after an answer of decision ``d``."""
    call = {"name": "f", "args": {}, "id": "c"}
    answer = AIMessage("", tool_calls=[call], response_metadata={"crew_router": {"decision_id": "d"}})  # type: ignore[arg-type]  # a plain dictionary is one
    return hindsight([HumanMessage("What is the capital of Peru?"), answer, *messages])


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([ToolMessage("boom", tool_call_id="c", status="error")], "tool_error"),
        ([ToolMessage("Error: failed to parse structured output for tool 'f'", tool_call_id="c", status="error")], "parser_error"),
        ([HumanMessage("Invalid json output: x. For troubleshooting, visit: OUTPUT_PARSING_FAILURE")], "parser_error"),
        ([ToolMessage("fine", tool_call_id="c"), HumanMessage("what is the capital of peru")], "asked_again"),
        ([ToolMessage("fine", tool_call_id="c")], None),
        ([ToolMessage("fine", tool_call_id="c"), HumanMessage("Thanks. And of Chile?")], None),
        ([], None),
    ],
)
def test_histories_are_read(messages: list[BaseMessage], reason: str | None) -> None:
    """Failed tools, rejected output and a repeated question speak against an answer; all else does not."""
    seen = told(*messages)

    assert (None if seen is None else (seen.decision_id, seen.reason)) == (None if reason is None else ("d", reason))


@pytest.mark.parametrize("metadata", [{}, {"crew_router": "x"}, {"crew_router": {"decision_id": 3}}])
def test_answers_of_others_are_left_alone(metadata: dict[str, Any]) -> None:
    """An answer without a decision of ours is nobody's."""
    answer = AIMessage("four", response_metadata=metadata)

    assert hindsight([HumanMessage("2+2?"), answer, HumanMessage("2+2?")]) is None
