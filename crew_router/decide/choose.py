"""From scores to a choice: the strategy, the models that passed, what is pinned, the wanted tier, the mode."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from crew_router.decide.filter import QUALITY_FLOOR, rejections, surviving
from crew_router.decide.filter.constraint import outward
from crew_router.decide.filter.nearest import nearest_miss
from crew_router.decide.select.mode import Selection, Wish, select
from crew_router.decide.select.pins import Pinned, pinned
from crew_router.decide.strategies import Choice
from crew_router.decide.strategies.protocol import by_rank, then
from crew_router.errors import NoCandidateError
from crew_router.types import Evidence, Tier

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.rules import Rules
    from crew_router.decide.score import Scores
    from crew_router.decide.strategies import Strategy
    from crew_router.types.arrays import Flags

_TIERS = tuple(Tier)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What came of strategy and selection."""

    choice: Choice
    selection: Selection
    eligible: Flags


def strategy_of(rules: Rules, context: RoutingContext) -> tuple[str, Strategy]:
    """Return the strategy: a policy's, the request's, the dial's, that of the task type, the experiment's, the configured one."""
    request = context.request
    if not rules.smart:
        return rules.strategy_name, rules.strategy
    if context.policy_result.strategy is not None:
        chosen = context.policy_result.strategy
        return chosen.name, rules.named.get(chosen.name, chosen.parameters)
    by_worth = "planned" if context.plans else "utility"
    asked = request.strategy or (by_worth if request.willingness_to_pay is not None else None)
    if asked is not None:
        return asked, rules.strategy if asked == rules.strategy_name else rules.named.get(asked)
    task = context.profile.task_type.value
    by_task = rules.task_strategies.get(task) if rules.task_strategies else None
    tried = None if by_task is not None or rules.experiment is None else rules.experiment(request, task)
    return by_task or tried or (rules.strategy_name, rules.strategy)


def choose(context: RoutingContext, scores: Scores, strategy: Strategy, *, rng: random.Random, implicit: bool) -> Chosen:
    """Filter, let the strategy order what is left, put what is pinned first, and decide the mode.

    Raises:
        NoCandidateError: No model is left, or the one that the caller forces may not be used.
    """
    eligible = surviving(context)
    first = pinned(context, eligible, scores.rank)
    if first is not None and first.refused:
        raise nobody(context, only=first.at)
    if np.count_nonzero(eligible):
        choice = _of_strategy(context, scores, strategy, eligible=eligible, rng=rng)
    elif first is not None and first.at is not None:
        choice = Choice(())
    else:
        raise nobody(context)
    if first is not None:
        choice, eligible = _behind(choice, first), _with(eligible, first.at)
    wish = Wish(choice.order, choice.mode, choice.ladder)
    selection = select(context, wish, implicit=implicit, judges=lambda: surviving(context, without=(QUALITY_FLOOR,)))
    return Chosen(choice, selection, eligible)


def _of_strategy(context: RoutingContext, scores: Scores, strategy: Strategy, *, eligible: Flags, rng: random.Random) -> Choice:
    """Let the strategy order the models of the wanted tier; the others stand behind them."""
    wanted, tier_note = of_tier(context, eligible)
    choice = strategy.choose(context, scores, eligible=wanted, rng=rng)
    if wanted is eligible:
        return choice
    return replace(choice, order=then(choice.order, by_rank(scores.rank, context, eligible)), notes=(*choice.notes, *tier_note))


def _behind(choice: Choice, first: Pinned) -> Choice:
    """Put the pinned model first, or what stands in for it; without either the choice stays as it is."""
    notes, ahead = (*choice.notes, *first.notes), first.follow if first.at is None else (first.at,)
    if not ahead:
        return replace(choice, notes=notes)
    return replace(choice, order=then(ahead, choice.order), propensity=1.0, notes=notes, mode=None, ladder=(), stops=(), steady=False)


def _with(eligible: Flags, at: int | None) -> Flags:
    """Return the flags with one more place."""
    if at is None or eligible[at]:
        return eligible
    more = eligible.copy()
    more[at] = True
    return more


def of_tier(context: RoutingContext, eligible: Flags) -> tuple[Flags, tuple[Evidence, ...]]:
    """Return the models of the wanted tier; unknown tiers match, and the next tier is used when none does (rule 10)."""
    wanted = context.request.tier
    if wanted is None:
        return eligible, ()
    names = np.array(context.model_table.tiers)
    unknown = eligible & (names == "")
    at = _TIERS.index(wanted)
    for tier in sorted(_TIERS, key=lambda each: (abs(_TIERS.index(each) - at), _TIERS.index(each))):
        found = eligible & (names == tier)
        if found.any() or (tier is wanted and unknown.any()):
            note = () if tier is wanted else (Evidence("tier", f"no {wanted} model can serve; {tier} is next", 0.0, context.now),)
            matching = found | unknown if tier is wanted else found
            return (eligible if matching.sum() == eligible.sum() else matching), note
    return eligible, ()


def nobody(context: RoutingContext, only: int | None = None) -> NoCandidateError:
    """Return the error that lists every model with what removed it, and the nearest miss."""
    places = range(len(context.models)) if only is None else (only,)
    table = {context.model_table.candidates[at]: why for at, why in rejections(context, places).items()}
    nearest = " ".join(filter(None, (_highest_quality(context), nearest_miss(table))))
    return NoCandidateError(table, nearest=nearest, effects=context.policy_result.effects)


def _highest_quality(context: RoutingContext) -> str:
    """Say what quality can be met by what passes everything else, where a quality was asked for that cannot."""
    wanted, able = context.request.quality_requirement, surviving(context, without=(QUALITY_FLOOR,))
    if wanted is None or not able.any() or context.forecast.quality[able].max() >= wanted:
        return ""
    return f"The highest quality_requirement that can be met is {outward(float(context.forecast.quality[able].max()), up=False)}."
