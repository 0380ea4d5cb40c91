# ruff: noqa: E501, TC002 - rows of data and sentences as providers write them stay on a line
"""Answers that are not written as they should be, and are what was asked for all the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_pools import pool
from pydantic import BaseModel
from wire_server import WireServer
from wire_streams import call, chunk, completed, streamed, used, words

from crew_router import Router
from crew_router_langchain import ChatCrewRouter


class Place(BaseModel):
    """A place."""

    city: str
    days: int
    sunny: bool = False


def plan(city: str, days: int, ratio: float = 0.5, *, sure: bool = True) -> str:
    """Plan a stay."""
    return f"{city} {days} {ratio} {sure}"


PLAN = {
    "type": "function",
    "function": {
        "name": "plan",
        "description": "Plan a stay.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "sure": {"type": "boolean"}, "more": {"anyOf": [{"type": "number"}, {"type": "null"}]}},
            "required": ["city", "days"],
        },
    },
}  # fmt: skip


@pytest.fixture
def router(wire: WireServer) -> Iterator[Router]:
    """A router over two models of the fake provider."""
    with Router(pool(wire, "fast", "smart")) as router:
        yield router


TEXTS = {
    "fence": '```json\n{"city": "Bonn", "days": 3}\n```',
    "fence without a language": '```\n{"city": "Bonn", "days": 3}\n```',
    "thinking before": '<think>Is it {Bonn}? {"city": 1}</think>\n\n{"city": "Bonn", "days": 3}',
    "end of thinking only": 'Let me see.</think>{"city": "Bonn", "days": 3}',
    "sentence before": 'Here is the JSON you asked for:\n{"city": "Bonn", "days": 3}',
    "sentence and fence, and after": 'Sure!\n```json\n{"city": "Bonn", "days": 3}\n```\nLet me know.',
    "number as text": '{"city": "Bonn", "days": "3"}',
    "boolean as text": '{"city": "Bonn", "days": 3, "sunny": "false"}',
    "json in a text": '"{\\"city\\": \\"Bonn\\", \\"days\\": 3}"',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
async def test_json_is_read_where_it_stands(router: Router, wire: WireServer, text: str, method: Any) -> None:
    """Whole or streamed, the answer is used and nothing else is paid; the caller's text is the JSON alone."""
    bound = ChatCrewRouter(router=router).with_structured_output(Place, method=method, include_raw=True)
    plain = ChatCrewRouter(router=router).bind(response_format={"type": "json_schema", "json_schema": {"name": "Place", "schema": Place.model_json_schema()}})
    wire.break_model("fast", completed({"content": text}, usage=used(9, 9)))
    whole = [bound.invoke("where?"), await bound.ainvoke("where?")]
    wire.break_model("fast", streamed(*words(*(text[at : at + 5] for at in range(0, len(text), 5))), chunk({}, finish="stop"), chunk(usage=used(9, 9))))
    shown = "".join(str(each.text) for each in plain.stream("where?"))

    assert [answer["parsed"] for answer in whole] == [Place(city="Bonn", days=3), Place(city="Bonn", days=3)]
    assert Place.model_validate_json(shown) == Place(city="Bonn", days=3)
    assert wire.models_called() == ["fast", "fast", "fast"]


NAMED = {
    "namespace": ("functions.plan", '{"city": "Bonn", "days": 3}'),
    "google's": ("default_api.plan", '{"city": "Bonn", "days": 3}'),
    "counted": ("functions.plan:0", '{"city": "Bonn", "days": 3}'),
    "template": ("plan<|channel|>commentary", '{"city": "Bonn", "days": 3}'),
    "blanks": (" plan ", '{"city": "Bonn", "days": 3}'),
    "numbers as texts": ("plan", '{"city": "Bonn", "days": "3"}'),
    "everything as texts": ("plan", '{"city": "Bonn", "days": "3", "sure": "True", "more": "null"}'),
    "fenced": ("plan", '```json\n{"city": "Bonn", "days": 3}\n```'),
}


@pytest.mark.parametrize("way", ["invoke", "stream"])
@pytest.mark.parametrize(("name", "arguments"), NAMED.values(), ids=NAMED)
def test_a_call_is_read_as_it_was_meant(router: Router, wire: WireServer, way: str, name: str, arguments: str) -> None:
    """The caller gets the tool's own name and arguments of the types that its schema names, from one call."""
    message = {"content": None, "tool_calls": [{"id": "a", "type": "function", "function": {"name": name, "arguments": arguments}}]}
    pieces = [call(id="a", name=name, arguments=arguments[:7]), call(arguments=arguments[7:])]
    wire.break_model("fast", completed(message, finish="tool_calls") if way == "invoke" else streamed(*words("Hm. "), *pieces, chunk({}, finish="tool_calls")))
    chat = ChatCrewRouter(router=router).bind_tools([PLAN])

    if way == "invoke":
        answer: Any = chat.invoke("plan it")
    else:
        first, *rest = chat.stream("plan it")
        answer = sum(rest, first)

    (made,) = answer.tool_calls
    assert (made["name"], made["args"]["city"], made["args"]["days"]) == ("plan", "Bonn", 3)
    assert made["args"].get("sure", True) is True
    assert made["args"].get("more") is None
    assert answer.invalid_tool_calls == []
    assert wire.models_called() == ["fast"]
    assert answer.text == ("" if way == "invoke" else "Hm. ")


@pytest.mark.parametrize(("name", "arguments"), [("explain", '{"city": "Bonn", "days": 3}'), ("plan", '{"city": "Bonn", "days": "three"}'), ("plan", '{"city": "Bonn"')])
def test_what_would_have_to_be_guessed_is_a_fault(router: Router, wire: WireServer, name: str, arguments: str) -> None:
    """A tool that was not offered, a number in words and half an object go to the next model."""
    message = {"content": None, "tool_calls": [{"id": "a", "type": "function", "function": {"name": name, "arguments": arguments}}]}
    wire.break_model("fast", completed(message, finish="tool_calls"))

    ChatCrewRouter(router=router).bind_tools([PLAN]).invoke("plan it")

    assert wire.models_called() == ["fast", "smart"]


def test_text_that_is_text_stays_as_it_is(router: Router, wire: WireServer) -> None:
    """A number that the schema calls a text, and an answer that nobody asked JSON of, are left alone."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    wire.break_model("fast", completed({"content": '{"city": "3"}'}))
    asked = ChatCrewRouter(router=router).bind(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}).invoke("?")
    wire.break_model("fast", completed({"content": '```json\n{"a": 1}\n```'}))
    free = ChatCrewRouter(router=router).invoke("?")

    assert asked.text == '{"city": "3"}'
    assert free.text == '```json\n{"a": 1}\n```'
