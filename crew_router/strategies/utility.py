"""Expected utility: what a right answer is worth, times how likely it is, minus what it costs."""

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


@strategy("utility")
@dataclass(frozen=True, slots=True)
class Utility:
    """Maximises ``willingness_to_pay x P(success) - cost - latency_price x latency``.

    Args:
        willingness_to_pay: USD that a certainly right answer is worth, when the request does not say.
        latency_price: USD that a second of waiting costs.
    """

    willingness_to_pay: float = 0.01
    latency_price: float = 0.0

    def __post_init__(self) -> None:
        """Check that neither price is negative."""
        for name in ("willingness_to_pay", "latency_price"):
            if not getattr(self, name) >= 0.0:
                msg = f"{name} {getattr(self, name)} is not a number of at least 0"
                raise ValueError(msg)

    def choose(self, situation: Situation, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - no chance here
        """Order by expected utility; a model without a price is taken to cost as much as the dearest that has one."""
        given = situation.request.willingness_to_pay
        worth = self.willingness_to_pay if given is None else given
        predicted = situation.forecast
        dearest = np.nanmax(predicted.cost) if not np.isnan(predicted.cost).all() else 0.0
        utility = worth * predicted.success - np.nan_to_num(predicted.cost, nan=dearest)
        if self.latency_price:
            slowest = np.nanmax(predicted.latency) if not np.isnan(predicted.latency).all() else 0.0
            utility = utility - self.latency_price * np.nan_to_num(predicted.latency, nan=slowest)
        return Choice(by_rank(utility, situation, eligible))
