"""The transport over real provider packages against a fake provider on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_mistralai import ChatMistralAI
from langchain_openai import ChatOpenAI
from wire_brain import Said
from wire_server import Fault, WireServer

from crew_router.types import ErrorKind, ModelDefinition, ModelRef
from crew_router.types.transport import Payload, Piece
from crew_router_langchain.transport import LangChainTransport

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "joke", "schema": {"type": "object", "properties": {"setup": {"type": "string"}}, "required": ["setup"]}},
}
HELLO = Payload(("hello",))


def entry(wire: WireServer, provider: str, name: str = "fast") -> ModelDefinition:
    """Return a registry entry of a provider that is built by ``init_chat_model``."""
    urls = {"anthropic": wire.url, "mistralai": wire.mistral_url}
    url = urls.get(provider, wire.openai_url)
    return ModelDefinition(ModelRef(f"{provider}:{name}"), provider=provider, model=name, base_url=url, api_key="k")


def given(client: object) -> ModelDefinition:
    """Return a registry entry of an instance that a user gave."""
    return ModelDefinition(ModelRef("mine:model"), provider="mine", model="model", instance=client)


def text(pieces: Iterable[Piece]) -> str:
    """Return the text of all pieces."""
    return "".join(piece.text for piece in pieces)


def openai_answer(message: dict[str, object], **choice: object) -> str:
    """Return the body of a whole answer in OpenAI's format."""
    choices = [{"index": 0, "finish_reason": "stop", "message": message, **choice}]
    return json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "fast", "choices": choices})


PROVIDERS = ("openai", "anthropic", "mistralai", "vllm", "lmstudio")


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_whole_answers_carry_text_usage_and_finish_reason(transport: LangChainTransport, wire: WireServer, provider: str) -> None:
    """Each provider package gives text, usage and a finish reason, blocking and not."""
    model = entry(wire, provider)

    blocking = await asyncio.to_thread(lambda: transport.fit(HELLO, model).complete())
    awaited = await transport.fit(HELLO, model).acomplete()

    for reply in (blocking, awaited):
        assert reply.text == "Hello from fast, and you asked: hello"
        assert reply.usage is not None
        assert reply.usage.output_tokens > 0
        assert reply.finish_reason in {"stop", "end_turn"}
        assert isinstance(reply.raw, AIMessage)
    assert wire.models_called() == ["fast", "fast"]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_streams_end_with_usage_and_a_finish_reason(transport: LangChainTransport, wire: WireServer, provider: str) -> None:
    """Streams of each provider package carry the usage of the call and a finish reason, also with an address of one's own."""
    model = entry(wire, provider)

    blocking = await asyncio.to_thread(lambda: tuple(transport.fit(HELLO, model).stream()))
    awaited = tuple([piece async for piece in transport.fit(HELLO, model).astream()])

    for pieces in (blocking, awaited):
        joined = transport.join(pieces)
        assert text(pieces) == joined.text == "Hello from fast, and you asked: hello"
        assert joined.finish_reason in {"stop", "end_turn"}
        assert joined.usage is not None
        assert [piece.usage for piece in pieces if piece.usage is not None][-1] == joined.usage


@pytest.mark.parametrize("provider", ["openai", "anthropic", "mistralai"])
def test_tools_are_bound_in_the_wire_format_of_each_provider(transport: LangChainTransport, wire: WireServer, provider: str) -> None:
    """The same neutral tool, forced by name, makes each provider's package send a call that comes back whole."""
    payload = Payload(("weather in Rome?",), tools=(TOOL,), tool_choice={"type": "function", "function": {"name": "get_weather"}})
    model = entry(wire, provider)

    reply = transport.fit(payload, model).complete()
    pieces = tuple(transport.fit(payload, model).stream())

    for answer in (reply, transport.join(pieces)):
        assert [(call.name, call.arguments) for call in answer.tool_calls] == [("get_weather", '{"city": "sample city"}')]
    assert any(piece.structured for piece in pieces)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "mistralai"])
def test_a_response_format_reaches_each_provider(transport: LangChainTransport, wire: WireServer, provider: str) -> None:
    """One OpenAI-style response format gives JSON from each provider, and its pieces are marked as structured."""
    payload = Payload(("a joke",), response_format=SCHEMA)
    model = entry(wire, provider)

    pieces = tuple(transport.fit(payload, model).stream())

    assert text(pieces) == '{"setup": "sample setup"}'
    assert all(piece.structured for piece in pieces if piece.text)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "mistralai"])
def test_registry_entries_do_not_retry_by_themselves(transport: LangChainTransport, wire: WireServer, provider: str) -> None:
    """A failing provider is called once: all retries are ours."""
    wire.break_model("fast", Fault(status=500))

    with pytest.raises(Exception, match=r".") as raised:
        transport.fit(HELLO, entry(wire, provider)).complete()

    assert transport.classify(raised.value).kind is ErrorKind.OVERLOAD
    assert len(wire.seen) == 1


