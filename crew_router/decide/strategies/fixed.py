"""One model for everything; what ``ENABLE_SMART_ROUTING=false`` uses (requirement E11)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crew_router.decide.strategies.protocol import Choice, by_rank, strategy, then
from crew_router.types import Evidence, Tier

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Flags


@strategy("fixed")
@dataclass(frozen=True, slots=True)
class Fixed:
    """Takes the named model whenever it is eligible, the best of the others otherwise.

    Args:
        model: A reference; empty for the dearest premium model that is eligible, else the dearest of all.
    """

    model: str = ""

    def choose(self, context: RoutingContext, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - no chance here
        """Order by rank behind the named model."""
        ranked = by_rank(scores.rank, context, eligible)
        named = self.model or context.model_table.refs[_dearest(context, ranked)]
        first = tuple(at for at in ranked if named in (context.model_table.refs[at], context.model_table.candidates[at]))
        if not first:
            return Choice(ranked, notes=(Evidence("strategy", f"{named} cannot serve this request", 0.0, context.now),))
        said = "" if self.model else f"{named} is the dearest premium model that can serve; set baseline: to choose another"
        notes = (Evidence("strategy", said, 0.0, context.now),) if said else ()
        return Choice(then(first, ranked), notes=notes)


def _dearest(context: RoutingContext, places: tuple[int, ...]) -> int:
    premium = [at for at in places if context.models[at].tier is Tier.PREMIUM]
    prices = context.model_table.price_output
    return max(premium or places, key=lambda at: (prices[at] == prices[at], prices[at], -context.model_table.tie_break[at]))
