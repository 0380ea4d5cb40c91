"""Expected utility: what a right answer is worth, times how likely it is, minus what it costs."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crew_router.decide.strategies.protocol import Choice, by_rank, checked, strategy
from crew_router.types import Evidence, Mode

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Flags, Floats

_CONSIDERED = 8  # a cascade starts with one of the best few singles at a lower price


@strategy("utility")
@dataclass(frozen=True, slots=True)
class Utility:
    """Maximises ``willingness_to_pay x P(success) - cost - latency_price x latency``, over single models and cascades of two.

    A cascade asks a cheap model first and a better one when its answer is not accepted. It is chosen only where its expected
    utility is higher, escalation is on, and the request is not forced to one model.

    Args:
        willingness_to_pay: USD that a certainly right answer is worth, when the request does not say.
        latency_price: USD that a second of waiting costs.
        cascade: Whether cascades are considered.
        accepts_right: Share of right answers that the check after the first call accepts.
        accepts_wrong: Share of wrong answers that it accepts.
    """

    willingness_to_pay: float = 0.01
    latency_price: float = 0.0
    cascade: bool = True
    accepts_right: float = 0.85  # guess, not measured
    accepts_wrong: float = 0.5  # guess, not measured

    def __post_init__(self) -> None:
        """Check the parameters."""
        checked("willingness_to_pay", self.willingness_to_pay, low=0.0)
        checked("latency_price", self.latency_price, low=0.0)
        checked("accepts_right", self.accepts_right, low=0.0, high=1.0)
        checked("accepts_wrong", self.accepts_wrong, low=0.0, high=1.0)

    def choose(self, context: RoutingContext, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - no chance here
        """Order by expected utility; a model without a price is taken to cost as much as the dearest that has one."""
        given = context.request.willingness_to_pay
        worth = self.willingness_to_pay if given is None else given
        spent = self._spent(context)
        utility = worth * context.forecast.success - spent
        order = by_rank(utility, context, eligible)
        pair = self._pair(context, order, worth=worth, spent=spent) if self.cascade and context.escalation else None
        if pair is None:
            return Choice(order, steady=not (self.cascade and context.escalation))
        first, second, gain = pair
        names = f"{context.model_table.candidates[first]}, then {context.model_table.candidates[second]}"
        note = Evidence("strategy", f"a cascade ({names}) is worth ${gain:.6f} more than the best single model", gain, context.now)
        rest = tuple(at for at in order if at not in (first, second))
        return Choice((first, second, *rest), mode=Mode.CASCADE, ladder=(first, second), notes=(note,))

    def _spent(self, context: RoutingContext) -> Floats:
        cost, latency = context.forecast.cost, context.forecast.latency
        spent = np.where(np.isnan(cost), _most(cost), cost)
        return spent + self.latency_price * np.where(np.isnan(latency), _most(latency), latency) if self.latency_price else spent

    def _pair(self, context: RoutingContext, order: tuple[int, ...], *, worth: float, spent: Floats) -> tuple[int, int, float] | None:
        """Return the best cascade of two and what it gains over the best single, if it gains anything."""
        places = np.array(order[:_CONSIDERED])
        right, cost = context.forecast.success[places], spent[places]
        accepted = right * self.accepts_right
        going_on = 1.0 - accepted - (1.0 - right) * self.accepts_wrong
        # Rows are first models, columns second ones; the two are taken to be right independently of one another.
        value = worth * (accepted[:, None] + going_on[:, None] * right[None, :]) - cost[:, None] - going_on[:, None] * cost[None, :]
        value[~((cost[:, None] < cost[None, :]) & (right[:, None] < right[None, :]))] = -np.inf
        best = int(value.argmax())
        first, second = divmod(best, len(places))
        gain = float(value[first, second] - (worth * right[0] - cost[0]))
        return (int(places[first]), int(places[second]), gain) if gain > 0 else None


def _most(values: Floats) -> float:
    return 0.0 if np.isnan(values).all() else float(np.nanmax(values))
