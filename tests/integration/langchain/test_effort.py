"""The reasoning effort of a candidate, as it arrives on the wire of each client."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from crew_router import ModelDefinition, ModelRef, Router, RoutingRequest
from crew_router.errors import NoCandidateError, RegistryError
from crew_router.types import EffortLevel
from crew_router.types.transport import Payload
from crew_router_langchain import ChatCrewRouter, LangChainTransport

if TYPE_CHECKING:
    from wire_server import WireServer

EFFORTS = tuple(map(EffortLevel, ("none", "low", "medium", "high")))
TOOL = {"type": "function", "function": {"name": "add", "description": "Add.", "parameters": {"type": "object", "properties": {}}}}
FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "person", "schema": {"type": "object", "properties": {"name": {"type": "string"}}}},
}
BEDROCK = {"region_name": "eu-central-1", "aws_access_key_id": "id", "aws_secret_access_key": "secret"}
NO_KEY = {"bedrock_converse"}  # its client would take one for a bearer token
CLIENTS = [  # provider, model, path behind the address, kwargs, effort, where it arrives, what arrives
    ("openai", "gpt-5-mini", "/v1", {}, "low", ("reasoning", "effort"), "low"),
    ("openai", "gpt-5-mini", "/v1", {}, "none", ("reasoning", "effort"), "none"),
    ("vllm", "served", "/v1", {}, "high", ("reasoning_effort",), "high"),
    ("anthropic", "claude-opus-5-5", "", {}, "low", ("output_config", "effort"), "low"),
    ("anthropic", "claude-haiku-5-5", "", {}, "none", ("thinking", "type"), "disabled"),
    ("xai", "grok-4.7", "/v1", {}, "low", ("reasoning_effort",), "low"),
    ("deepseek", "deepseek-v4-pro", "/v1", {}, "high", ("reasoning_effort",), "high"),
    ("deepseek", "deepseek-v4-pro", "/v1", {}, "none", ("thinking", "type"), "disabled"),
    ("mistralai", "mistral-small-2603", "/mistral/v1", {}, "high", ("reasoning_effort",), "high"),
    ("openrouter", "openai/gpt-oss-120b", "/api/v1", {}, "low", ("reasoning", "effort"), "low"),
    (
        "bedrock_converse",
        "eu.amazon.nova-2-lite-v1:0",
        "",
        BEDROCK,
        "low",
        ("additionalModelRequestFields", "reasoningConfig", "maxReasoningEffort"),
        "low",
    ),
]
NAMES = [f"{provider}-{effort}" for provider, _, _, _, effort, _, _ in CLIENTS]


def entry(wire: WireServer, provider: str, model: str, path: str, kwargs: dict[str, Any]) -> ModelDefinition:
    """Return a model of the fake provider with four efforts."""
    return ModelDefinition(
        ModelRef(f"{provider}:{model}"),
        provider=provider,
        model=model,
        base_url=f"{wire.url}{path}",
        api_key=None if provider in NO_KEY else "k",
        kwargs=kwargs,
        efforts=EFFORTS,
    )


def arrived(body: dict[str, Any], path: tuple[str, ...]) -> object:
    """Return what stands at a place of a request."""
    found: Any = body
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


@pytest.mark.parametrize("way", ["plain", "streamed", "tools", "structured"])
@pytest.mark.parametrize(("provider", "model", "path", "kwargs", "effort", "place", "value"), CLIENTS, ids=NAMES)
def test_effort_arrives_in_the_words_of_each_client(  # noqa: PLR0917 - a table of cases
    wire: WireServer,
    provider: str,
    model: str,
    path: str,
    kwargs: dict[str, Any],
    effort: str,
    place: tuple[str, ...],
    value: str,
    way: str,
) -> None:
    """Plain, streamed, with tools and with structured output, the effort is where its provider reads it."""
    definition = entry(wire, provider, model, path, kwargs)
    candidate = replace(definition, ref=definition.ref.at_effort(effort))
    payload = Payload(("hello",), tools=(TOOL,) if way == "tools" else (), response_format=FORMAT if way == "structured" else None)
    transport = LangChainTransport()

    call = transport.fit(payload, candidate)
    list(call.stream()) if way == "streamed" else call.complete()
    transport.close()

    assert arrived(wire.seen[-1].body, place) == value
    assert way != "tools" or "tools" in json.dumps(wire.seen[-1].body)


def test_gemini_gets_a_level_and_without_thinking_no_budget() -> None:
    """Google's client sends the level in capitals; none is a budget of nothing."""
    with google() as (url, bodies):
        made = ModelDefinition(
            ModelRef("google_genai:gemini-4-argon"),
            provider="google_genai",
            model="gemini-4-argon",
            base_url=url,
            api_key="k",
            efforts=EFFORTS,
        )
        transport = LangChainTransport()
        for effort in ("low", "none"):
            transport.fit(Payload(("hello",), tools=(TOOL,)), replace(made, ref=made.ref.at_effort(effort))).complete()
        transport.close()

    low, none = (body["generationConfig"]["thinkingConfig"] for body in bodies)
    assert str(low.get("thinkingLevel", low.get("thinking_level"))).lower() == "low"
    assert none.get("thinkingBudget", none.get("thinking_budget")) == 0


