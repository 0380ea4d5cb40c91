"""Every flow under every stream policy over a hundred thousand seeds."""

from __future__ import annotations

import pytest
from simulation.flow_world import REPLAY, scenario

from crew_router.testing import check_seeds

SEEDS = 100_000
BATCH = 10_000


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_flows_hold_their_invariants(first):
    """Whole answers or one typed error, no text twice, every call settled once, deadlines and attempt budgets kept."""
    held = check_seeds(scenario, range(first, first + BATCH), replay=REPLAY)

    assert held == BATCH
