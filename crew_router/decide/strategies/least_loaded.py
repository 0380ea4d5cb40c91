"""A strategy that takes the best model with free capacity (requirement D14, rule 9)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crew_router.decide.strategies.protocol import Choice, by_rank, checked, strategy
from crew_router.types import Evidence

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Flags


@strategy("least_loaded")
@dataclass(frozen=True, slots=True)
class LeastLoaded:
    """Spreads the calls in flight over the eligible models; none gets more than its share times the capacity factor.

    A model's share of the calls in flight is its ``limits.concurrency`` divided by the sum over all eligible models; a model
    without that limit counts as an average one. When a model is at its capacity the next best by rank is used; when all are,
    the least loaded.

    Args:
        capacity_factor: Multiple of its share that a model may take; the configured one by default.
        by_load: True orders the models with free capacity by load instead of by rank.
    """

    capacity_factor: float | None = None
    by_load: bool = False

    def __post_init__(self) -> None:
        """Check the factor."""
        if self.capacity_factor is not None:
            checked("capacity_factor", self.capacity_factor, low=1.0)

    def choose(self, context: RoutingContext, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - no chance here
        """Put models with free capacity first, by rank; the others follow, the least loaded first."""
        factor = context.capacity_factor if self.capacity_factor is None else self.capacity_factor
        in_flight, model_table = context.snapshot.in_flight, context.model_table
        running = np.array([in_flight.get(ref, 0) for ref in model_table.refs], dtype=np.float64)
        concurrency = np.where(np.isnan(model_table.concurrency), np.nanmean([*model_table.concurrency, 1.0]), model_table.concurrency)
        share = concurrency / concurrency[eligible].sum()
        capacity = np.ceil(factor * share * (running[eligible].sum() + 1.0))
        has_room = eligible & (running + 1.0 <= capacity)
        load = -(running + 1.0) / concurrency
        order = by_rank(load if self.by_load else scores.rank, context, has_room) + by_rank(load, context, eligible & ~has_room)
        best = by_rank(scores.rank, context, eligible)[0]
        overflows = not self.by_load and order[0] != best
        detail = f"{model_table.refs[best]} is at its capacity ({running[best]:.0f} calls under way), the request goes on"
        return Choice(order, notes=(Evidence("capacity", detail, 0.0, context.now),) if overflows else ())
