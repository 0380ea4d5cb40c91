"""Bandits against known truth, and beside the libraries mabwiser and river."""

import random

import numpy as np
import pytest
from bandit_world import World
from mabwiser.mab import MAB, LearningPolicy
from river import bandit as river_bandit

from crew_router.decide.bandits import Arms, bandit_names, make_bandit
from crew_router.decide.bandits.features import FEATURES
from crew_router.decide.bandits.memory import Memory
from crew_router.record.state.snapshot_builder import summed

SIZE = len(FEATURES)


def seen_arms(samples, means, *, strength=0.0, **more):
    """Return arms with given counts and means."""
    n, mean = np.array(samples, dtype=float), np.array(means, dtype=float)
    return Arms(np.full(len(n), 0.5), strength=strength, samples=n, rewards=n * mean, squares=n * mean, penalty=np.zeros(len(n)), **more)


def history(rates, *, pulls, seed):
    """Return arms and rewards of pulls that were spread evenly."""
    rng = np.random.default_rng(seed)
    decisions = np.repeat(np.arange(len(rates)), pulls)
    return decisions, (rng.random(len(decisions)) < np.array(rates)[decisions]).astype(int)


def arms_of(decisions, rewards, count, *, strength=0.0):
    """Return the sums of a history."""
    samples = np.bincount(decisions, minlength=count)
    sums = np.bincount(decisions, weights=rewards, minlength=count)
    return seen_arms(samples, sums / samples, strength=strength)


def test_ucb1_has_the_expectations_of_mabwiser():
    """Over one history the upper bounds are those of mabwiser's UCB1 with alpha 1."""
    decisions, rewards = history([0.3, 0.5, 0.7], pulls=40, seed=1)
    oracle = MAB([0, 1, 2], LearningPolicy.UCB1(alpha=1.0))
    oracle.fit(decisions, rewards)

    values = make_bandit("ucb1", width=1.0).pull(arms_of(decisions, rewards, 3), np.random.default_rng(1)).values

    assert values == pytest.approx([oracle.predict_expectations()[arm] for arm in range(3)])


def test_thompson_sampling_pulls_as_often_as_mabwiser():
    """With a flat prior the shares of pulls agree within four standard errors of both estimates."""
    decisions, rewards = history([0.45, 0.5, 0.55], pulls=60, seed=2)
    oracle = MAB([0, 1, 2], LearningPolicy.ThompsonSampling(), seed=5)
    oracle.fit(decisions, rewards)
    theirs = np.bincount([oracle.predict() for _ in range(3000)], minlength=3) / 3000

    arms = arms_of(decisions, rewards, 3, strength=2.0)  # Beta(1, 1): two rewards at one half
    ours = make_bandit("thompson_beta", draws=30_000).pull(arms, np.random.default_rng(1)).probabilities

    assert ours == pytest.approx(theirs, abs=4 * np.sqrt(0.25 / 3000 + 0.25 / 30_000))


def test_epsilon_greedy_pulls_as_often_as_mabwiser():
    """Exploitation and exploration are shared alike."""
    decisions, rewards = history([0.2, 0.8], pulls=50, seed=3)
    oracle = MAB([0, 1], LearningPolicy.EpsilonGreedy(epsilon=0.2), seed=5)
    oracle.fit(decisions, rewards)
    theirs = np.mean([oracle.predict() == 1 for _ in range(4000)])

    ours = make_bandit("epsilon_greedy", epsilon=0.2).pull(arms_of(decisions, rewards, 2), np.random.default_rng(1)).probabilities[1]

    assert ours == pytest.approx(0.9)
    assert theirs == pytest.approx(ours, abs=4 * np.sqrt(0.09 / 4000))


def test_lin_ucb_has_the_expectations_of_mabwiser():
    """With the prior at nothing the bounds are those of mabwiser's LinUCB with the same ridge."""
    rng = np.random.default_rng(4)
    contexts = rng.random((200, SIZE))
    decisions = rng.integers(0, 2, 200)
    rewards = np.where(decisions == 0, contexts[:, 1], 1 - contexts[:, 1])
    oracle = MAB([0, 1], LearningPolicy.LinUCB(alpha=0.7, l2_lambda=1.0))
    oracle.fit(decisions, rewards, contexts)
    asked = rng.random(SIZE)

    of = [contexts[decisions == arm] for arm in range(2)]
    gram = np.array([rows.T @ rows for rows in of])
    moments = np.array([rows.T @ rewards[decisions == arm] for arm, rows in enumerate(of)])
    arms = Arms(
        np.zeros(2), strength=0.0, samples=np.zeros(2), rewards=np.zeros(2), squares=np.zeros(2), penalty=np.zeros(2),
        features=asked, gram=gram, moments=moments,
    )  # fmt: skip
    values = make_bandit("lin_ucb", width=0.7, ridge=1.0).pull(arms, np.random.default_rng(1)).values

    theirs = oracle.predict_expectations([asked])
    assert values == pytest.approx([theirs[arm] for arm in range(2)])


def test_regret_is_that_of_rivers_thompson_sampling():
    """On the same truths ours loses no more than river's, within two standard errors of the difference over 12 seeds."""
    rates = [0.4, 0.5, 0.7]
    ours = np.array([regret_of_ours(rates, seed) for seed in range(12)])
    theirs = np.array([regret_of_river(rates, seed) for seed in range(12)])

    difference = ours - theirs
    assert difference.mean() < 2 * difference.std() / np.sqrt(len(difference)) + 1e-9


