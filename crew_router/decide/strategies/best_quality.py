"""The model that is most likely to be right, whatever it costs."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crew_router.decide.strategies.protocol import Choice, by_rank, strategy

if TYPE_CHECKING:
    from crew_router.decide.context import Situation
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Flags


@strategy("best_quality")
@dataclass(frozen=True, slots=True)
class BestQuality:
    """Orders by P(success)."""

    def choose(self, situation: Situation, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - no chance here
        """Order by P(success)."""
        return Choice(by_rank(situation.forecast.success, situation, eligible), steady=True)
