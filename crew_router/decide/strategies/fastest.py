"""The model that is expected to answer first."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from crew_router.decide.strategies.protocol import Choice, by_rank, checked, one_of, strategy

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Flags


@strategy("fastest")
@dataclass(frozen=True, slots=True)
class Fastest:
    """Orders by expected seconds; models whose speed nobody knows come last.

    Args:
        by: ``total`` (seconds to the whole answer), ``ttft`` (to the first token) or ``p95``.
        margin: How much P(success) may be given up for speed, 0..1.
    """

    by: Literal["total", "ttft", "p95"] = "total"
    margin: float = 1.0

    def __post_init__(self) -> None:
        """Check the parameters."""
        one_of("by", self.by, ("total", "ttft", "p95"))
        checked("margin", self.margin, low=0.0, high=1.0)

    def choose(self, context: RoutingContext, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - no chance here
        """Put good enough models first, by seconds."""
        predicted = context.forecast
        seconds = {"total": predicted.latency, "p95": predicted.p95}.get(self.by, predicted.outlook.ttft)
        haste = -np.where(np.isnan(seconds) | predicted.outlook.guessed, np.inf, seconds)
        good = eligible & (predicted.success >= predicted.success[eligible].max() - self.margin)
        return Choice(by_rank(haste, context, good) + by_rank(haste, context, eligible & ~good))
