"""Off-policy estimates on simulated logs whose policies' value is known."""

import random

import numpy as np
import pytest

from crew_router.learn.replay import Logged, NoOverlapError, estimate

RATES = {("a", "x"): 0.3, ("a", "y"): 0.8, ("b", "x"): 0.7, ("b", "y"): 0.4}
LOGGING = {"x": 0.7, "y": 0.3}
TARGET = {"a": {"y": 0.9, "x": 0.1}, "b": {"x": 1.0}}
TRUTH = 0.5 * (0.9 * 0.8 + 0.1 * 0.3) + 0.5 * 0.7


def log_of(count, *, logging=LOGGING, target=TARGET, seed=1):
    """Return a log under one policy, with the chances of another."""
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        context = "a" if rng.random() < 0.5 else "b"
        (model,) = rng.choices(list(logging), list(logging.values()))
        reward = float(rng.random() < RATES[context, model])
        made.append(Logged(context, model, logging[model], reward, target[context]))
    return made


@pytest.fixture(scope="module")
def judged():
    """The estimates on 200 logs of 500 decisions."""
    return [estimate(log_of(500, seed=seed)) for seed in range(200)]


@pytest.mark.parametrize("name", ["ips", "snips", "dr"])
def test_intervals_cover_the_known_value(judged, name):
    """Of 200 logs of 500 decisions about 95 % of the intervals hold the truth, and the estimates centre on it."""
    found = [getattr(each, name) for each in judged]

    assert np.mean([each.low <= TRUTH <= each.high for each in found]) == pytest.approx(0.95, abs=0.045)
    assert np.mean([each.value for each in found]) == pytest.approx(TRUTH, abs=0.01)


def test_the_logged_policy_is_worth_what_it_got():
    """Judging the policy that made the log gives the mean reward, with every decision effective."""
    found = estimate(log_of(1000, target={"a": LOGGING, "b": LOGGING}))

    assert found.effective == pytest.approx(1000)
    assert found.ips.value == found.snips.value == pytest.approx(found.logged.value)


def test_doubly_robust_varies_less_than_inverse_propensities():
    """Where rewards differ by model and task, the model of rewards takes variance away."""
    found = [estimate(log_of(400, seed=seed)) for seed in range(60)]

    assert np.std([each.dr.value for each in found]) < np.std([each.ips.value for each in found])


def test_a_log_without_chance_is_refused_for_another_policy():
    """A deterministic log says nothing of a model that it never called."""
    with pytest.raises(NoOverlapError, match="instead of 1"):
        estimate(log_of(500, logging={"x": 1.0}))


def test_a_policy_that_was_hardly_ever_followed_is_refused():
    """Ten fitting decisions are no sample."""
    with pytest.raises(NoOverlapError, match="too few"):
        estimate(log_of(20))
