# ruff: noqa: E501, ARG001, PLR0917 - rows of data and sentences as providers write them stay on a line
"""What the errors of providers mean: real bodies through real client packages, and what becomes of the model afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_pools import pool
from wire_errors import ACCOUNT, CALLERS, ERRORS, FULL, GONE, PASSING, POLICY, UNKNOWN
from wire_server import Fault, WireServer

from crew_router import ModelCallError, Router
from crew_router.types import ErrorKind, ModelDefinition, ModelRef
from crew_router.types.transport import Payload
from crew_router_langchain import ChatCrewRouter
from crew_router_langchain.transport import LangChainTransport

HELLO = Payload(("hello",))
ROW = ("what", "provider", "status", "body", "kind")


def entry(wire: WireServer, provider: str, name: str = "fast") -> ModelDefinition:
    """Return a registry entry of a provider whose server is the fake one."""
    url = {"anthropic": wire.url, "mistralai": wire.mistral_url, "google_genai": wire.url, "cohere": wire.url, "ollama": wire.url}.get(provider, wire.openai_url)
    return ModelDefinition(ModelRef(f"{provider}:{name}"), provider=provider, model=name, base_url=url, api_key="k")


def fault(status: int, body: object) -> Fault:
    """Return a fault that answers with a body."""
    return Fault(status=status, body=json.dumps(body))


def raised_by(call: Any) -> BaseException:
    """Return what a call raises."""
    with pytest.raises(Exception, match=r".") as raised:
        call()
    return raised.value


@pytest.mark.parametrize(ROW, ERRORS, ids=lambda value: value if isinstance(value, str) else None)
def test_a_body_means_the_same_whole(transport: LangChainTransport, wire: WireServer, what, provider, status, body, kind) -> None:
    """Each body reads as its kind through the client package that meets it."""
    wire.break_model("fast", fault(status, body))
    call = transport.fit(HELLO, entry(wire, provider))

    whole = transport.classify(raised_by(call.complete))

    assert whole.kind is kind, whole


@pytest.mark.parametrize(ROW, [row for row in ERRORS if row[2] != 200], ids=lambda value: value if isinstance(value, str) else None)
def test_a_body_means_the_same_streamed(transport: LangChainTransport, wire: WireServer, what, provider, status, body, kind) -> None:
    """Each body reads as its kind where a stream was asked for too."""
    wire.break_model("fast", fault(status, body))

    streamed = transport.classify(raised_by(lambda: list(transport.fit(HELLO, entry(wire, provider)).stream())))

    assert streamed.kind is kind, streamed


@pytest.fixture
def router(wire: WireServer) -> Iterator[Router]:
    """A router over two models of two providers, whose breakers open after five failures."""
    config = pool(wire, "fast", "smart")
    config["models"] = {"one:fast": config["models"]["lab:fast"] | {"api_key": "k1"}, "two:smart": config["models"]["lab:smart"] | {"api_key": "k2"}}
    del config["breaker"]
    with Router(config) as router:
        yield router


MOVES_ON = [row for row in (*ACCOUNT, *GONE, *FULL, *POLICY, *PASSING, *UNKNOWN) if row[1] == "openai" and row[2] != 200]


@pytest.mark.parametrize(ROW, MOVES_ON, ids=lambda value: value if isinstance(value, str) else None)
async def test_a_healthy_model_answers(router: Router, wire: WireServer, what, provider, status, body, kind) -> None:
    """Whatever may be the provider's, the account's or this model's costs one dead call and no answer."""
    wire.break_model("fast", fault(status, body))
    chat = ChatCrewRouter(router=router)

    answers = [chat.invoke("hello").text, (await chat.ainvoke("hello again")).text]

    assert all(answer.startswith("Hello from smart") for answer in answers)


@pytest.mark.parametrize(ROW, [row for row in (*ACCOUNT, *GONE) if row[1] == "openai"], ids=lambda value: value if isinstance(value, str) else None)
def test_a_closed_account_or_model_is_called_once_and_health_says_why(router: Router, wire: WireServer, what, provider, status, body, kind) -> None:
    """The credential or the model is closed at once, and health tells the provider's words."""
    wire.break_model("fast", fault(status, body))
    chat = ChatCrewRouter(router=router)

    for _ in range(3):
        chat.invoke("hello")

    assert wire.models_called() == ["fast", "smart", "smart", "smart"]
    state = str(router.check_health()["models"]["one:fast"])
    assert kind.value in state
    assert "open" in state or "refused" in state


@pytest.mark.parametrize(
    ROW, [row for row in (*POLICY, *FULL, *UNKNOWN) if row[1] == "openai" and row[2] != 200], ids=lambda value: value if isinstance(value, str) else None
)
def test_a_refusal_of_one_prompt_closes_nothing(router: Router, wire: WireServer, what, provider, status, body, kind) -> None:
    """After ten refused prompts the innocent request still reaches the model."""
    wire.break_model("fast", fault(status, body))
    chat = ChatCrewRouter(router=router)
    for _ in range(10):
        chat.invoke("something odd")
    wire.heal()

    answer = ChatCrewRouter(router=router, model="one:fast").invoke("hello")

    assert router.health()["models"]["one:fast"] == "ready"
    assert answer.text.startswith("Hello from fast")


@pytest.mark.parametrize(ROW, CALLERS, ids=lambda value: value if isinstance(value, str) else None)
def test_what_every_model_would_refuse_is_raised_at_once(router: Router, wire: WireServer, what, provider, status, body, kind) -> None:
    """A value that no model takes is the caller's to change: one call, and the provider's words."""
    wire.break_model("fast", fault(status, body))

    with pytest.raises(ModelCallError) as raised:
        ChatCrewRouter(router=router).invoke("hello")

    assert raised.value.kind is ErrorKind.INVALID_REQUEST
    assert wire.models_called() == ["fast"]


def test_a_refusal_that_nobody_else_can_answer_is_told_as_it_is(wire: WireServer) -> None:
    """With one model only, its refusal is the error that the caller gets."""
    wire.break_model("fast", fault(400, {"error": {"message": "not to our liking", "type": "x", "code": None}}))

    with Router(pool(wire, "fast")) as router, pytest.raises(ModelCallError, match="not to our liking") as raised:
        ChatCrewRouter(router=router).invoke("hello")

    assert raised.value.kind is ErrorKind.REFUSED
