"""Kept answers: exact, per user and policy, for a while."""

from __future__ import annotations

import pytest

from crew_router import Router, RoutingRequest
from crew_router.testing import FrozenClock, ScriptedModel
from crew_router.types.transport import Payload


@pytest.fixture
def clock():
    """Time that stands still."""
    return FrozenClock()


@pytest.fixture
def model():
    """A model whose every answer is another one."""
    return ScriptedModel([f"Answer {n}." for n in range(9)])


@pytest.fixture
def router(model, clock):
    """A router that keeps two answers for a minute."""
    config = {"registry": "none", "cache": {"enabled": True, "ttl_s": 60, "max_entries": 2}}
    with Router(config, models={"one:a": model}, ledger_url="sqlite://", clock=clock) as router:
        yield router


def test_the_same_question_is_answered_once(router, model):
    """The second answer is the first one, without a call and at no cost."""
    first, second = router.invoke("Hello?"), router.invoke("Hello?")

    assert (second.text, second.cost_usd, second.attempts, model.calls) == (first.text, 0.0, (), 1)


async def test_streams_and_async_calls_share_what_is_kept(router, model):
    """Whatever way a question is asked, its kept answer is found."""
    text = router.invoke("Hello?").text
    chunks = [chunk async for chunk in router.astream("Hello?")]

    assert (await router.ainvoke("Hello?")).text == "".join(chunk.text for chunk in chunks) == chunks[-1].response.text == text
    assert "".join(chunk.text for chunk in router.stream("Hello?")) == text
    assert model.calls == 1


@pytest.mark.parametrize(
    ("payload", "request_"),
    [
        (Payload(("Other?",)), RoutingRequest()),
        (Payload(("Hello?",), parameters={"temperature": 0.5}), RoutingRequest()),
        (Payload(("Hello?",)), RoutingRequest(user_id="jo")),
        (Payload(("Hello?",)), RoutingRequest(quality_requirement=0.1)),
    ],
)
def test_another_question_user_or_constraint_is_asked_anew(router, model, payload, request_):
    """Nothing is given to whom it was not said."""
    router.invoke("Hello?")
    router.invoke(payload, request=request_)

    assert model.calls == 2


def test_answers_are_kept_for_a_while_and_not_too_many(router, model, clock):
    """Time and number end what is kept."""
    router.invoke("Hello?")
    clock.advance(61.0)
    router.invoke("Hello?")
    for other in ("1?", "2?", "Hello?"):
        router.invoke(other)

    assert model.calls == 5


def test_nothing_is_kept_by_default(model):
    """A router asks every time unless it is told to keep answers."""
    with Router(models={"one:a": model}, ledger_url="sqlite://") as router:
        router.invoke("Hello?")
        router.invoke("Hello?")

    assert model.calls == 2
