"""A strategy that takes eligible models in turn (requirement D14, load balancing)."""

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
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Flags


@strategy("round_robin")
@dataclass(frozen=True, slots=True)
class RoundRobin:
    """Takes the eligible models in turn, in order of their names; each process counts its own turns.

    For off-policy evaluation the turn counts as a random draw: the propensity of each model is 1 / (number of models).

    Args:
        margin: Only models whose P(success) is at most this much below the best one's take turns, 0..1.
    """

    margin: float = 1.0
    _turns: Iterator[int] = field(default_factory=itertools.count, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the margin."""
        checked("margin", self.margin, low=0.0, high=1.0)

    def choose(self, context: RoutingContext, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - turns, not chance
        """Start at the model whose turn it is."""
        success = context.forecast.success
        in_turn = eligible & (success >= success[eligible].max() - self.margin)
        candidates = by_rank(np.zeros(len(success)), context, in_turn)
        turn = next(self._turns)
        start = turn % len(candidates)
        order = candidates[start:] + candidates[:start] + by_rank(scores.rank, context, eligible & ~in_turn)
        chance = 1.0 / len(candidates)
        return Choice(order, propensity=chance, draw=Draw(detail={"turn": float(turn)}), chances=dict.fromkeys(candidates, chance))