def instances(wire: WireServer) -> list[object]:
    """Return instances as users make them, with the retries of their SDKs on."""
    return [
        ChatOpenAI(model="fast", base_url=wire.openai_url, api_key="k", max_retries=3),
        ChatAnthropic(model_name="fast", base_url=wire.url, api_key="k", max_retries=3, timeout=None, stop=None),
        ChatMistralAI(model_name="fast", base_url=wire.mistral_url, api_key="k", max_retries=3),
    ]


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_instances_are_copied_with_retries_off(transport: LangChainTransport, wire: WireServer, number: int) -> None:
    """A user's instance is called once when it fails, and keeps its own settings."""
    client = instances(wire)[number]
    wire.break_model("fast", Fault(status=503))

    with pytest.raises(Exception, match=r".") as raised:
        await transport.fit(HELLO, given(client)).acomplete()

    assert transport.classify(raised.value).kind is ErrorKind.OVERLOAD
    assert len(wire.seen) == 1
    assert client.max_retries == 3


@pytest.mark.parametrize("number", [0, 1, 2])
def test_one_model_serves_several_event_loops(transport: LangChainTransport, wire: WireServer, number: int) -> None:
    """A connection kept alive on a loop that ended breaks no call on the next loop."""
    client = instances(wire)[number]

    async def ask() -> str:
        return (await transport.fit(HELLO, given(client)).acomplete()).text

    answers = [asyncio.run(ask()) for _ in range(3)]

    assert len(set(answers)) == 1
    assert len(wire.seen) == 3


def test_a_stream_that_is_cut_has_no_finish_reason(transport: LangChainTransport, wire: WireServer) -> None:
    """A server that stops in the middle gives pieces without a finish reason, which the executor takes for a failure."""
    wire.break_model("fast", Fault(cut_after=3))

    pieces = tuple(transport.fit(HELLO, entry(wire, "openai")).stream())

    assert text(pieces)
    assert transport.join(pieces).finish_reason is None


def test_arguments_that_are_no_json_come_through_as_written(transport: LangChainTransport, wire: WireServer) -> None:
    """The executor sees the broken arguments of a tool call and can take it for a failure."""
    call = {"id": "a", "type": "function", "function": {"name": "get_weather", "arguments": "{,"}}
    broken = openai_answer({"role": "assistant", "content": None, "tool_calls": [call]})
    wire.break_model("fast", Fault(body=broken))

    reply = transport.fit(Payload(("hi",), tools=(TOOL,)), entry(wire, "openai")).complete()

    assert [call.arguments for call in reply.tool_calls] == ["{,"]


def test_parameters_and_bounds_go_out_under_the_providers_names(transport: LangChainTransport, wire: WireServer) -> None:
    """The caller's temperature, stop words and the tighter of two token bounds reach the provider."""
    payload = Payload(("hi",), stop=("you",), parameters={"temperature": 0.25, "max_tokens": 50})

    reply = transport.fit(payload, entry(wire, "vllm"), max_tokens=20, timeout_s=5).complete()

    body = wire.seen[0].body
    assert (body["temperature"], body["stop"]) == (0.25, ["you"])
    assert 20 in {body.get("max_tokens"), body.get("max_completion_tokens")}
    assert reply.text == "Hello from fast, and "


def test_a_prefix_is_sent_as_the_beginning_of_the_answer(transport: LangChainTransport, wire: WireServer) -> None:
    """What another model had said already is the last, assistant's, message."""
    transport.fit(HELLO, entry(wire, "anthropic"), prefix="Once upon").complete()

    last = wire.seen[0].body["messages"][-1]
    assert last["role"] == "assistant"
    assert "Once upon" in str(last["content"])


def test_a_model_that_is_told_not_to_stream_gives_one_piece(transport: LangChainTransport, wire: WireServer) -> None:
    """``disable_streaming`` of an instance is kept."""
    client = ChatOpenAI(model="fast", base_url=wire.openai_url, api_key="k", disable_streaming=True)

    pieces = tuple(transport.fit(HELLO, given(client)).stream())

    assert [piece.text for piece in pieces] == ["Hello from fast, and you asked: hello"]
    assert pieces[0].finish_reason == "stop"
    assert "stream" not in wire.seen[0].body or not wire.seen[0].body["stream"]


