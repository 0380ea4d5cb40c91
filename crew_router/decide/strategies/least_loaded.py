"""The best model that has room, and the next one when it is full (requirement D14, ``CONTRACT.md`` rule 9)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crew_router.decide.strategies.protocol import Choice, by_rank, checked, strategy
from crew_router.types import Evidence

if TYPE_CHECKING:
    from crew_router.decide.context import Situation
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Flags


@strategy("least_loaded")
@dataclass(frozen=True, slots=True)
class LeastLoaded:
    """Spreads calls under way over the eligible models; none takes more than its share times the capacity factor.

    A model's share of the calls under way is that of its ``limits.concurrency`` in that of all, equal where none is stated. A model
    at its capacity overflows to the next best by rank; when all are full the least loaded is used.

    Args:
        capacity_factor: Multiple of its share that a model may take; that of the configuration when not given.
        by_load: True orders models with room by load instead of by rank.
    """

    capacity_factor: float | None = None
    by_load: bool = False

    def __post_init__(self) -> None:
        """Check the factor."""
        if self.capacity_factor is not None:
            checked("capacity_factor", self.capacity_factor, low=1.0)

    def choose(self, situation: Situation, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - no chance here
        """Put models with room first, by rank; full ones follow, the least loaded first."""
        factor = situation.capacity_factor if self.capacity_factor is None else self.capacity_factor
        flight, columns = situation.snapshot.in_flight, situation.columns
        running = np.array([flight.get(ref, 0) for ref in columns.refs], dtype=np.float64)
        room = np.where(np.isnan(columns.concurrency), np.nanmean([*columns.concurrency, 1.0]), columns.concurrency)
        share = room / room[eligible].sum()
        capacity = np.ceil(factor * share * (running[eligible].sum() + 1.0))
        free = eligible & (running + 1.0 <= capacity)
        load = -(running + 1.0) / room
        order = by_rank(load if self.by_load else scores.rank, situation, free) + by_rank(load, situation, eligible & ~free)
        best = by_rank(scores.rank, situation, eligible)[0]
        full = not self.by_load and order[0] != best
        detail = f"{columns.refs[best]} is at its capacity ({running[best]:.0f} calls under way), the request goes on"
        return Choice(order, notes=(Evidence("capacity", detail, 0.0, situation.now),) if full else ())
