# ruff: noqa: E501 - rows of data and sentences as providers write them stay on a line
"""Conversations that cross from one provider to another: what the next client really sends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI
from wire_server import Fault, WireServer

from crew_router import ModelCallError
from crew_router.types import ModelCapability, ModelDefinition, ModelRef
from crew_router.types.transport import Payload
from crew_router_langchain.histories import Target, crossed
from crew_router_langchain.transport import LangChainTransport

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+M8AAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
PICTURE = {"type": "image", "base64": PNG, "mime_type": "image/png"}
TOOL = {"type": "function", "function": {"name": "find", "description": "x", "parameters": {"type": "object", "properties": {"q": {"type": "string"}}}}}
KINDS = ("openai", "openai_responses", "anthropic", "google_genai", "mistralai", "cohere", "bedrock_converse", "ollama", "groq", "deepseek", "xai", "openrouter")


def entry(wire: WireServer, provider: str, name: str = "fast", **more: Any) -> ModelDefinition:
    """Return a registry entry of a provider whose server is the fake one."""
    url = {"anthropic": wire.url, "mistralai": wire.mistral_url, "google_genai": wire.url, "cohere": wire.url, "ollama": wire.url}.get(provider, wire.openai_url)
    return ModelDefinition(ModelRef(f"{provider}:{name}"), provider=provider, model=name, base_url=url, api_key="k", **more)


def sent(history: list[BaseMessage], kind: str, **more: Any) -> tuple[list[BaseMessage], list[str]]:
    """Return what a history becomes for a kind of client, and the notes."""
    notes: list[str] = []
    return crossed(history, Target(kind, **more), notes), notes


def call(call_id: str, **args: Any) -> dict[str, Any]:
    """Return a call of the tool."""
    return {"name": "find", "args": args, "id": call_id, "type": "tool_call"}


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_rewritten_call_and_result_alike(kind: str) -> None:
    """Empty, long and oddly written ids become ones that every provider takes, and pairs stay pairs."""
    ids = ["", "", "call_" + "x" * 60, "functions.find:0"]
    answer = AIMessage("", tool_calls=[call(one, q=str(at)) for at, one in enumerate(ids)], response_metadata={"model_provider": "openai"})
    results = [ToolMessage(str(at), tool_call_id=one) for at, one in enumerate(ids)]

    messages, _ = sent([HumanMessage("?"), answer, *results], kind)

    (crossing,) = [each for each in messages if isinstance(each, AIMessage)]
    made = [each["id"] for each in crossing.tool_calls]
    assert made == [each.tool_call_id for each in messages if isinstance(each, ToolMessage)]
    assert len({*made}) == 4
    assert all(one and len(one) <= 40 and one.replace("_", "").replace("-", "").isalnum() for one in made)
    if kind == "mistralai":
        assert all(len(one) == 9 for one in made)


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_without_a_result_gets_one_and_a_result_without_a_call_is_text(kind: str) -> None:
    """What a provider refuses in either way is mended: no call is left open, and nothing that a tool said is lost."""
    history = [HumanMessage("?"), AIMessage("", tool_calls=[call("a", q="x")]), HumanMessage("well?"), ToolMessage("lost one", tool_call_id="zzz")]

    messages, notes = sent(history, kind)

    assert [type(each).__name__ for each in messages[:3]] == ["HumanMessage", "AIMessage", "ToolMessage"]
    assert "lost one" in str(messages[-1].content)
    assert isinstance(messages[-1], HumanMessage)
    assert any("result" in note for note in notes)


@pytest.mark.parametrize(("kind", "order"), [("anthropic", "SSHAH"), ("google_genai", "SSHAH"), ("bedrock_converse", "SSHAH"), ("openai", "SHASH"), ("cohere", "SHASH")])
def test_late_system_messages_are_kept_or_moved(kind: str, order: str) -> None:
    """Where the wire takes them they stay; where not they are moved to the front, and a note says so."""
    history = [SystemMessage("one"), HumanMessage("a"), AIMessage("b"), SystemMessage("two"), HumanMessage("c")]

    messages, notes = sent(history, kind)

    assert "".join(type(each).__name__[0] for each in messages) == order
    assert bool(notes) == (order == "SSHAH")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "google_genai"])
@pytest.mark.parametrize("sees", [True, False])
def test_a_picture_that_was_made_goes_on_as_a_users_or_as_a_sentence(kind: str, sees: bool) -> None:
    """Whoever sees gets the picture from the user who follows; whoever does not gets a sentence, and a note tells."""
    answer = AIMessage([{"type": "text", "text": "Here."}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}], response_metadata={"model_provider": "google_genai"})

    messages, notes = sent([HumanMessage("draw"), answer, HumanMessage("and now?")], kind, sees=sees)

    last = json.dumps(messages[-1].content)
    assert (PNG in last) is sees
    assert bool(notes) is not sees
    assert "Here." in str([each.content for each in messages if isinstance(each, AIMessage)])


@pytest.mark.parametrize("kind", ["openai", "groq", "xai", "openrouter", "mistralai", "deepseek", "cohere", "ollama"])
def test_pictures_of_tools_follow_the_result(kind: str) -> None:
    """A result is text where the wire takes only that, and the picture comes from the user after it."""
    history = [HumanMessage("?"), AIMessage("", tool_calls=[call("abcdefgh1")]), ToolMessage([{"type": "text", "text": "seen"}, PICTURE], tool_call_id="abcdefgh1")]

    messages, notes = sent(history, kind)

    result = next(each for each in messages if isinstance(each, ToolMessage))
    assert result.content == "seen"
    assert PNG in json.dumps(messages[-1].content)
    assert notes


def test_a_failed_tool_says_so_where_the_wire_has_no_mark() -> None:
    """Claude and Amazon mark a failure; for the others the result begins with it."""
    history = [HumanMessage("?"), AIMessage("", tool_calls=[call("abcdefgh1")]), ToolMessage("no such city", tool_call_id="abcdefgh1", status="error")]

    assert sent(history, "openai")[0][-1].content == "Error: no such city"
    assert sent(history, "anthropic")[0][-1].content == "no such city"


def test_sealed_reasoning_goes_back_to_its_own_account_only(transport: LangChainTransport, wire: WireServer) -> None:
    """The account that sealed it gets it back; another key of the same provider gets the answer's text."""
    sealed = {"type": "thinking", "thinking": "hm", "signature": "sealed="}
    body = {
        "id": "m", "type": "message", "role": "assistant", "model": "fast", "stop_reason": "end_turn", "stop_sequence": None,
        "content": [sealed, {"type": "text", "text": "four"}], "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    wire.break_model("fast", Fault(body=json.dumps(body), times=1))
    mine = entry(wire, "anthropic")
    answer: Any = transport.fit(Payload(("2+2?",)), mine).complete().raw
    history = Payload((HumanMessage("2+2?"), answer, HumanMessage("sure?")))

    transport.fit(history, mine).complete()
    transport.fit(history, ModelDefinition(ModelRef("anthropic:other"), provider="anthropic", model="fast", base_url=wire.url, api_key="another")).complete()

    own, other = [json.dumps(seen.body["messages"]) for seen in wire.seen[1:]]
    assert "sealed=" in own
    assert "sealed=" not in other
    assert "four" in other


@pytest.mark.parametrize(("provider", "name"), [("deepseek", "deepseek-v4"), ("openai_compatible", "kimi-k2-thinking")])
def test_reasoning_content_is_sent_back(transport: LangChainTransport, wire: WireServer, provider: str, name: str) -> None:
    """DeepSeek and Kimi get the reasoning of their own calls back, and an empty one for the calls of others."""
    message = {"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}]}
    choice = {"index": 0, "finish_reason": "tool_calls", "message": message}
    wire.break_model(name, Fault(body=json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": name, "choices": [choice]}), times=1))
    model = entry(wire, provider, name)
    answer: Any = transport.fit(Payload(("?",), tools=(TOOL,)), model).complete().raw
    foreign = AIMessage("", tool_calls=[call("abc")], response_metadata={"model_provider": "anthropic"})

    for each, call_id in ((answer, "c1"), (foreign, "abc")):
        transport.fit(Payload((HumanMessage("?"), each, ToolMessage("ok", tool_call_id=call_id)), tools=(TOOL,)), model).complete()

    assert [seen.body["messages"][1]["reasoning_content"] for seen in wire.seen[1:]] == ["hm", ""]


@pytest.mark.parametrize("provider", ["google_genai", "ollama"])
def test_an_address_of_a_picture_is_never_fetched(transport: LangChainTransport, wire: WireServer, provider: str) -> None:
    """A client that would download it, or cannot send it, is not asked; nothing leaves this process."""
    picture = {"type": "image_url", "image_url": {"url": f"{wire.url}/picture.png"}}

    with pytest.raises(ModelCallError, match="address"):
        transport.fit(Payload((HumanMessage([{"type": "text", "text": "?"}, picture]),)), entry(wire, provider))

    assert wire.seen == []


def test_a_document_is_a_capability_and_is_never_dropped(transport: LangChainTransport, wire: WireServer) -> None:
    """A client that drops documents is not asked."""
    document = {"type": "file", "base64": "JVBERi0=", "mime_type": "application/pdf", "filename": "a.pdf"}

    with pytest.raises(ModelCallError, match="drops"):
        transport.fit(Payload((HumanMessage([{"type": "text", "text": "?"}, document]),)), entry(wire, "cohere"))

    assert ModelCapability("documents") is ModelCapability.DOCUMENTS


def test_claudes_thinking_is_off_after_anothers_tool_turn(transport: LangChainTransport, wire: WireServer) -> None:
    """The turn that another model began has no thinking of Claude's in front of its call, so this call goes without."""
    from langchain_anthropic import ChatAnthropic

    client = ChatAnthropic(model="claude-haiku-4-5", base_url=wire.url, api_key="k", thinking={"type": "enabled", "budget_tokens": 1024})
    model = ModelDefinition(ModelRef("mine:m"), provider="mine", model="m", instance=client)
    history = (HumanMessage("?"), AIMessage("", tool_calls=[call("a")], response_metadata={"model_provider": "openai"}), ToolMessage("ok", tool_call_id="a"))

    fitted = transport.fit(Payload(history, tools=(TOOL,)), model)
    fitted.complete()
    transport.fit(Payload(("hello",)), model).complete()

    first, second = [seen.body.get("thinking") for seen in wire.seen]
    assert (first, second) == (None, {"type": "enabled", "budget_tokens": 1024})
    assert any("thinking" in note for note in fitted.notes)


def test_strict_tools_and_a_response_format_go_out_together(transport: LangChainTransport, wire: WireServer) -> None:
    """OpenAI's client would refuse tools that are not strict beside a response format; ``strict`` arrives where it is wanted."""
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"], "additionalProperties": False}}}
    model = ModelDefinition(ModelRef("mine:m"), provider="mine", model="m", instance=ChatOpenAI(model="fast", base_url=wire.openai_url, api_key="k"))

    transport.fit(Payload(("?",), tools=(TOOL,), response_format=wanted), model).complete()
    list(transport.fit(Payload(("?",), tools=(TOOL,), response_format=wanted), model).stream())
    transport.fit(Payload(("?",), tools=(TOOL,), parameters={"strict": True}), model).complete()

    first, second, third = [seen.body for seen in wire.seen]
    assert first["response_format"] == second["response_format"] == wanted
    assert first["tools"][0]["function"]["name"] == "find"
    assert third["tools"][0]["function"]["strict"] is True


def test_tools_reach_cohere(transport: LangChainTransport, wire: WireServer) -> None:
    """Tools in OpenAI's format go out as Cohere's API takes them, a chosen one alone."""
    transport.fit(Payload(("?",), tools=(TOOL,), tool_choice="find"), entry(wire, "cohere")).complete()

    assert (wire.seen[0].body["tools"], wire.seen[0].body["tool_choice"]) == ([TOOL], "REQUIRED")
