"""Entries of providers built from YAML by ``init_chat_model`` and called on loopback, where their wire format allows."""

from __future__ import annotations

import functools
import operator
from pathlib import Path

import pytest
from langchain_aws import ChatBedrockConverse
from langchain_core.tools import tool
from langchain_ollama import ChatOllama
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from langchain_openrouter import ChatOpenRouter
from wire_server import Fault, WireServer

from crew_router import CrewRouterError, Router
from crew_router.types import ErrorKind
from crew_router.types.transport import Payload
from crew_router_langchain import ChatCrewRouter, LangChainTransport
from crew_router_langchain.fitting import fitted

PROFILE = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abc"
YAML = """
registry: none
ledger: {url: "sqlite://"}
models:
  "bedrock:profile":
    provider: bedrock_converse
    model: "PROFILE"
    base_url: "URL"
    kwargs:
      provider: anthropic
      base_model: anthropic.claude-sonnet-4-20250514-v1:0
      region_name: eu-central-1
      aws_access_key_id: id
      aws_secret_access_key: secret
  "azure:deployed":
    provider: azure_openai
    model: deployed
    base_url: "URL"
    api_key: k
    kwargs: {azure_deployment: deployed, api_version: "2024-10-21"}
  "openrouter:vendor/model": {provider: openrouter, model: vendor/model, base_url: "URL/api/v1", api_key: k}
  "vllm:served": {provider: vllm, model: served, base_url: "URL/v1"}
  "mii:served": {provider: mii, model: served, base_url: "URL/v1"}
  "ollama:llama3": {provider: ollama, model: llama3, base_url: "URL/v1"}
"""
ENTRIES = [
    ("bedrock:profile", ChatBedrockConverse, PROFILE),
    ("azure:deployed", AzureChatOpenAI, "deployed"),
    ("openrouter:vendor/model", ChatOpenRouter, "vendor/model"),
    ("vllm:served", ChatOpenAI, "served"),
    ("mii:served", ChatOpenAI, "served"),
    ("ollama:llama3", ChatOpenAI, "llama3"),
]


@pytest.fixture
def router(wire: WireServer, tmp_path: Path) -> Router:
    """A router whose models stand in a YAML file."""
    file = tmp_path / "crew_router.yaml"
    file.write_text(YAML.replace("URL", wire.url).replace("PROFILE", PROFILE), encoding="utf-8")
    return Router(file)


@pytest.mark.parametrize(("ref", "kind", "sent"), ENTRIES)
async def test_each_entry_is_built_and_answers(wire: WireServer, router: Router, ref: str, kind: type, sent: str) -> None:
    """The entry becomes its provider's class, blocking and awaited calls arrive with the right model, and usage comes back."""
    definition = next(model for model in router.models if model.ref == ref)
    transport = LangChainTransport()

    client = transport.chat_model(definition)
    answers = [ChatCrewRouter(router=router, model=ref).invoke("hello"), await ChatCrewRouter(router=router, model=ref).ainvoke("hello")]
    await transport.aclose()
    router.close()

    assert type(client) is kind
    assert [seen.model for seen in wire.seen] == [sent, sent]
    for answer in answers:
        assert answer.text.startswith("Hello from")
        assert answer.usage_metadata is not None


@pytest.mark.parametrize("ref", [ref for ref, _, _ in ENTRIES])
def test_no_entry_retries_by_itself(wire: WireServer, router: Router, ref: str) -> None:
    """A failing provider is called once, whichever SDK is behind it, and its error is told apart."""
    sent = next(sent for name, _, sent in ENTRIES if name == ref)
    wire.break_model(sent, Fault(status=503, code="ServiceUnavailableException"))
    definition = next(model for model in router.models if model.ref == ref)
    transport = LangChainTransport()

    with pytest.raises(Exception, match=r".") as raised:
        transport.fit(Payload(("hello",)), definition).complete()
    transport.close()
    router.close()

    assert transport.classify(raised.value).kind is ErrorKind.OVERLOAD
    assert len(wire.seen) == 1


def test_a_local_server_never_gets_the_real_key(wire: WireServer, router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's OPENAI_API_KEY stays at home when a server of one's own is called."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real")

    ChatCrewRouter(router=router, model="vllm:served").invoke("hello")
    router.close()

    assert "sk-real" not in wire.seen[0].headers["authorization"]


def test_streams_of_a_server_of_ones_own_report_usage(router: Router) -> None:
    """``stream_usage`` is on although the address is one's own."""
    chunks = list(ChatCrewRouter(router=router, model="vllm:served").stream("hello"))
    router.close()

    assert sum(chunk.usage_metadata["output_tokens"] for chunk in chunks if chunk.usage_metadata) > 0


async def test_bedrock_streams_in_its_binary_events(router: Router) -> None:
    """Chunks, usage and the finish reason are read out of Amazon's event streams, blocking and awaited."""
    chat = ChatCrewRouter(router=router, model="bedrock:profile")

    for chunks in (list(chat.stream("hello")), [chunk async for chunk in chat.astream("hello")]):
        answer = functools.reduce(operator.add, chunks)
        assert answer.text.startswith("Hello from")
        assert sum(bool(chunk.text) for chunk in chunks) > 1
        assert answer.usage_metadata is not None
        assert answer.response_metadata["crew_router"]["attempts"][0]["error"] is None
    router.close()


def test_a_bedrock_stream_that_is_cut_is_no_answer(wire: WireServer, router: Router) -> None:
    """A stream whose connection ends before ``messageStop`` is a failed call, not a short answer."""
    wire.break_model(PROFILE, Fault(cut_after=3))

    with pytest.raises(CrewRouterError) as raised:
        list(ChatCrewRouter(router=router, model="bedrock:profile", routing={"fallbacks": False}, max_retries=0).stream("hello"))
    router.close()

    assert {attempt.error for attempt in raised.value.attempts} <= {ErrorKind.CONNECTION, ErrorKind.TRUNCATED}  # by version of the client


@tool
def noop() -> str:
    """Do nothing."""
    return ""


def test_what_a_provider_cannot_carry_is_said(router: Router) -> None:
    """Ollama's own client drops a tool choice; the note says so instead of silence."""
    from langchain_core.utils.function_calling import convert_to_openai_tool  # only here

    payload = Payload(("hi",), tools=(convert_to_openai_tool(noop),), tool_choice="any", parameters={"strict": True, "max_tokens": 9})

    request = fitted(ChatOllama(model="llama3"), payload, ref=router.models[-1].ref)

    assert any("ignores tool_choice" in note for note in request.notes)
    assert any("strict" in note for note in request.notes)
    assert request.client.num_predict == 9  # type: ignore[attr-defined]  # ChatOllama's own field
