"""Breakers, limits and budgets by themselves over a hundred thousand seeds each, then all that requests share under real flows."""

from __future__ import annotations

import functools

import pytest
from simulation import cache_world, gate_world, shared_world

from crew_router.testing import check_seeds

GATE_SEEDS = 100_000  # of each kind
GATE_BATCH = 10_000
SHARED_SEEDS = 3_000
SHARED_BATCH = 750
REAL_SEEDS = 300
REAL_BATCH = 100
CACHE_SEEDS = 3_000


@pytest.mark.parametrize("first", range(0, GATE_SEEDS, GATE_BATCH))
@pytest.mark.parametrize("kind", gate_world.WORLDS)
def test_breakers_limits_and_budgets_hold_what_they_promise(kind, first):
    """One probe at a time and openings that double; no call beyond the limits, the first in line served first; no budget overspent."""
    scenario = functools.partial(gate_world.scenario, kind=kind)

    held = check_seeds(scenario, range(first, first + GATE_BATCH), replay=gate_world.replay(kind))

    assert held == GATE_BATCH


@pytest.mark.parametrize("first", range(0, SHARED_SEEDS, SHARED_BATCH))
def test_what_requests_share_holds_its_invariants(first):
    """No more calls at once or a minute than a model takes, no place or money left behind, no budget overspent, promises kept."""
    held = check_seeds(shared_world.scenario, range(first, first + SHARED_BATCH), replay=shared_world.REPLAY)

    assert held == SHARED_BATCH


@pytest.mark.parametrize("first", range(0, REAL_SEEDS, REAL_BATCH))
def test_two_processes_never_overspend_a_real_budget(first):
    """Over the budgets of a real ledger the rows hold exactly what the calls cost, and the accounts agree with them."""
    held = check_seeds(shared_world.real_scenario, range(first, first + REAL_BATCH), replay=shared_world.REPLAY_REAL)

    assert held == REAL_BATCH


def test_kept_answers_reach_only_the_question_and_the_user_they_belong_to():
    """No answer of another question, user or policy, none past its time, and never more than there is room for."""
    held = check_seeds(cache_world.scenario, range(CACHE_SEEDS), replay=cache_world.REPLAY)

    assert held == CACHE_SEEDS
