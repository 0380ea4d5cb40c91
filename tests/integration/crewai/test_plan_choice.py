"""The choice of candidates for a run: exact on small instances, never behind one candidate for all, within budget and deadline."""

from __future__ import annotations

import itertools
import random
import time

import pytest

from crew_router.errors import InvalidRequestError
from crew_router_crewai.plan.choose import Option, choose, finish, run_success, single_candidates


def _instance(rng, tasks, candidates):
    """Return options whose success grows with cost, more or less, as prices do; and a chain with some tasks beside each other."""
    options = []
    for _ in range(tasks):
        some = []
        for number in range(candidates):
            cost = 10 ** rng.uniform(-5, -1)
            success = min(0.999, max(0.05, 0.6 + 0.1 * rng.gauss(0, 1) + 0.08 * (5 + rng.uniform(-1, 1) + 1.0 * number / candidates)))
            some.append(Option(f"c{number}", cost, rng.uniform(0.5, 30), success * rng.uniform(0.8, 1.0)))
        options.append(some)
    waits = [[] if at == 0 or rng.random() < 0.2 else [rng.randrange(at)] for at in range(tasks)]
    return options, waits


def _budget(options, rng):
    least = sum(min(each.cost_usd for each in some) for some in options)
    most = sum(max(each.cost_usd for each in some) for some in options)
    return least + (most - least) * rng.random() ** 3


def _brute(options, waits, budget, deadline):
    best = -1.0
    for picked in itertools.product(*options):
        cost, (latency, _) = sum(each.cost_usd for each in picked), finish(waits, [each.latency_s for each in picked])
        if cost <= budget and (deadline is None or latency <= deadline):
            best = max(best, run_success([each.success for each in picked]))
    return best


def test_small_instances_are_solved_as_trying_everything_does():
    """Within a tenth of a percent of the optimum, with budget and deadline, on 60 instances that can be enumerated."""
    rng = random.Random(5)
    solved = 0
    for _ in range(60):
        options, waits = _instance(rng, tasks=rng.randint(1, 5), candidates=5)
        budget = _budget(options, rng)
        deadline = rng.uniform(20, 100) if rng.random() < 0.5 else None
        best = _brute(options, waits, budget, deadline)
        if best < 0:
            with pytest.raises(InvalidRequestError):
                choose(options, waits_for=waits, budget_usd=budget, deadline_s=deadline)
            continue
        found = choose(options, waits_for=waits, budget_usd=budget, deadline_s=deadline)

        solved += 1
        assert found.success >= best * 0.999
        assert best <= found.success * (1 + found.gap) * (1 + 1e-6)
        assert found.cost_usd <= budget * (1 + 1e-6)
        assert deadline is None or found.latency_s <= deadline * (1 + 1e-6)
    assert solved > 40


def test_no_single_candidate_of_the_same_budget_does_better():
    """In each of 1,000 random instances the plan's success is at least that of every assignment of one candidate to all tasks."""
    rng = random.Random(7)
    for _ in range(1000):
        options, waits = _instance(rng, tasks=rng.randint(2, 8), candidates=rng.randint(2, 12))
        budget = _budget(options, rng)

        found = choose(options, waits_for=waits, budget_usd=budget)

        for at in single_candidates(options).values():
            picked = [some[place] for some, place in zip(options, at, strict=True)]
            if sum(each.cost_usd for each in picked) <= budget:
                assert found.success >= run_success([each.success for each in picked]) * (1 - 1e-3)


def test_hundred_tasks_with_two_hundred_candidates_take_about_a_second():
    """A large run is planned in seconds of CPU time, budget and deadline together, with its gap stated."""
    options, waits = _instance(random.Random(3), tasks=100, candidates=200)
    begun = time.process_time()

    found = choose(options, waits_for=waits, budget_usd=0.3, deadline_s=400)

    assert time.process_time() - begun < 10
    assert found.gap <= 1e-3


def test_weights_change_what_is_worth_money():
    """With weights the budget goes to the task that counts."""
    cheap, good = Option("a", 0.01, 1.0, 0.5), Option("b", 0.05, 1.0, 0.9)

    found = choose([[cheap, good], [cheap, good]], waits_for=[[], [0]], budget_usd=0.06, weights=[1.0, 10.0])

    assert found.at == (0, 1)


@pytest.mark.parametrize(("limits", "said"), [({"budget_usd": 0.001}, "at least 0.02"), ({"deadline_s": 0.5}, "at least 2.00")])
def test_what_cannot_be_kept_is_said_with_what_can(limits, said):
    """A budget or a deadline that nothing fits names the least one that something does."""
    option = Option("a", 0.01, 1.0, 0.5)

    with pytest.raises(InvalidRequestError, match=said):
        choose([[option], [option]], waits_for=[[], [0]], **limits)
