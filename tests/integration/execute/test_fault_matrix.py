"""Every fault of the server against every way to ask, through real langchain-openai clients."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections.abc import Callable

import pytest
from wire_bench import IMPATIENT, WireBench

from crew_router.errors import DeadlineExceededError, ModelCallError
from crew_router.execute.executor import Options
from crew_router.execute.policy import StreamPolicy
from crew_router.testing.fault_server import FaultKind, FaultServer, answer_to
from crew_router.types import ErrorKind, RoutingRequest
from crew_router.types.transport import Payload

PROMPT = "Name some words."
ASKED = Payload((PROMPT,))
WAYS = ["run", "arun", "stream", "astream"]
FAULTS = [kind for kind in FaultKind if kind not in {FaultKind.INVALID, FaultKind.BAD_ARGUMENTS}]
MID = [FaultKind.DROP_MID, FaultKind.MALFORMED_MID, FaultKind.STALL_MID, FaultKind.ERROR_MID, FaultKind.TRUNCATED_MID]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "place",
        "schema": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city", "days"]},
    },
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", FAULTS)
async def test_every_fault_costs_one_dead_call_and_the_answer_is_whole(server, bench, kind, way):
    """With a healthy fallback each fault means one dead call, and the caller gets exactly the fallback's answer."""
    server.fail("a", kind)

    text, response = await bench.answer(way, ASKED)

    assert text == response.text == answer_to(PROMPT)
    assert (server.calls("a"), server.calls("b")) == (1, 1)
    assert [attempt.ok for attempt in response.attempts] == [False, True]


@pytest.mark.parametrize("way", WAYS)
async def test_a_caller_mistake_reaches_no_second_model(server, bench, way):
    """A request that the provider finds invalid is raised at once."""
    server.fail("a", FaultKind.INVALID)

    with pytest.raises(ModelCallError) as caught:
        await bench.answer(way, ASKED)

    assert (caught.value.kind, server.calls("b")) == (ErrorKind.INVALID_REQUEST, 0)


@pytest.mark.parametrize("kind", MID)
async def test_raise_carries_the_partial_text(server, bench, kind):
    """After the first chunk the policy raise ends in an error with the text that was shown."""
    server.fail("a", kind)

    text, error = await bench.broken(ASKED, Options(stream=StreamPolicy.RAISE))

    assert isinstance(error, ModelCallError)
    assert (error.partial, server.calls("b")) == (text, 0)
    assert text
    assert answer_to(PROMPT).startswith(text)


@pytest.mark.parametrize("kind", MID)
async def test_continue_ends_in_the_whole_answer(server, bench, kind):
    """Another model goes on from the prefix; whether it restates its last words or not, no text comes twice."""
    server.fail("a", kind)

    texts = {(await bench.answer("astream", Payload((f"{PROMPT} {n}",)), Options(stream=StreamPolicy.CONTINUE)))[0] for n in range(8)}

    assert texts == {answer_to(f"{PROMPT} {n}") for n in range(8)}
    assert (server.calls("a"), server.calls("b")) == (8, 8)


async def test_the_message_of_a_continued_stream_is_whole(server, bench):
    """The joined LangChain message holds the text of both models."""
    server.fail("a", FaultKind.DROP_MID)

    _, response = await bench.answer("astream", ASKED, Options(stream=StreamPolicy.CONTINUE))

    assert response.message.content == response.text == answer_to(PROMPT)
    assert [attempt.role for attempt in response.attempts] == ["answer", "continue"]


@pytest.mark.parametrize("kind", MID)
async def test_restart_resets_and_gives_the_whole_second_answer(server, bench, kind):
    """The consumer is told to forget, and has the whole answer in the end."""
    server.fail("a", kind)

    text, _ = await bench.answer("astream", ASKED, Options(stream=StreamPolicy.RESTART))

    assert text == answer_to(PROMPT)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [FaultKind.BAD_ARGUMENTS, FaultKind.DROP_MID, FaultKind.TRUNCATED_MID, FaultKind.EMPTY])
async def test_tool_calls_arrive_whole_or_from_the_fallback(server, bench, kind, way):
    """A broken tool call is never handed on, whatever the stream policy."""
    server.fail("a", kind)

    _, response = await bench.answer(way, Payload((PROMPT,), tools=(TOOL,)), Options(stream=StreamPolicy.RAISE))

    assert [(call.name, call.arguments) for call in response.tool_calls] == [("weather", '{"city": "Bonn"}')]
    assert server.calls("b") == 1


@pytest.mark.parametrize("way", WAYS)
async def test_structured_output_is_held_until_it_is_whole(server, bench, way):
    """Half a JSON document of a broken stream is never shown."""
    server.fail("a", FaultKind.DROP_MID)

    text, _ = await bench.answer(way, Payload((PROMPT,), response_format=FORMAT), Options(stream=StreamPolicy.RAISE))

    assert text == '{"city": "Bonn", "days": 3}'


async def test_a_lone_model_is_asked_again_after_its_retry_after(server, transports):
    """With nothing else left the model is called again, and not before the time it asked for."""
    server.fail("a", FaultKind.RATE_LIMIT, None)
    bench = WireBench(server, transports, models="a", policy=IMPATIENT)

    _, response = await bench.answer("arun", ASKED)

    first, second = response.attempts
    assert second.started_at - (first.started_at + first.latency_s) >= 0.19


async def test_a_server_bills_what_it_made_for_a_client_that_hung_up(server):
    """A stream that nobody reads to its end stands in the server's account like any other call."""
    server.fail("a", FaultKind.TRUNCATED_MID)
    body = json.dumps({"model": "a", "stream": True, "messages": [{"role": "user", "content": PROMPT}]}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    await reader.readuntil(b"assistant")

    writer.transport.abort()
    await _until(lambda: server.served)

    (served,) = server.served
    assert (served.model, served.asked, served.reported) == ("a", PROMPT, False)
    assert served.cost_nano > 0


async def test_a_call_given_up_after_its_answer_was_sent_is_an_estimate(server, bench):
    """What the server sent to a loop that was busy past the deadline is not known to have come: its price is marked as an estimate."""
    decision = dataclasses.replace(bench.decision(), request=RoutingRequest(deadline_s=0.3, fallbacks=False))
    await bench.answer("arun", ASKED)  # the connection stands
    server.served.clear()
    bench.notebook.attempts.clear()
    asyncio.get_running_loop().call_soon(_busy, server)

    with pytest.raises(DeadlineExceededError):
        await bench.executor.arun(decision, ASKED)

    (attempt,) = bench.notebook.attempts
    (served,) = server.served
    assert served.reported
    assert attempt.error is ErrorKind.TIMEOUT
    assert attempt.usage is not None
    assert attempt.usage.estimated


async def _until(told: Callable[[], object]) -> None:
    """Wait for something, two seconds at most."""
    for _ in range(400):
        if told():
            return
        await asyncio.sleep(0.005)


def _busy(server: FaultServer) -> None:
    """Hold the loop from the moment a call is on its way until after the deadline."""
    loop = asyncio.get_running_loop()
    if server.served:
        time.sleep(0.6)
    else:
        loop.call_soon(_busy, server)