def regret_of_ours(rates, seed):
    """Return the regret of 400 pulls with a flat prior and practically no fading."""
    world = World(rates, policy="thompson_beta", half_life=1e6, prior_strength=2.0, seed=seed)
    return world.regret(world.run(400))


def regret_of_river(rates, seed):
    """Return the regret of 400 pulls of river's policy."""
    from river import proba

    policy, truth, lost = river_bandit.ThompsonSampling(reward_obj=proba.Beta(1, 1), seed=seed), random.Random(seed + 1), 0.0
    for _ in range(400):
        arm = policy.pull(range(len(rates)))
        policy.update(arm, truth.random() < rates[arm])
        lost += max(rates) - rates[arm]
    return lost


NOTICED = {"thompson_beta": 300, "thompson_gaussian": 300, "ucb1": 300, "lin_ucb": 300, "epsilon_greedy": 300}


@pytest.mark.parametrize("name", bandit_names())
def test_a_model_that_gets_worse_is_noticed_within_the_stated_number_of_requests(name):
    """A favourite of 1,000 requests falls from 0.9 to 0.3; from 300 requests later on (half-life 100) it gets under a fifth."""
    shares = []
    for seed in range(3):
        world = World([0.9, 0.6], policy=name, half_life=100, seed=seed)
        before = world.run(1000)
        world.rates = [0.3, 0.6]
        world.run(NOTICED[name])
        shares.append(((before[-200:] == 0).mean(), (world.run(200) == 0).mean()))

    was, became = np.mean(shares, axis=0)
    assert was > 0.8
    assert became < 0.2


def test_without_fading_the_same_model_is_still_used():
    """What the half-life buys: a memory of a million rewards still trusts the favourite of old."""
    world = World([0.9, 0.6], policy="thompson_beta", half_life=1e6, seed=1)
    world.run(1000)
    world.rates = [0.3, 0.6]
    world.run(300)

    assert (world.run(200) == 0).mean() > 0.5


def test_a_warm_start_saves_most_of_the_first_regret():
    """With the registry's qualities right, the first 100 requests lose less than half of what a flat prior loses."""
    rates = [0.3, 0.5, 0.9, 0.4]
    flat = np.mean([(world := World(rates, seed=seed)).regret(world.run(100)) for seed in range(8)])
    warm = np.mean([(world := World(rates, seed=seed, priors=rates)).regret(world.run(100)) for seed in range(8)])

    assert warm < 0.5 * flat


def test_what_a_right_answer_is_worth_moves_the_choice():
    """A model that is 0.1 better and dear is pulled when answers are worth much, and left when they are not."""
    world = World([0.8, 0.9], prices=[0.0, 10.0], priors=[0.8, 0.9], seed=2)
    shares = {worth: (world.run(300, willingness_to_pay=worth) == 1).mean() for worth in (0.001, 100.0)}

    assert shares[0.001] < 0.05
    assert shares[100.0] > 0.6


def test_lin_ucb_tells_simple_from_hard_requests():
    """A cheap model that fails on hard requests only is learnt to be right for the others."""
    world = World([0.0, 0.0], policy="lin_ucb", seed=3)
    pulled = {2: [], 9: []}
    for step in range(600):
        complexity = 2 if step % 2 else 9
        world.rates = [0.9, 0.5] if complexity == 2 else [0.2, 0.8]
        pulled[complexity].extend(world.run(1, complexity=complexity))

    assert np.mean(np.array(pulled[2][-100:]) == 0) > 0.8
    assert np.mean(np.array(pulled[9][-100:]) == 1) > 0.8


@pytest.mark.parametrize("half_life", [1.0, 20.0, 500.0])
def test_fading_sums_are_exactly_exponential_over_landmarks(half_life):
    """After hundreds of half-lives the sums are those of the plain formula, and processes that add in any order agree."""
    memory, rng = Memory("m", half_life), np.random.default_rng(1)
    steps = int(120 * half_life) if half_life < 100 else 2000
    rewards = rng.random(steps)
    sums, additions = {}, []
    for at, reward in enumerate(rewards):
        added = memory.additions("c", "arm", (1.0, reward), position=float(at))
        additions.extend(added)

    sums = grown(additions)
    shuffled = grown(random.Random(1).sample(additions, len(additions)))

    weights = 2.0 ** ((np.arange(steps) - steps) / half_life)
    expected = (weights.sum(), (weights * rewards).sum())
    assert memory.sums_of(sums, "c", ["arm"], width=2)[0] == pytest.approx(expected, rel=1e-9)
    assert memory.sums_of(shuffled, "c", ["arm"], width=2)[0] == pytest.approx(expected, rel=1e-9)


def grown(additions):
    """Return the sums of all additions."""
    total = {}
    for name, values in additions:
        total[name] = tuple(a + b for a, b in zip(total.get(name, (0.0,) * len(values)), values, strict=True))
    return summed({}, total)


def test_reinforcement_learns_from_the_results_of_runs():
    """A run succeeds when its hard step is done by the able model; after 300 runs the hard step goes there, though no step was judged."""
    world = World([0.5, 0.5], "reinforcement", seed=4, half_life=200)
    rng, last = random.Random(9), []
    for _ in range(300):
        steps = [world.decide(complexity=2), world.decide(complexity=9)]
        able = steps[1].selected_model == "lab:m1"
        result = float(rng.random() < (0.9 if able else 0.2))
        for back, step in enumerate(reversed(steps)):
            world.learn(step, result, weight=0.9**back, of_run=True)
        last.append(able)

    assert np.mean(last[-100:]) > 0.9
