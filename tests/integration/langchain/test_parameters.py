# ruff: noqa: E501, PLR0917 - rows of data and sentences as providers write them stay on a line
"""Parameters that only some providers or models know: renamed, left out with a note, or asked again without, and never held against a model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from langchain_pools import pool
from wire_errors import anthropic, google, openai
from wire_server import Fault, WireServer

from crew_router import Router
from crew_router.types import ModelDefinition, ModelRef
from crew_router.types.transport import Payload
from crew_router_langchain import ChatCrewRouter
from crew_router_langchain.transport import LangChainTransport

TOOL = {"type": "function", "function": {"name": "f", "description": "x", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}}


def entry(wire: WireServer, provider: str, name: str = "fast", **kwargs: Any) -> ModelDefinition:
    """Return a registry entry of a provider whose server is the fake one."""
    url = {"anthropic": wire.url, "mistralai": wire.mistral_url, "google_genai": wire.url, "cohere": wire.url, "ollama": wire.url}.get(provider, wire.openai_url)
    return ModelDefinition(ModelRef(f"{provider}:{name}"), provider=provider, model=name, base_url=url, api_key="k", kwargs=kwargs)


REFUSED = [
    ("openai", {"temperature": 0.2}, "temperature", openai("Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.", "unsupported_value", param="temperature")),
    ("openai", {"service_tier": "flex"}, "service_tier", openai("Unrecognized request argument supplied: service_tier")),
    ("openai", {"seed": 7}, "seed", openai("Unknown parameter: 'seed'.", "unknown_parameter", param="seed")),
    ("openai", {"presence_penalty": 0.5}, "presence_penalty", {"code": "Client specified an invalid argument", "error": "Model fast does not support parameter presencePenalty."}),
    ("openai", {"logprobs": True}, "logprobs", openai("logprobs are not supported with this model.")),
    ("openai", {"user": "u"}, "user", {"detail": [{"type": "extra_forbidden", "loc": ["body", "user"], "msg": "Extra inputs are not permitted", "input": "u"}]}),
    ("openai", {"frequency_penalty": 1.0}, "frequency_penalty", openai("property 'frequency_penalty' is unsupported")),
    ("anthropic", {"top_k": 5}, "top_k", anthropic("`top_k` is deprecated for this model.")),
    ("google_genai", {"frequency_penalty": 1.0}, "frequencyPenalty", google(400, "INVALID_ARGUMENT", "Penalty is not enabled for this model: frequencyPenalty is not supported")),
    ("mistralai", {"seed": 7}, "random_seed", {"object": "error", "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "random_seed"], "msg": "Extra inputs are not permitted"}]}, "type": "invalid_request_error"}),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "parameters", "wired", "body"), REFUSED, ids=[f"{row[0]}-{row[2]}" for row in REFUSED])
@pytest.mark.parametrize("way", ["complete", "stream"])
def test_a_parameter_that_a_model_refuses_is_left_out_and_remembered(
    transport: LangChainTransport, wire: WireServer, provider: str, parameters: dict[str, Any], wired: str, body: object, way: str
) -> None:
    """The same model is asked once more without it, says so in a note, and is not sent it again."""
    wire.break_model("fast", Fault(status=400, body=json.dumps(body), times=1))
    payload, model = Payload(("hello",), parameters=parameters), entry(wire, provider)

    def ask() -> str:
        call = transport.fit(payload, model)
        return call.complete().text if way == "complete" else "".join(piece.text for piece in call.stream())

    first, second = ask(), ask()

    assert first == second == "Hello from fast, and you asked: hello"
    sent = [f'"{wired}":' in json.dumps(seen.body) for seen in wire.seen]
    assert sent == [True, False, False]
    assert any(name in str(transport.fit(payload, model).notes) for name in parameters)


def test_two_parameters_refused_one_after_the_other(transport: LangChainTransport, wire: WireServer) -> None:
    """Each refusal leaves one parameter out, as long as the provider names another one."""

    def refuses(name: str) -> Fault:
        return Fault(status=400, body=json.dumps(openai(f"Unsupported parameter: '{name}' is not supported with this model.", "unsupported_parameter", param=name)), times=1)

    wire.break_model("fast", refuses("temperature"))
    call = transport.fit(Payload(("hello",), parameters={"temperature": 0.1, "top_p": 0.5}), entry(wire, "openai"))

    reply = call.complete()

    assert reply.text.startswith("Hello")
    assert [("temperature" in seen.body, "top_p" in seen.body) for seen in wire.seen] == [(True, True), (False, True)]


def test_stop_words_that_a_model_refuses_are_kept_on_our_side(transport: LangChainTransport, wire: WireServer) -> None:
    """Without the parameter the answer still ends before the first stop word, in every way to ask."""
    refused = openai("Unsupported parameter: 'stop' is not supported with this model.", "unsupported_parameter", param="stop")
    wire.break_model("fast", Fault(status=400, body=json.dumps(refused), times=1))
    payload, model = Payload(("hello",), stop=(", and",)), entry(wire, "openai")

    whole = transport.fit(payload, model).complete()
    pieces = tuple(transport.fit(payload, model).stream())

    assert whole.text == "".join(piece.text for piece in pieces) == transport.join(pieces).text == "Hello from fast"
    assert whole.finish_reason == transport.join(pieces).finish_reason == "stop"
    assert ["stop" in seen.body for seen in wire.seen] == [True, False, False]


def test_tools_that_a_model_refuses_go_to_the_next(wire: WireServer) -> None:
    """Leaving tools out would change what is asked, so another model is."""
    wire.break_model("fast", Fault(status=400, body=json.dumps(openai("fast does not support tools"))))
    with Router(pool(wire, "fast", "smart")) as router:
        answer = ChatCrewRouter(router=router).bind_tools([TOOL]).invoke("hello")

    assert answer.tool_calls
    assert wire.models_called() == ["fast", "smart"]


@pytest.mark.parametrize(("provider", "given", "wired"), [
    ("anthropic", {"seed": 1, "frequency_penalty": 0.5, "user": "u"}, {"seed": None, "frequency_penalty": None, "metadata": {"user_id": "u"}}),
    ("anthropic", {"temperature": 1.6}, {"temperature": 1.0}),
    ("openai", {"thinking": {"type": "enabled", "budget_tokens": 2000}, "cache_control": {"type": "ephemeral"}}, {"thinking": None, "cache_control": None}),
    ("openai", {"top_k": 4}, {"top_k": 4}),
    ("mistralai", {"seed": 3, "top_k": 4}, {"random_seed": 3, "seed": None, "top_k": None}),
    ("cohere", {"top_p": 0.5, "top_k": 4}, {"p": 0.5, "k": 4, "top_p": None}),
    ("xai", {"top_k": 4}, {"top_k": None}),
    ("deepseek", {"top_k": 4}, {"top_k": None}),
])  # fmt: skip
def test_what_a_provider_does_not_know_is_mapped_or_left_out(
    transport: LangChainTransport, wire: WireServer, provider: str, given: dict[str, Any], wired: dict[str, Any]
) -> None:
    """One call arrives, with an equivalent where there is one; what is left out stands in the notes."""
    call = transport.fit(Payload(("hello",), parameters=given), entry(wire, provider))

    reply = call.complete()

    assert reply.text.startswith("Hello")
    assert {name: wire.seen[0].body.get(name) for name in wired} == wired
    left_out = [name for name in given if wired.get(name, "") is None and name not in {"user", "seed", "top_p"}]
    assert all(name in str(call.notes) for name in left_out)


def test_parameters_of_one_caller_close_no_model_for_others(wire: WireServer) -> None:
    """Ten calls with a parameter that nobody's client knows leave the model as healthy as before."""
    config = pool(wire, "fast")
    del config["breaker"]
    with Router(config) as router:
        chat = ChatCrewRouter(router=router)
        for _ in range(10):
            chat.invoke("hello", thinking={"type": "enabled"}, no_such_parameter=3)
        answer = chat.invoke("hello")
        state = router.check_health()["models"]["lab:fast"]

    assert isinstance(answer, AIMessage)
    assert state == "ready"


