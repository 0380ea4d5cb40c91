"""Every flow under every stream policy, and everything that requests share, over a hundred thousand seeds."""

from __future__ import annotations

import pytest
from simulation import flow_world, shared_world

from crew_router.testing import check_seeds

SEEDS = 95_000
BATCH = 9_500
SHARED_SEEDS = 5_000
SHARED_BATCH = 1_250


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_flows_hold_their_invariants(first):
    """Whole answers or one typed error, no text twice, every call settled once, deadlines and attempt budgets kept."""
    held = check_seeds(flow_world.scenario, range(first, first + BATCH), replay=flow_world.REPLAY)

    assert held == BATCH


@pytest.mark.parametrize("first", range(0, SHARED_SEEDS, SHARED_BATCH))
def test_what_requests_share_holds_its_invariants(first):
    """No more calls at once or a minute than a model takes, no place or money left behind, no budget overspent."""
    held = check_seeds(shared_world.scenario, range(first, first + SHARED_BATCH), replay=shared_world.REPLAY)

    assert held == SHARED_BATCH


def test_a_failing_seed_prints_the_command_that_replays_it():
    """The message of a broken invariant names the seed and the command."""

    def broken(seed):
        assert seed != 3, "three"

    with pytest.raises(AssertionError, match=r"seed 3 breaks an invariant: three[\s\S]*replay: run 3"):
        check_seeds(broken, range(5), replay="run {seed}")
