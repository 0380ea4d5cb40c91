"""The cheapest model that is probably good enough."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crew_router.decide.strategies.protocol import Choice, by_rank, checked, strategy, then

if TYPE_CHECKING:
    from crew_router.decide.context import Situation
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Flags


@strategy("cheapest_adequate")
@dataclass(frozen=True, slots=True)
class CheapestAdequate:
    """Takes the cheapest model whose P(success) is within ``margin`` of the best one's.

    Args:
        margin: How much P(success) may be given up, 0..1.
    """

    margin: float = 0.05

    def __post_init__(self) -> None:
        """Check the margin."""
        checked("margin", self.margin, low=0.0, high=1.0)

    def choose(self, situation: Situation, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - no chance here
        """Put adequate models first by price; models without a price come after priced ones."""
        success = situation.forecast.success
        adequate = eligible & (success >= success[eligible].max() - self.margin)
        cost = situation.forecast.cost
        first = by_rank(-np.where(np.isnan(cost), np.inf, cost), situation, adequate)
        return Choice(then(first, by_rank(success, situation, eligible)))