MODELS = [
    (lambda wire: ChatAnthropic(model="claude-opus-4-8", base_url=wire.url, api_key="k", temperature=0.3), {}, {"temperature": None}),
    (lambda wire: ChatAnthropic(model="claude-haiku-4-5", base_url=wire.url, api_key="k"), {"temperature": 0.3, "top_p": 0.9}, {"temperature": 0.3, "top_p": None}),
    (lambda wire: ChatAnthropic(model="claude-haiku-4-5", base_url=wire.url, api_key="k", thinking={"type": "enabled", "budget_tokens": 1024}), {"temperature": 0.3}, {"temperature": None}),
    (lambda wire: ChatOpenAI(model="o4-mini", base_url=wire.openai_url, api_key="k", temperature=0.3), {"presence_penalty": 1.0}, {"temperature": None, "presence_penalty": None}),
    (lambda wire: ChatOpenAI(model="gpt-6.1-sol", base_url=wire.openai_url, api_key="k"), {"temperature": 0.3, "top_p": 0.5}, {"temperature": None, "top_p": None}),
    (lambda wire: ChatOpenAI(model="gpt-4.1", base_url=wire.openai_url, api_key="k"), {"temperature": 0.3}, {"temperature": 0.3}),
]  # fmt: skip


@pytest.mark.parametrize(("client", "given", "wired"), MODELS)
def test_documented_refusals_are_obeyed_before_the_first_call(
    transport: LangChainTransport, wire: WireServer, client: Any, given: dict[str, Any], wired: dict[str, Any]
) -> None:
    """A profile or a provider's rule that says so is followed: one call, without the parameter."""
    made = client(wire)
    model = ModelDefinition(ModelRef("mine:m"), provider="mine", model="m", instance=made)

    transport.fit(Payload(("hello",), parameters=given), model).complete()

    (seen,) = wire.seen
    assert {name: seen.body.get(name) for name in wired} == wired


