"""What every registered strategy must do, whatever it prefers."""

import random

import numpy as np
import pytest
from decision_pools import NOW, line, model, pool
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crew_router.decide.strategies import make_strategy, strategy_names
from crew_router.errors import NoCandidateError
from crew_router.types import Latency, Mode, PerformanceMetrics, Price, RoutingDecision, RoutingRequest, Snapshot, TaskType, Tier

PARAMETERS = {
    "experiment": {"name": "e", "arms": [{"name": "one", "strategy": "weighted"}, {"name": "two", "strategy": "noise"}]},
    "fixed": {"model": "a:r"},
}
CHANCE = {"experiment", "noise", "round_robin"}
NAMES = [name for name in strategy_names() if name not in {"bandit", "reinforcement"}]

models = st.lists(
    st.builds(
        lambda provider, name, quality, price, tier, ttft: model(
            f"{provider}:{name}", quality=quality, price=price, tier=tier, latency=Latency(ttft, 50.0)
        ),
        st.sampled_from("abc"),
        st.sampled_from("rstuv"),
        st.one_of(st.none(), st.floats(0, 1)),
        st.one_of(st.none(), st.builds(Price, st.floats(0, 50), st.floats(0, 100))),
        st.one_of(st.none(), st.sampled_from(Tier)),
        st.one_of(st.none(), st.floats(0.01, 30)),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda each: each.ref,
)
requests = st.builds(
    RoutingRequest,
    st.sampled_from([TaskType.ANALYSIS, TaskType.SECURITY_AUDIT]),
    complexity=st.integers(1, 10),
    tier=st.one_of(st.none(), st.sampled_from(Tier)),
    quality_requirement=st.one_of(st.none(), st.floats(0, 1)),
    willingness_to_pay=st.one_of(st.none(), st.floats(0, 1)),
    context_tokens=st.just(1000),
    expected_output_tokens=st.just(500),
)


def snapshot_of(given_models, seed):
    """Return a history of some of the models."""
    rng = random.Random(seed)
    seen = {
        (each.ref, TaskType.ANALYSIS): PerformanceMetrics(
            each.ref, TaskType.ANALYSIS, samples=rng.uniform(1, 50), success_rate=rng.random(), latency_s=rng.uniform(0.1, 9),
            cost_usd=rng.random() / 100, quality=rng.random(), confidence=rng.random(), updated_at=NOW,
        )
        for each in given_models
        if rng.random() < 0.5
    }  # fmt: skip
    return Snapshot(performance=seen, in_flight={each.ref: rng.randrange(5) for each in given_models})


def decided(name, given_models, request, *, snapshot, seed=1):
    """Return a decision of a strategy, or nothing when no model is left."""
    chosen = line(name, seed=seed, **PARAMETERS.get(name, {}))
    try:
        return chosen.decide(request, pool=pool(given_models), snapshot=snapshot, now=NOW, executing=False)
    except NoCandidateError:
        return None


@pytest.mark.parametrize("name", NAMES)
@given(models, requests, st.integers(0, 99))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_choice_and_fallbacks_passed_every_filter(name, given_models, request, seed):
    """No strategy chooses, falls back to, or runs a removed model; the propensity is a probability; JSON keeps everything."""
    decision = decided(name, given_models, request, snapshot=snapshot_of(given_models, seed))

    if decision is None:
        return
    used = {decision.selected_model, *decision.fallbacks, *decision.models}
    assert not used & set(decision.rejected)
    assert 0.0 < decision.propensity <= 1.0
    assert decision.mode is Mode.SINGLE or len(decision.models) > 1
    assert RoutingDecision.from_dict(decision.to_dict()) == decision


@pytest.mark.parametrize("name", [name for name in NAMES if name not in CHANCE])
@given(models, requests, st.integers(0, 99))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_order_of_the_registry_does_not_matter(name, given_models, request, seed):
    """The same models in another order give the same choice, fallbacks and mode."""
    snapshot = snapshot_of(given_models, seed)
    shuffled = random.Random(seed).sample(given_models, len(given_models))

    one, other = (decided(name, each, request, snapshot=snapshot) for each in (given_models, shuffled))

    assert (one is None) == (other is None)
    assert one is None or other is None or _chosen(one) == _chosen(other)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in CHANCE])
@given(models, requests, st.floats(1.01, 100), st.integers(0, 99))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_dearer_model_never_becomes_the_choice(name, given_models, request, factor, seed):
    """Raising a model's price never makes it the choice of a strategy that it was not the choice of before."""
    raised = given_models[0]
    if raised.price is None or name == "fixed":
        return
    dearer = model(
        raised.ref, quality=raised.quality, tier=raised.tier, latency=raised.latency,
        price=Price(raised.price.input * factor, raised.price.output * factor),
    )  # fmt: skip
    snapshot = snapshot_of(given_models, seed)

    before, after = (decided(name, each, request, snapshot=snapshot) for each in (given_models, [dearer, *given_models[1:]]))

    assert before is None or after is None or after.selected_model != raised.ref or before.selected_model == raised.ref


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_decides_the_same(name):
    """A strategy draws from nothing but the source it is given."""
    given_models = [model(f"{provider}:m", quality=0.8 - at / 20) for at, provider in enumerate("abcde")]

    one, other = (decided(name, given_models, RoutingRequest(TaskType.ANALYSIS), snapshot=Snapshot(), seed=7) for _ in range(2))

    assert _chosen(one) == _chosen(other)
    assert one.draw == other.draw


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_a_frozen_value(name):
    """Two strategies with the same parameters are equal, and no parameter can be changed."""
    one, other = make_strategy(name, PARAMETERS.get(name)), make_strategy(name, PARAMETERS.get(name))

    assert one == other
    with pytest.raises((AttributeError, TypeError)):  # which of the two depends on slots
        one.anything = 1


@pytest.mark.parametrize("name", sorted(CHANCE))
def test_propensity_is_the_share_of_the_draws(name):
    """Over many draws each model comes first as often as its propensity says, whichever arm of an experiment chose it."""
    given_models = [model("a:x", quality=0.80), model("b:x", quality=0.79), model("c:x", quality=0.77)]
    chosen_by = line(name, **({"epsilon": 0.6} if name == "noise" else PARAMETERS.get(name, {})))
    shown = pool(given_models)

    decisions = [
        chosen_by.decide(RoutingRequest(TaskType.ANALYSIS), pool=shown, snapshot=Snapshot(), now=NOW, executing=False) for _ in range(3000)
    ]

    for ref in {each.selected_model for each in decisions}:
        said = next(each.propensity for each in decisions if each.selected_model == ref)
        seen = sum(each.selected_model == ref for each in decisions) / len(decisions)
        assert seen == pytest.approx(said, abs=4 * np.sqrt(0.25 / len(decisions)))


def _chosen(decision):
    return None if decision is None else (decision.selected_model, decision.fallbacks, decision.mode, decision.models, decision.judge)
