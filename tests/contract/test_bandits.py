"""What every bandit policy must do, whoever wrote it."""

import numpy as np
import pytest
from bandit_world import World

from crew_router.decide.bandits import Arms, bandit_names, make_bandit
from crew_router.decide.bandits.features import FEATURES
from crew_router.decide.strategies import make_strategy
from crew_router.errors import ConfigurationError

POLICIES = bandit_names()


@pytest.fixture(params=POLICIES)
def name(request):
    """The name of a policy."""
    return request.param


def arms(count, *, rewards=None, samples=None, strength=10.0, penalty=None):
    """Return arms of the plain kind, with empty features."""
    size = len(FEATURES)
    seen = np.zeros(count) if samples is None else np.array(samples, dtype=float)
    got = seen * 0.5 if rewards is None else np.array(rewards, dtype=float)
    first = np.zeros((count, size))
    first[:, 0] = got
    gram = np.zeros((count, size, size))
    gram[:, 0, 0] = seen
    return Arms(
        np.full(count, 0.5),
        strength=strength,
        samples=seen,
        rewards=got,
        squares=got,
        penalty=np.zeros(count) if penalty is None else np.array(penalty),
        features=np.eye(size)[0],
        gram=gram,
        moments=first,
    )


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_probabilities_are_a_distribution(name, count):
    """They are not negative and add up to one for any number of arms."""
    pull = make_bandit(name).pull(arms(count), np.random.default_rng(1))

    assert pull.probabilities.shape == pull.values.shape == (count,)
    assert (pull.probabilities >= 0).all()
    assert pull.probabilities.sum() == pytest.approx(1.0)


def test_an_arm_known_to_be_best_is_pulled_most(name):
    """Ten thousand rewards leave no doubt."""
    pull = make_bandit(name).pull(arms(3, samples=[1e4] * 3, rewards=[2e3, 9e3, 5e3]), np.random.default_rng(1))

    assert pull.probabilities.argmax() == 1
    assert pull.probabilities[1] > 0.9


def test_a_dear_arm_gives_way_to_an_equal_cheap_one(name):
    """The penalty counts as reward does."""
    pull = make_bandit(name).pull(arms(2, samples=[1e4] * 2, rewards=[8e3, 8e3], penalty=[0.3, 0.0]), np.random.default_rng(1))

    assert pull.probabilities[1] > 0.9


@pytest.mark.parametrize("strength", [0.0, 10.0])
def test_arms_that_nobody_saw_need_no_history(name, strength):
    """Without rewards, and even without a prior, every figure is finite or first in line."""
    pull = make_bandit(name).pull(arms(4, strength=strength), np.random.default_rng(1))

    assert np.isfinite(pull.probabilities).all()
    assert not np.isnan(pull.values).any()


def test_the_recorded_propensity_is_how_often_the_arm_is_pulled(name):
    """Over many decisions of one state the mean of 1 / propensity, where an arm is pulled, is one: importance weights are unbiased."""
    world = World([0.5, 0.5, 0.5], policy=name, explore=0.3, seed=3)
    world.run(60)
    made = [world.decide() for _ in range(1500)]

    for arm in ("lab:m0", "lab:m1", "lab:m2"):
        weights = np.array([(each.selected_model == arm) / each.propensity for each in made])
        assert weights.mean() == pytest.approx(1.0, abs=4 * weights.std() / np.sqrt(len(weights)) + 1e-9)


def test_the_same_seed_makes_the_same_choices(name):
    """Chance comes from the injected generator only."""
    one, other = World([0.2, 0.6], policy=name, seed=7), World([0.2, 0.6], policy=name, seed=7)

    assert (one.run(80) == other.run(80)).all()


def test_only_candidates_that_are_available_now_are_pulled(name):
    """A model that a filter removed is not in the order, whatever its history."""
    world = World([0.9, 0.1], policy=name)
    world.run(40)

    decision = world.decide(deny_providers={"nobody"}, force_model="lab:m1", fallbacks=False)

    assert decision.selected_model == "lab:m1"


@pytest.mark.parametrize("delay", [0, 50])
def test_regret_is_far_below_uniform(name, delay):
    """Within 600 decisions less than half of what uniform pulls lose, with rewards at once or 50 decisions late."""
    rates = [0.3, 0.5, 0.8, 0.4]
    regrets = [(world := World(rates, policy=name, seed=seed, delay=delay)).regret(world.run(600)) for seed in range(2)]

    uniform = 600 * (0.8 - np.mean(rates))
    assert np.mean(regrets) < 0.5 * uniform


@pytest.mark.parametrize("parameters", [{"policy": "nobody"}, {"half_life": 0.0}, {"explore": 1.5}, {"prior_strength": -1.0}, {"wrong": 1}])
def test_wrong_parameters_are_refused(parameters):
    """A configuration error names what is wrong."""
    with pytest.raises(ConfigurationError):
        make_strategy("bandit", parameters)


@pytest.mark.parametrize(
    ("policy", "parameters"),
    [
        ("thompson_beta", {"draws": 0}),
        ("thompson_gaussian", {"deviation": 0.0}),
        ("ucb1", {"width": -1.0}),
        ("lin_ucb", {"ridge": 0.0}),
        ("epsilon_greedy", {"epsilon": 1.1}),
        ("epsilon_greedy", {"epsilon": float("nan")}),
    ],
)
def test_wrong_parameters_of_a_policy_are_refused(policy, parameters):
    """Every policy checks its own."""
    with pytest.raises(ValueError, match="is not a number"):
        make_bandit(policy, **parameters)