def test_openais_reasoning_models_speak_the_responses_api(transport: LangChainTransport, wire: WireServer) -> None:
    """Only there do they take tools together with reasoning; stop words, which it drops, are kept on our side."""
    payload = Payload(("hello",), stop=(", and",), tools=(TOOL,))

    pieces = tuple(transport.fit(payload, entry(wire, "openai", "gpt-6.1-sol")).stream())
    whole = transport.fit(payload, entry(wire, "openai", "gpt-6.1-sol")).complete()

    assert {seen.path for seen in wire.seen} == {"/v1/responses"}
    assert "".join(piece.text for piece in pieces) == whole.text == "Hello from gpt-6.1-sol"


def test_a_gateway_without_the_responses_api_is_asked_over_chat_completions(transport: LangChainTransport, wire: WireServer) -> None:
    """An address that knows only chat completions is found out by one call, and remembered."""
    wire.break_model("gpt-6.1-sol", Fault(status=404, body='{"detail": "Not Found"}', times=1))
    payload, model = Payload(("hello",)), entry(wire, "openai", "gpt-6.1-sol")

    texts = [transport.fit(payload, model).complete().text for _ in range(2)]

    assert texts[0] == texts[1] == "Hello from gpt-6.1-sol, and you asked: hello"
    assert [seen.path for seen in wire.seen] == ["/v1/responses", "/v1/chat/completions", "/v1/chat/completions"]


def test_thinking_is_turned_down_where_a_forced_tool_is_refused_beside_it(transport: LangChainTransport, wire: WireServer) -> None:
    """Claude up to Opus 4.7 and DeepSeek get the forced tool without thinking; Claude that always thinks decides by itself."""
    claude = ChatAnthropic(model="claude-haiku-4-5", base_url=wire.url, api_key="k", thinking={"type": "enabled", "budget_tokens": 1024})
    always = ChatAnthropic(model="claude-opus-5-5", base_url=wire.url, api_key="k")
    payload = Payload(("hello",), tools=(TOOL,), tool_choice="any")

    for client in (claude, always):
        transport.fit(payload, ModelDefinition(ModelRef("mine:m"), provider="mine", model="m", instance=client)).complete()
    transport.fit(payload, entry(wire, "deepseek", "deepseek-v4")).complete()

    first, second, third = [seen.body for seen in wire.seen]
    assert (first["tool_choice"], first.get("thinking")) == ({"type": "any"}, None)
    assert second.get("tool_choice", {"type": "auto"})["type"] == "auto"
    assert (third["tool_choice"], third["thinking"]) == ("required", {"type": "disabled"})
    assert claude.thinking is not None


def test_a_bound_reaches_servers_that_read_only_max_tokens(transport: LangChainTransport, wire: WireServer) -> None:
    """LM Studio, Ollama and others read ``max_tokens``; the tightest of all bounds is sent."""
    mine = ChatOpenAI(model="fast", base_url=wire.openai_url, api_key="k", max_tokens=40)
    model = ModelDefinition(ModelRef("mine:m"), provider="mine", model="m", instance=mine)

    transport.fit(Payload(("hello",), parameters={"max_tokens": 50}), entry(wire, "lmstudio"), max_tokens=20).complete()
    transport.fit(Payload(("hello",), parameters={"max_tokens": 50}), model).complete()

    transport.fit(Payload(("hello",)), model, max_tokens=90).complete()

    assert [seen.body.get("max_tokens") for seen in wire.seen] == [20, 50, 40]


def test_a_bound_that_is_too_high_is_lowered_to_what_the_model_takes(transport: LangChainTransport, wire: WireServer) -> None:
    """A refusal that names the most output tokens is answered with that many, now and afterwards."""
    told = anthropic("max_tokens: 200000 > 64000, which is the maximum allowed number of output tokens for fast")
    wire.break_model("fast", Fault(status=400, body=json.dumps(told), times=1))
    payload, model = Payload(("hello",), parameters={"max_tokens": 200_000}), entry(wire, "anthropic")

    for _ in range(2):
        transport.fit(payload, model).complete()

    assert [seen.body["max_tokens"] for seen in wire.seen] == [200_000, 64_000, 64_000]