class CountingLimiter(BaseRateLimiter):
    """A rate limiter that lets everything through and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def acquire(self, *, blocking: bool = True) -> bool:
        """Count a blocking call."""
        self.asked.append("blocking" if blocking else "not blocking")
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        """Count an awaited call."""
        self.asked.append("awaited" if blocking else "not blocking")
        return True


async def test_the_rate_limiter_of_an_instance_is_asked(transport: LangChainTransport, wire: WireServer) -> None:
    """A user's rate limiter holds every call back once, because LangChain's wrapper is not there to ask it."""
    limiter = CountingLimiter()
    model = given(ChatOpenAI(model="fast", base_url=wire.openai_url, api_key="k", rate_limiter=limiter))

    await asyncio.to_thread(lambda: transport.fit(HELLO, model).complete())
    await asyncio.to_thread(lambda: list(transport.fit(HELLO, model).stream()))
    await transport.fit(HELLO, model).acomplete()
    [_ async for _ in transport.fit(HELLO, model).astream()]

    assert limiter.asked == ["blocking", "blocking", "awaited", "awaited"]


def test_a_timeout_ends_a_call(transport: LangChainTransport, wire: WireServer) -> None:
    """The seconds that a call may take reach the client, and what it raises reads as a timeout."""
    wire.break_model("fast", Fault(delay_s=1.5))

    with pytest.raises(Exception, match=r".") as raised:
        transport.fit(HELLO, entry(wire, "openai"), timeout_s=0.2).complete()

    assert transport.classify(raised.value).kind is ErrorKind.TIMEOUT


FAULTS = [
    (Fault(status=429, code="rate_limit_exceeded", headers={"retry-after": "7"}), ErrorKind.RATE_LIMIT),
    (Fault(status=500), ErrorKind.OVERLOAD),
    (Fault(status=529, code="overloaded_error"), ErrorKind.OVERLOAD),
    (Fault(status=401, code="invalid_api_key"), ErrorKind.AUTH),
    (Fault(status=403), ErrorKind.AUTH),
    (Fault(status=404, code="model_not_found"), ErrorKind.NOT_FOUND),
    (Fault(status=400, code="invalid_value", message="temperature must be at most 2"), ErrorKind.INVALID_REQUEST),
    (Fault(status=400, code="context_length_exceeded", message="maximum context length is 10 tokens"), ErrorKind.CONTEXT_OVERFLOW),
    (Fault(status=400, code="invalid_request_error", message="prompt is too long: 9 tokens > 8 maximum"), ErrorKind.CONTEXT_OVERFLOW),
    (Fault(status=400, code="content_policy_violation", message="refused by our content policy"), ErrorKind.CONTENT_POLICY),
    (Fault(body="<html>"), ErrorKind.MALFORMED),
]


@pytest.mark.parametrize("provider", ["openai", "anthropic", "mistralai"])
@pytest.mark.parametrize(("fault", "kind"), FAULTS)
def test_errors_of_each_provider_are_told_apart(
    transport: LangChainTransport, wire: WireServer, provider: str, fault: Fault, kind: ErrorKind
) -> None:
    """The same condition reads the same whichever package reports it; Retry-After comes through."""
    wire.break_model("fast", fault)

    with pytest.raises(Exception, match=r".") as raised:
        transport.fit(HELLO, entry(wire, provider)).complete()

    told = transport.classify(raised.value)
    assert told.kind is kind
    assert fault.status in {told.status_code, None}
    assert told.retry_after_s == (7.0 if "retry-after" in fault.headers else None)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "mistralai"])
async def test_a_server_that_is_not_there_reads_as_a_lost_connection(transport: LangChainTransport, provider: str) -> None:
    """A refused connection is no answer of the provider, whichever client library met it."""
    model = ModelDefinition(ModelRef(f"{provider}:fast"), provider=provider, model="fast", base_url="http://127.0.0.1:9", api_key="k")

    with pytest.raises(Exception, match=r".") as raised:
        await transport.fit(HELLO, model).acomplete()

    assert transport.classify(raised.value).kind is ErrorKind.CONNECTION


def test_history_of_another_provider_is_made_readable(transport: LangChainTransport, wire: WireServer) -> None:
    """Reasoning with a foreign signature and cache markers do not reach a provider that cannot read them."""
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    answer = AIMessage([thought, {"type": "text", "text": "four"}], response_metadata={"model_provider": "anthropic"})
    cached = HumanMessage([{"type": "text", "text": "two and two?", "cache_control": {"type": "ephemeral"}}])

    transport.fit(Payload((cached, answer, HumanMessage("sure?"))), entry(wire, "vllm")).complete()

    sent = str(wire.seen[0].body["messages"])
    assert "four" in sent
    assert "signature" not in sent
    assert "cache_control" not in sent


def test_log_probabilities_are_read(transport: LangChainTransport, wire: WireServer) -> None:
    """Log probabilities of a reply are there for whoever wants the model's confidence."""
    logprobs = {"content": [{"token": "yes", "logprob": -0.5, "top_logprobs": []}]}
    body = openai_answer({"role": "assistant", "content": "yes"}, logprobs=logprobs)
    wire.break_model("fast", Fault(body=body))

    reply = transport.fit(Payload(("hi",), parameters={"logprobs": True}), entry(wire, "openai")).complete()

    assert reply.logprobs == (-0.5,)


def test_an_empty_answer_comes_through_as_empty(transport: LangChainTransport, wire: WireServer) -> None:
    """The executor sees an empty reply and can take it for a failure."""
    wire.break_model("fast", Fault(answer=Said("", (), 3, 0)))

    reply = transport.fit(HELLO, entry(wire, "openai")).complete()

    assert (reply.text, reply.tool_calls) == ("", ())
