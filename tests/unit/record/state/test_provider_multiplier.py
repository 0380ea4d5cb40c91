"""The provider multiplier of requirement B1: what was observed against what had been predicted for the same calls."""

import pytest

from crew_router import Router, RoutingRequest
from crew_router.record.state.observation import Observation
from crew_router.record.state.opening import open_state
from crew_router.testing import FrozenClock, ScriptedModel
from crew_router.types import ErrorKind, ModelRef

A, B = ModelRef("lab:a"), ModelRef("far:b")
NOW = 1_790_000_000.0


@pytest.fixture
def clock():
    """A clock that stands still."""
    return FrozenClock(NOW)


@pytest.fixture
def state(clock):
    """Shared numbers in memory."""
    return open_state("memory://", clock=clock, project="test")


def multiplier(state, *observations, provider="lab"):
    """Return a provider's multiplier after some calls."""
    for each in observations:
        state.observe(each)
    return state.snapshot().multipliers[provider]


def call(ref=A, *, success=True, clock=None, **figures):
    """Return one call."""
    at = NOW if clock is None else clock.now()
    return Observation(ref, None, success=success, at=at, error=None if success else ErrorKind.OVERLOAD, **figures)


def test_one_failed_call_moves_it_by_less_than_a_tenth(state):
    """A single failure among nothing else is no verdict on a provider."""
    assert 0.9 < multiplier(state, call(success=False)) < 1.0


def test_being_cheap_and_fast_as_predicted_is_not_paid_twice(state):
    """A provider whose calls take and cost what was predicted stands at 1 however cheap and fast they are."""
    cheap = [call(latency_s=0.1, expected_latency_s=0.1, cost_usd=1e-6, expected_cost_usd=1e-6) for _ in range(50)]
    dear = [call(B, latency_s=90.0, expected_latency_s=90.0, cost_usd=0.5, expected_cost_usd=0.5) for _ in range(50)]

    assert multiplier(state, *cheap) == pytest.approx(multiplier(state, *dear, provider="far"))


def test_slower_and_dearer_than_predicted_falls_with_the_fourth_root(state):
    """Many calls at sixteen times the predicted seconds halve it, as far as the shrinkage lets them."""
    slow = [call(latency_s=16.0, expected_latency_s=1.0) for _ in range(1000)]

    assert multiplier(state, *slow) == pytest.approx(0.5, abs=0.03)


def test_it_recovers_within_minutes_of_good_calls(state, clock):
    """Ten failures are forgotten after ten minutes of good calls."""
    failed = multiplier(state, *(call(success=False) for _ in range(10)))
    for _ in range(20):
        clock.advance(30)
        state.observe(call(clock=clock))

    assert failed < 0.6
    assert state.snapshot().multipliers["lab"] > 0.85


@pytest.mark.parametrize(("on", "named"), [(True, True), (False, False)])
def test_it_stands_in_the_points_and_can_be_switched_off(on, named):
    """Points with the provider's add up to the score; without it no such points are there."""
    models = {"lab:a": ScriptedModel("a", quality=0.9, faults="overload"), "far:b": ScriptedModel("b", quality=0.8)}
    config = {"registry": "none", "scoring": {"provider_multiplier": on}}
    with Router(config, models=models, ledger_url="sqlite://") as router:
        for _ in range(3):
            router.invoke("hello", request=RoutingRequest(force_model="lab:a"))
        rows = router.select_model(RoutingRequest(task_description="hello")).table.candidates()

    row = next(each for each in rows if each.model == "lab:a")
    assert ("provider" in row.points) is named
    assert row.rank == pytest.approx(sum(row.points.values()), abs=1e-4)
