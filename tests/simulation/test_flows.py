"""Every flow under every stream policy, over a hundred thousand seeds each."""

from __future__ import annotations

import functools

import pytest
from simulation import flow_world

from crew_router.testing import check_seeds

SEEDS = 100_000  # of each flow; 30 to 50 s of CPU time a flow
BATCH = 5_000


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
@pytest.mark.parametrize("kind", flow_world.FLOWS)
def test_flows_hold_their_invariants(kind, first):
    """Whole answers or one typed error, no text twice, every call settled once, deadlines and attempt budgets kept."""
    scenario = functools.partial(flow_world.scenario, kind=kind)

    held = check_seeds(scenario, range(first, first + BATCH), replay=flow_world.replay(kind))

    assert held == BATCH


def test_a_failing_seed_prints_the_command_that_replays_it():
    """The message of a broken invariant names the seed and the command."""

    def broken(seed):
        assert seed != 3, "three"

    with pytest.raises(AssertionError, match=r"seed 3 breaks an invariant: three[\s\S]*replay: run 3"):
        check_seeds(broken, range(5), replay="run {seed}")
