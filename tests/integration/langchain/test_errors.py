"""What LangChain users get when a request cannot be served: our errors, as members of LangChain's own family."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core import exceptions as core
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_pools import pool
from wire_server import Fault, WireServer

from crew_router import AllModelsFailedError, InvalidRequestError, ModelCallError, NoCandidateError, Router
from crew_router_langchain import ChatCrewRouter


@pytest.fixture
def chat(wire: WireServer) -> Iterator[ChatCrewRouter]:
    """A chat model over two models."""
    with Router(pool(wire, "fast", "smart")) as router:
        yield ChatCrewRouter(router=router)


def over(wire: WireServer, **more: Any) -> Router:
    """Return a router over one model with some fields changed."""
    config = pool(wire, "fast")
    config["models"]["lab:fast"] |= more
    return Router(config)


@tool
def noop() -> str:
    """Do nothing."""
    return ""


def test_no_model_is_available(wire: WireServer) -> None:
    """A pool without a usable model names each with what removed it."""
    with over(wire, enabled=False) as router, pytest.raises(NoCandidateError, match="switched off") as raised:
        ChatCrewRouter(router=router).invoke("hello")

    assert isinstance(raised.value, core.ModelInvalidRequestError)
    assert list(raised.value.rejected) == ["lab:fast"]


def test_tools_that_no_candidate_supports(wire: WireServer) -> None:
    """Tools for a pool that cannot call them are refused before anything is sent."""
    with over(wire, capabilities=["streaming"]) as router, pytest.raises(NoCandidateError, match="tools") as raised:
        ChatCrewRouter(router=router).bind_tools([noop]).invoke("hello")

    assert isinstance(raised.value, core.ModelError)
    assert wire.seen == []


def test_images_for_a_pool_that_reads_text_only(chat: ChatCrewRouter, wire: WireServer) -> None:
    """A picture for models without vision is refused before anything is sent."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}

    with pytest.raises(NoCandidateError, match="vision") as raised:
        chat.invoke([HumanMessage([{"type": "text", "text": "what is this?"}, picture])])

    assert isinstance(raised.value, core.ModelInvalidRequestError)
    assert wire.seen == []


@pytest.mark.parametrize("nothing", ["", []])
async def test_an_empty_request(chat: ChatCrewRouter, nothing: object) -> None:
    """No message at all is an error of the request, in every way to call."""
    for call in (lambda: chat.invoke(nothing), lambda: list(chat.stream(nothing))):  # type: ignore[arg-type]  # bad input on purpose
        with pytest.raises(InvalidRequestError) as raised:
            call()
        assert isinstance(raised.value, core.ModelInvalidRequestError)
        assert isinstance(raised.value, ValueError)
    with pytest.raises(InvalidRequestError):
        await chat.ainvoke(nothing)  # type: ignore[arg-type]  # as above


def test_an_unknown_model(chat: ChatCrewRouter) -> None:
    """A model that the pool does not hold is not found, as LangChain says it."""
    with pytest.raises(LookupError, match="fast") as raised:
        chat.invoke("hello", model="fsat")

    assert isinstance(raised.value, core.ModelNotFoundError)


def test_a_full_context_of_all_models_is_recognised(chat: ChatCrewRouter, wire: WireServer) -> None:
    """Middlewares that summarise when the context is full see that it is."""
    full = Fault(status=400, code="context_length_exceeded", message="maximum context length is 10 tokens")
    wire.break_model("fast", full)
    wire.break_model("smart", full)

    with pytest.raises(core.ContextOverflowError) as raised:
        chat.invoke("hello")

    assert isinstance(raised.value, AllModelsFailedError)
    assert len(raised.value.exceptions) == 2


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(Fault(status=401), core.ModelAuthenticationError), (Fault(status=404, code="model_not_found"), core.ModelNotFoundError)],
)
async def test_what_every_model_reports_is_told(chat: ChatCrewRouter, wire: WireServer, fault: Fault, kind: type[Exception]) -> None:
    """When all models failed alike, the failure is of that kind; its text names the status and sounds like no throttle."""
    for name in ("fast", "smart"):
        wire.break_model(name, fault)

    with pytest.raises(kind) as raised:
        await chat.ainvoke("hello")

    assert isinstance(raised.value, AllModelsFailedError)
    assert f"status {fault.status}" in str(raised.value)
    assert not any(word in str(raised.value).lower() for word in ("429", "rate limit", "too many requests"))


def test_a_mistake_of_the_caller_is_raised_at_once(chat: ChatCrewRouter, wire: WireServer) -> None:
    """A parameter that the provider refuses is nobody's outage: one call, and the provider's words."""
    wire.break_model("fast", Fault(status=400, code="invalid_value", message="temperature must be at most 2"))

    with pytest.raises(core.ModelInvalidRequestError, match="temperature") as raised:
        chat.invoke("hello", temperature=9)

    assert isinstance(raised.value, ModelCallError)
    assert wire.models_called() == ["fast"]


def test_a_stream_that_breaks_after_its_first_words_carries_them(wire: WireServer) -> None:
    """The error of a broken stream holds what was shown, and no second answer is glued to it."""
    wire.break_model("fast", Fault(cut_after=4))
    shown: list[str] = []

    with Router({**pool(wire, "fast", "smart"), "stream": {"policy": "raise"}}) as router, pytest.raises(ModelCallError) as raised:
        shown.extend(str(chunk.text) for chunk in ChatCrewRouter(router=router).stream("hello"))

    assert raised.value.partial
    assert "smart" not in raised.value.partial
    assert wire.models_called() == ["fast"]


def test_a_stream_is_never_started_over_although_the_configuration_says_so(wire: WireServer) -> None:
    """LangChain cannot take chunks back, so the policy ``restart`` gives one answer and no two glued together."""
    wire.break_model("fast", Fault(cut_after=4))

    with Router({**pool(wire, "fast", "smart"), "stream": {"policy": "restart"}}) as router:
        text = "".join(str(chunk.text) for chunk in ChatCrewRouter(router=router).stream("hello"))

    assert text == "Hello from smart, and you asked: hello"


def test_a_call_that_a_person_must_agree_to(wire: WireServer) -> None:
    """A policy that asks a person holds the call back until somebody is named."""
    gate = {"name": "gate", "order": "safety", "when": {}, "then": {"approval": "a person looks first"}}
    with Router({**pool(wire, "fast"), "policies": [gate]}) as router:
        chat = ChatCrewRouter(router=router)
        with pytest.raises(core.ModelPermissionDeniedError):
            chat.invoke("hello")
        called_before = len(wire.seen)

        answer = chat.invoke("hello", approved_by="ann")

    assert called_before == 0
    assert answer.text
