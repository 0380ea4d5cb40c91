# ruff: noqa: E501, TC002 - rows of data and sentences as providers write them stay on a line
"""Streams of real servers: two finish reasons, repeated names, missing indexes, usage on every chunk, an end without a reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_pools import pool
from wire_server import Fault, WireServer
from wire_streams import call, chunk, completed, streamed, used, words

from crew_router import AllModelsFailedError, ModelCallError, Router
from crew_router_langchain import ChatCrewRouter

TOOL = {"type": "function", "function": {"name": "find", "description": "x", "parameters": {"type": "object", "properties": {"q": {"type": "string"}}}}}
OTHER = {"type": "function", "function": {"name": "look", "description": "x", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def router(wire: WireServer) -> Iterator[Router]:
    """A router over two models of the fake provider."""
    with Router(pool(wire, "fast", "smart")) as router:
        yield router


async def asked(router: Router, way: str, *tools: dict[str, Any], text: str = "hello", model: str = "auto") -> Any:
    """Return what a chat model over the router answers, whichever way it is asked."""
    chat: Any = ChatCrewRouter(router=router, model=model)
    chat = chat.bind_tools(list(tools)) if tools else chat
    if way == "stream":
        chunks = list(chat.stream(text))
    elif way == "astream":
        chunks = [each async for each in chat.astream(text)]
    else:
        return chat.invoke(text) if way == "invoke" else await chat.ainvoke(text)
    total = chunks[0]
    for each in chunks[1:]:
        total += each
    return total


STREAMS = ["stream", "astream"]


@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize("reasons", [("error", "error"), ("stop", "error"), (None, "error")])
async def test_a_finish_reason_that_names_an_error_is_one_however_often_it_comes(router: Router, wire: WireServer, way: str, reasons: Any) -> None:
    """Half an answer is never a success: the healthy model goes on or answers anew."""
    wire.break_model("fast", streamed(*words("Hello "), *(chunk({}, finish=reason) for reason in reasons)))

    answer = await asked(router, way)

    assert "smart" in wire.models_called()
    assert "smart" in answer.text


@pytest.mark.parametrize("way", STREAMS)
async def test_a_finish_reason_on_two_chunks_is_one(router: Router, wire: WireServer, way: str) -> None:
    """The caller sees the reason as it is, and not twice in one word."""
    wire.break_model("fast", streamed(*words("Hello"), chunk({}, finish="stop"), chunk({}, finish="stop", usage=used(3, 1))))

    answer = await asked(router, way)

    assert (answer.text, answer.response_metadata["finish_reason"], answer.response_metadata["model_name"]) == ("Hello", "stop", "fast")


CALLS = {
    "name repeated on each piece": [call(id="a", name="find", arguments='{"q"'), call(name="find", arguments=': "x"}')],
    "name and id repeated": [call(id="a", name="find", arguments='{"q"'), call(id="a", name="find", arguments=': "x"}')],
    "name in pieces": [call(id="a", name="fi", arguments=""), call(name="nd", arguments='{"q": "x"}')],
    "empty names after the first": [call(id="a", name="find", arguments='{"q": '), call(id="", name="", arguments='"x"}')],
    "no index": [call(None, id="a", name="find", arguments='{"q": '), call(None, arguments='"x"}')],
}  # fmt: skip


@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize("chunks", CALLS.values(), ids=CALLS)
async def test_a_tool_call_is_put_together(router: Router, wire: WireServer, way: str, chunks: Any) -> None:
    """Whatever is said again or left out, one call with its name once and whole arguments comes out."""
    wire.break_model("fast", streamed(*chunks, chunk({}, finish="tool_calls")))

    answer = await asked(router, way, TOOL)

    assert [(each["name"], each["args"]) for each in answer.tool_calls] == [("find", {"q": "x"})]
    assert wire.models_called() == ["fast"]


PAIRS = {
    "two calls without an index": [call(None, id="a", name="find", arguments='{"q": "x"}'), call(None, id="b", name="find", arguments='{"q": "y"}')],
    "two calls with the same index": [call(0, id="a", name="find", arguments='{"q": "x"}'), call(0, id="b", name="find", arguments='{"q": "y"}')],
    "same index, in pieces": [call(0, id="a", name="find", arguments='{"q": '), call(0, arguments='"x"}'), call(0, id="b", name="find", arguments='{"q": '), call(0, arguments='"y"}')],
    "indexes from one on": [call(1, id="a", name="find", arguments='{"q": "x"}'), call(2, id="b", name="find", arguments='{"q": "y"}')],
}  # fmt: skip


@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize("chunks", PAIRS.values(), ids=PAIRS)
async def test_parallel_calls_stay_two(router: Router, wire: WireServer, way: str, chunks: Any) -> None:
    """Two calls come out as two, each with its own arguments and id."""
    wire.break_model("fast", streamed(*chunks, chunk({}, finish="tool_calls")))

    answer = await asked(router, way, TOOL)

    assert [(each["id"], each["name"], each["args"]) for each in answer.tool_calls] == [("a", "find", {"q": "x"}), ("b", "find", {"q": "y"})]


@pytest.mark.parametrize("way", [*STREAMS, "invoke", "ainvoke"])
@pytest.mark.parametrize("written", ["null", "", "{}", "None"])
async def test_no_arguments_are_an_empty_object(router: Router, wire: WireServer, way: str, written: str) -> None:
    """A tool without arguments is called, however the server writes that there are none."""
    whole = completed({"content": None, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "look", "arguments": written}}]}, finish="tool_calls")
    wire.break_model("fast", streamed(call(id="a", name="look", arguments=written), chunk({}, finish="tool_calls")) if way in STREAMS else whole)

    answer = await asked(router, way, OTHER)

    assert [(each["name"], each["args"]) for each in answer.tool_calls] == [("look", {})]
    assert answer.invalid_tool_calls == []
    assert wire.models_called() == ["fast"]


@pytest.mark.parametrize("way", STREAMS)
async def test_done_without_a_finish_reason_is_whole(router: Router, wire: WireServer, way: str) -> None:
    """A server that ends its stream as agreed and gives no reason has said all."""
    wire.break_model("fast", streamed(*words("Hello", " there")))

    answer = await asked(router, way)

    assert answer.text == "Hello there"
    assert wire.models_called() == ["fast"]


@pytest.mark.parametrize("way", STREAMS)
async def test_an_end_without_either_is_a_cut(router: Router, wire: WireServer, way: str) -> None:
    """A stream that only ends has lost its end."""
    wire.break_model("fast", streamed(*words("Hello", " there"), done=False))

    answer = await asked(router, way)

    assert "smart" in answer.text


@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize("chunks", [
    [*(words("x", usage=used(100, at))[0] for at in range(1, 51)), chunk({}, finish="stop", usage=used(100, 50))],
    [*words("x" * 50), chunk({}, finish="stop", usage=used(100, 50)), chunk(usage=used(100, 50))],
    [*words("x" * 50), chunk({}, finish="stop"), chunk(usage=used(100, 50))],
    [chunk({"content": ""}, usage=used(0, 0)), *words("x" * 50), chunk({}, finish="stop", usage=used(100, 50))],
], ids=["running", "twice", "at the end", "zero first"])  # fmt: skip
async def test_usage_counts_once(router: Router, wire: WireServer, way: str, chunks: Any) -> None:
    """Running, doubled and plain usage are the same 150 tokens, for the ledger and for the caller."""
    wire.break_model("fast", streamed(*chunks))

    answer = await asked(router, way)

    told = answer.response_metadata["crew_router"]["attempts"][0]
    assert (told["input_tokens"], told["output_tokens"]) == (100, 50)
    assert told["cost_usd"] == pytest.approx((100 * 1.0 + 50 * 2.0) / 1e6)
    assert (answer.usage_metadata["input_tokens"], answer.usage_metadata["output_tokens"]) == (100, 50)


REFUSALS = {
    "openai's field": (completed({"content": None, "refusal": "I can't help with that."}), streamed(chunk({"role": "assistant", "refusal": "I can't"}), chunk({"refusal": " help."}), chunk({}, finish="stop"))),
    "filtered": (completed({"content": ""}, finish="content_filter"), streamed(chunk({"content": ""}), chunk({}, finish="content_filter"))),
}  # fmt: skip


@pytest.mark.parametrize("way", [*STREAMS, "invoke", "ainvoke"])
@pytest.mark.parametrize("faults", REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_is_answered_by_another_model_and_closes_nothing(wire: WireServer, way: str, faults: tuple[Fault, Fault]) -> None:
    """Ten refused prompts later the innocent one still reaches the model."""
    config = pool(wire, "fast", "smart")
    del config["breaker"]
    wire.break_model("fast", faults[way in STREAMS])
    with Router(config) as router:
        answers = [(await asked(router, way)) for _ in range(10)]
        wire.heal()
        innocent = await asked(router, way, model="lab:fast")

    assert all("smart" in answer.text for answer in answers)
    assert answers[0].response_metadata["crew_router"]["attempts"][0]["error"] == "content_policy"
    assert "fast" in innocent.text


def test_a_stream_cut_for_everybody_is_an_error(wire: WireServer) -> None:
    """With nobody left a cut is told, and never passed on as an answer."""
    wire.break_model("fast", streamed(*words("Hel"), done=False))

    with Router(pool(wire, "fast")) as router, pytest.raises((ModelCallError, AllModelsFailedError)):
        list(ChatCrewRouter(router=router).stream("hello"))
