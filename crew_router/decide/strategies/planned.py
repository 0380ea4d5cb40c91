"""The plan that a trained model expects most of: one model, or cheap ones first and dear ones while there is doubt."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crew_router.decide.strategies.protocol import Choice, by_rank, strategy, then
from crew_router.types import Evidence, Mode

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.learned.options import Option
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Flags


@strategy("planned")
@dataclass(frozen=True, slots=True)
class Planned:
    """Maximises ``willingness_to_pay x P(right) - cost`` over the learned plans and the models that were not learnt.

    Without a trained model every model is one that was not learnt.

    Args:
        willingness_to_pay: USD that a certainly right answer is worth, when the request does not say.
    """

    willingness_to_pay: float = 0.01

    def choose(self, context: RoutingContext, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - no chance here
        """Put the best plan first, the models by their utility alone behind it."""
        given = context.request.willingness_to_pay
        worth = self.willingness_to_pay if given is None else given
        options = [each for each in context.plans if all(eligible[index] for index in each.indices)]
        learnt = {each.indices[0]: each.cost_usd for each in context.plans if len(each.indices) == 1}
        cost = context.forecast.cost.copy()
        cost[list(learnt)] = list(learnt.values())
        dearest = np.nanmax(cost) if not np.isnan(cost).all() else 0.0
        utility = worth * context.forecast.success - np.nan_to_num(cost, nan=dearest)
        order = by_rank(utility, context, eligible)
        best = max(options, key=lambda option: _worth(option, worth), default=None)
        unseen = next((at for at in order if at not in learnt), None)
        if best is None or (unseen is not None and utility[unseen] > _worth(best, worth)):
            return Choice(order if unseen is None else then((unseen,), order))
        return _chosen(best, order, context)


def _worth(option: Option, worth: float) -> float:
    return worth * option.quality - option.cost_usd


def _chosen(option: Option, order: tuple[int, ...], context: RoutingContext) -> Choice:
    refs = [context.model_table.candidates[index] for index in option.indices]
    said = f"plan {' then '.join(refs)}: expected quality {option.quality:.3f} for ${option.cost_usd:.6f}"
    note = Evidence("planned", said, 1.0, context.now)
    if len(refs) == 1:
        return Choice(then(option.indices, order), notes=(note,))
    return Choice(
        then(option.indices, order),
        notes=(note,),
        mode=Mode.CASCADE,
        ladder=option.indices,
        stops=option.stops,
        expects=(option.quality, option.cost_usd),
    )