def test_a_client_given_in_code_keeps_its_own_spelling(wire: WireServer) -> None:
    """A client whose constructor sets ``reasoning`` refuses the other name, so the effort goes into that one."""
    client = ChatOpenAI(model="gpt-6-luna", base_url=wire.openai_url, api_key="k", use_responses_api=True, reasoning={"summary": "auto"})
    model = ModelDefinition(ModelRef("lab:a#low"), provider="lab", model="gpt-6-luna", instance=client, efforts=EFFORTS)

    LangChainTransport().fit(Payload(("hello",)), model).complete()

    assert wire.seen[-1].body["reasoning"] == {"summary": "auto", "effort": "low"}


def test_callers_temperature_is_left_out_where_thinking_refuses_it(wire: WireServer) -> None:
    """OpenAI refuses a temperature beside an effort; it is left out and noted, and kept without thinking."""
    made = entry(wire, "openai", "gpt-6-luna", "/v1", {})
    transport = LangChainTransport()
    for effort in ("low", "none"):
        transport.fit(Payload(("hello",), parameters={"temperature": 0.1}), replace(made, ref=made.ref.at_effort(effort))).complete()
    transport.close()

    assert ["temperature" in seen.body for seen in wire.seen] == [False, True]


@pytest.fixture
def router(wire: WireServer) -> Iterator[Router]:
    """A router over one model with efforts."""
    config = {
        "registry": "none",
        "models": {
            "lab:a": {
                "provider": "openai",
                "model": "fast",
                "base_url": wire.openai_url,
                "api_key": "k",
                "price": {"input": 1, "output": 4},
                "max_output_tokens": 20_000,
                "capabilities": ["tools", "json", "streaming"],
                "default_effort": "medium",
                "efforts": {
                    name: {"ability": {"value": value, "error": 0.1}} for name, value in (("low", 0.5), ("medium", 1.2), ("high", 1.3))
                },
            }
        },
    }
    with Router(config, ledger_url="sqlite://") as made:
        yield made


def test_decision_carries_the_effort_to_the_wire_and_into_the_record(wire: WireServer, router: Router) -> None:
    """What is chosen, called and recorded is the same candidate; the breaker and the model are without its effort."""
    response = router.invoke("hello", request=RoutingRequest(effort="high"))

    assert (response.decision.selected_model, response.decision.effort) == ("lab:a", "high")
    assert wire.seen[-1].body["reasoning_effort"] == "high"
    assert [attempt.model for attempt in response.attempts] == ["lab:a#high"]
    assert router.explain(response.decision.id).effort == "high"
    assert router.performance("lab:a#high", response.decision.profile.task_type.value).samples > 0


def test_forced_model_names_its_effort(wire: WireServer, router: Router) -> None:
    """``provider:model#effort`` is called at that effort; one that is not offered is refused."""
    router.invoke("hello", request=RoutingRequest(force_model="lab:a#low"))
    router.invoke("hello", request=RoutingRequest(force_model="a#medium"))

    assert [seen.body["reasoning_effort"] for seen in wire.seen] == ["low", "medium"]
    with pytest.raises(Exception, match="lab:a"):
        router.invoke("hello", request=RoutingRequest(force_model="lab:a#max"))
    with pytest.raises(NoCandidateError, match="lab:a offers low, medium, high"):
        router.invoke("hello", request=RoutingRequest(effort="minimal"))


def test_limit_of_the_answer_holds_the_thinking_before_it(wire: WireServer, router: Router) -> None:
    """What a caller allows for the answer is not eaten up by thinking: more is sent at an effort that thinks more."""
    for effort in ("low", "high"):
        payload = Payload(("hello",), parameters={"max_tokens": 500})
        router.invoke(payload, request=RoutingRequest(effort=effort))

    low, high = (seen.body.get("max_completion_tokens", seen.body.get("max_tokens")) for seen in wire.seen)
    assert 500 < low < high


def test_callers_own_reasoning_effort_fixes_the_candidate(wire: WireServer, router: Router) -> None:
    """A parameter of the call is the effort, and is sent once."""
    response = router.invoke(Payload(("hello",), parameters={"reasoning_effort": "low"}))

    assert response.decision.effort == "low"
    assert wire.seen[-1].body["reasoning_effort"] == "low"


def test_effort_survives_an_agent_with_tools(wire: WireServer, router: Router) -> None:
    """Inside ``create_agent`` the effort arrives beside the tools."""

    @tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    agent = create_agent(ChatCrewRouter(router=router, routing={"effort": "high"}), tools=[add])
    agent.invoke({"messages": [("user", "hello")]})

    assert wire.seen[0].body["tools"]
    assert wire.seen[0].body["reasoning_effort"] == "high"


def test_effort_in_kwargs_that_the_model_does_not_offer_is_refused_at_once() -> None:
    """A registry entry whose settings name another effort says so when it is read."""
    entry = {"efforts": {"low": {}, "high": {}}, "kwargs": {"reasoning_effort": "max"}}

    with pytest.raises(RegistryError, match="'max' is not offered by lab:a"):
        Router({"registry": "none", "models": {"lab:a": entry}}, ledger_url="sqlite://")


class google:  # noqa: N801 - used as a function
    """A server that answers as Google does and keeps what it was asked."""

    def __enter__(self) -> tuple[str, list[dict[str, Any]]]:
        """Start it."""
        bodies: list[dict[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Stay silent."""

            def do_POST(self) -> None:
                bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                candidate = {"content": {"role": "model", "parts": [{"text": "hi"}]}, "finishReason": "STOP"}
                usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
                data = json.dumps({"candidates": [candidate], "usageMetadata": usage}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}", bodies

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.server.shutdown()
        self.server.server_close()
