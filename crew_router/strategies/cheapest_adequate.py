"""The cheapest model that is probably good enough."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crew_router.strategies.protocol import Choice, by_rank, strategy

if TYPE_CHECKING:
    from crew_router.columns import Flags
    from crew_router.scoring import Scores
    from crew_router.situation import Situation


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
        if not 0.0 <= self.margin <= 1.0:
            msg = f"margin {self.margin} is not between 0 and 1"
            raise ValueError(msg)

    def choose(self, situation: Situation, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - no chance here
        """Put adequate models first by price; models without a price come after priced ones."""
        success = situation.forecast.success
        adequate = eligible & (success >= success[eligible].max() - self.margin)
        cost = np.nan_to_num(situation.forecast.cost, nan=np.inf)
        first = by_rank(-cost, situation, adequate)
        return Choice(first + tuple(at for at in by_rank(success, situation, eligible) if at not in first))
