"""One model for everything; what ``ENABLE_SMART_ROUTING=false`` uses (requirement E11)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crew_router.strategies.protocol import Choice, by_rank, strategy
from crew_router.types import Evidence

if TYPE_CHECKING:
    from crew_router.columns import Flags
    from crew_router.scoring import Scores
    from crew_router.situation import Situation


@strategy("fixed")
@dataclass(frozen=True, slots=True)
class Fixed:
    """Takes the named model whenever it is eligible, the best of the others otherwise."""

    model: str

    def choose(self, situation: Situation, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - no chance here
        """Order by rank behind the named model."""
        ranked = by_rank(scores.rank, situation, eligible)
        first = tuple(at for at in ranked if situation.columns.refs[at] == self.model)
        missing = () if first else (Evidence("strategy", f"{self.model} cannot serve this request", 0.0, situation.now),)
        return Choice(first + tuple(at for at in ranked if at not in first), notes=missing)
