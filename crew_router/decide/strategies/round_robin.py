"""Every eligible model in turn (requirement D14, load balancing)."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from crew_router.decide.strategies.protocol import Choice, by_rank, checked, strategy
from crew_router.types import Draw

if TYPE_CHECKING:
    from crew_router.decide.context import Situation
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Flags


@strategy("round_robin")
@dataclass(frozen=True, slots=True)
class RoundRobin:
    """Goes through the eligible models by name; each process counts for itself.

    The turn is what a bandit's draw is: the propensity of each model is one over their number.

    Args:
        margin: Only models whose P(success) is within this of the best one's take turns, 0..1.
    """

    margin: float = 1.0
    _turns: Iterator[int] = field(default_factory=itertools.count, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the margin."""
        checked("margin", self.margin, low=0.0, high=1.0)

    def choose(self, situation: Situation, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - turns, not chance
        """Start at the model whose turn it is."""
        success = situation.forecast.success
        taking = eligible & (success >= success[eligible].max() - self.margin)
        places = by_rank(np.zeros(len(success)), situation, taking)
        turn = next(self._turns)
        start = turn % len(places)
        order = places[start:] + places[:start] + by_rank(scores.rank, situation, eligible & ~taking)
        chance = 1.0 / len(places)
        return Choice(order, propensity=chance, draw=Draw(detail={"turn": float(turn)}), chances=dict.fromkeys(places, chance))
