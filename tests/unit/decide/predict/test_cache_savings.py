"""Staying with a session's model while its prompt cache pays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from decision_pools import EMPTY, NOW, line, model, pool
from langchain_core.messages import AIMessage, HumanMessage

from crew_router import CircuitBreakerState, ModelRef, PerformanceMetrics, Router, RoutingRequest
from crew_router.decide.conditions import CachedPrefix, RuntimeConditions
from crew_router.testing import FrozenClock, ScriptedModel
from crew_router.types import Price, Snapshot, Usage

OLD, NEW = ModelRef("lab:old"), ModelRef("lab:new")
OLD_PRICE, NEW_PRICE = Price(1.0, 4.0, cached_input=0.1), Price(0.8, 4.0)
ASKED = RoutingRequest(task_description="Go on.", context_tokens=20_000, expected_output_tokens=100, session_id="s")
WARM = CachedPrefix(OLD, 18_000)
SAVED_USD = 18_000 * (1.0 - 0.1) / 1e6
SLOW = PerformanceMetrics(
    OLD, None, samples=50.0, success_rate=1.0, latency_s=1.0, cost_usd=None, quality=None, confidence=1.0, updated_at=NOW, p95_s=9.0
)


def decided(*warm, snapshot=EMPTY, request=ASKED, strategy="weighted", parameters=None, **changes):
    """Return the decision between two models of which the new one has the lower list price."""
    models = [model(OLD, price=OLD_PRICE, **changes), model(NEW, price=NEW_PRICE)]
    seen = RuntimeConditions(warm=warm)
    a_line = line(strategy, **(parameters or {}))
    return a_line.decide(request, pool=pool(models), snapshot=snapshot, now=NOW, executing=True, conditions=seen)


def affinity_of(decision):
    """Return what the evidence says of prompt caches."""
    return [each for each in decision.evidence if each.source == "affinity"]


@pytest.mark.parametrize(("strategy", "parameters"), [("weighted", {}), ("cheapest_adequate", {}), ("utility", {"cascade": False})])
def test_a_session_stays_with_the_model_whose_cache_pays(strategy, parameters):
    """The history read from the cache is in score and utility; without a cache the lower list price wins."""
    cold = decided(strategy=strategy, parameters=parameters)
    stayed = decided(WARM, strategy=strategy, parameters=parameters)

    assert cold.selected_model == NEW
    assert stayed.selected_model == OLD
    assert stayed.estimated_cost == pytest.approx((18_000 * 0.1 + 2_000 * 1.0 + 100 * 4.0) / 1e6)


def test_the_evidence_states_what_the_cache_saves():
    """What switching costs stands in the evidence, whether the session stays or leaves."""
    stayed, left = decided(WARM), decided(WARM, request=replace(ASKED, deny_providers=frozenset(), force_model=NEW))

    assert [each.weight for each in affinity_of(stayed)] == [pytest.approx(SAVED_USD)]
    assert "taken off its cost" in affinity_of(stayed)[0].detail
    assert f"{NEW} is chosen all the same" in affinity_of(left)[0].detail


@pytest.mark.parametrize(
    ("warm", "snapshot", "changes"),
    [
        (WARM, Snapshot(breakers={OLD: CircuitBreakerState(OLD, "half_open")}), {}),
        (WARM, Snapshot(performance={(OLD, None): SLOW}), {"sla_p95_s": 5.0}),
        (CachedPrefix(OLD, 25_000), EMPTY, {}),
        (CachedPrefix(OLD, 18_000, share=0.0), EMPTY, {}),
    ],
    ids=["breaker", "sla", "shorter prompt", "cache that never hit"],
)
def test_nothing_holds_a_session_at_a_model_that_is_ill_or_whose_cache_is_cold(warm, snapshot, changes):
    """An open breaker, a broken latency promise, a changed history or a cache that holds nothing end the affinity."""
    left = decided(warm, snapshot=snapshot, **changes)

    assert left.selected_model == NEW
    assert affinity_of(left) == []


def scripted(faults=(), cached=18_000):
    """Return a model with long prompts."""
    usage = Usage(20_000, 100, cached_tokens=cached)
    return ScriptedModel("Fine.", price=OLD_PRICE, usage=usage, context_window=1_000_000, faults=faults)


def session(router, clock, *, turns, wait_s=10.0, **first):
    """Have a chat of several turns, the first by the old model, and return who answered the others at what expected cost."""
    asked = replace(ASKED, cost_budget=None)
    router.invoke("Begin.", request=replace(asked, force_model=OLD, **first))
    answers = []
    for _ in range(turns):
        clock.advance(wait_s)
        answers.append(router.invoke("Go on.", request=replace(asked, context_tokens=21_000)))
    return answers


@pytest.fixture
def clock():
    """Return a clock that stands still."""
    return FrozenClock()


@pytest.fixture
def routed(clock):
    """Return a function that makes a router over an old model and a new one with the lower list price."""
    routers = []

    def make(old):
        new = ScriptedModel("Fine.", price=NEW_PRICE, usage=(20_000, 100), context_window=1_000_000)
        routers.append(Router(models={OLD: old, NEW: new}, ledger_url="sqlite://", clock=clock))
        return routers[-1]

    yield make
    for router in routers:
        router.close()


def test_a_chat_of_several_turns_stays_and_pays_the_cached_price(routed, clock):
    """Turns of a session go to the model that has their history, at the price of cached input as far as its cache holds it."""
    router = routed(scripted())
    answers = session(router, clock, turns=2)

    assert [answer.model for answer in answers] == [OLD, OLD]
    share = 18_000 / 20_000  # what the second call reported of the twenty thousand tokens of the first
    expected = [20_000, 20_000 * share]
    costs = [(cached * 0.1 + (21_000 - cached) * 1.0 + 100 * 4.0) / 1e6 for cached in expected]
    assert [answer.decision.estimated_cost for answer in answers] == pytest.approx(costs)
    assert router.predict_cost(replace(ASKED, context_tokens=21_000))[0].model == OLD
    assert answers[-1].cost_usd == pytest.approx((18_000 * 0.1 + 2_000 * 1.0 + 100 * 4.0) / 1e6)


@pytest.mark.parametrize(
    ("old", "wait_s", "expected"),
    [
        (scripted(faults=[None, "overload"]), 10.0, [NEW, NEW]),
        (scripted(), 301.0, [NEW, NEW]),
        (scripted(cached=0), 10.0, [OLD, NEW]),
    ],
    ids=["fails", "expired", "never cached"],
)
def test_a_chat_moves_on_when_its_model_fails_or_its_cache_does_not_pay(routed, clock, old, wait_s, expected):
    """A failed call, a cache that expired, and a provider that reports no cached tokens end the affinity."""
    answers = session(routed(old), clock, turns=2, wait_s=wait_s)

    assert [answer.model for answer in answers] == expected


@pytest.mark.parametrize("told", [{"model": OLD, "input_tokens": 18_000}, {"model": 3}, {"model": "old", "input_tokens": "x"}, "nonsense"])
def test_a_history_tells_other_processes_who_answered_last(routed, clock, told):
    """The metadata of the last answer is enough for a process that never saw the session; what means nothing is passed over."""
    known = {**told, "answered_at": clock.now()} if isinstance(told, dict) else told
    chat = [HumanMessage("Begin."), AIMessage("Fine.", response_metadata={"crew_router": known}), HumanMessage("Go on.")]

    decision = routed(scripted()).select_model(replace(ASKED, session_id=None, messages=tuple(chat)))

    assert decision.selected_model == (OLD if known != "nonsense" and known["model"] == OLD else NEW)
