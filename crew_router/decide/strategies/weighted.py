"""The default: the seven weighted factors (requirement A5)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crew_router.decide.strategies.protocol import Choice, by_rank, strategy

if TYPE_CHECKING:
    from crew_router.decide.context import Situation
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Flags


@strategy("weighted")
@dataclass(frozen=True, slots=True)
class Weighted:
    """Takes the model with the highest rank."""

    def choose(self, situation: Situation, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - no chance here
        """Order by rank."""
        return Choice(by_rank(scores.rank, situation, eligible), steady=True)
