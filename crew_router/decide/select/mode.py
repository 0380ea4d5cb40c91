"""From an order of models to what is run: the mode, the models, their fallbacks and a judge (requirements A7, A11)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.types import Evidence, Mode, TaskType

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.types.arrays import Flags

FALLBACKS: Final = 3
MEMBERS: Final = 3
LEAST_MEMBERS: Final = 2
ADEQUATE_MARGIN: Final = 0.15  # guess, not measured: what the first step of a cascade may lack of the best chance of being right
CRITICAL_TASKS: Final = frozenset({TaskType.SECURITY_AUDIT, TaskType.CODE_REVIEW, TaskType.PLANNING, TaskType.REASONING})
HIGH_QUALITY: Final = 0.9
HIGH_BUDGET_USD: Final = 0.05


@dataclass(frozen=True, slots=True)
class Wish:
    """What the strategy wants: its order, the mode it asks for, and the ladder of a cascade."""

    order: tuple[int, ...]
    mode: Mode | None = None
    ladder: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """Places of the registry: the model to use and the ones that may answer when it fails; all models of the mode, and a judge."""

    selected: int
    fallbacks: tuple[int, ...]
    _: KW_ONLY
    mode: Mode = Mode.SINGLE
    models: tuple[int, ...] = ()
    judge: int | None = None
    notes: tuple[Evidence, ...] = ()


def select(context: RoutingContext, wish: Wish, *, implicit: bool, judges: Callable[[], Flags]) -> Selection:
    """Decide the mode, and take the models for it.

    Args:
        context: What is asked and known.
        wish: What the strategy wants.
        implicit: Whether the triggers of requirement A11 hold besides explicit ones (``parallel.triggers: moe``).
        judges: Returns who may judge: models that pass everything but the quality floor (rule 6).
    """
    order = wish.order
    why = _parallel_because(context, implicit=implicit)
    if why:
        return _parallel(context, order, why=why, judges=judges)
    mode = context.policy_result.mode or wish.mode
    if mode is Mode.PARALLEL:
        return _parallel(context, order, why="a rule or the strategy asks for it", judges=judges)
    if mode is Mode.CASCADE and context.request.parallel is not False:
        return _cascade(context, order, ladder=wish.ladder or _ladder(context, order))
    return Selection(order[0], fallbacks_of(context, order))


def fallbacks_of(context: RoutingContext, order: Sequence[int]) -> tuple[int, ...]:
    """Return up to three models that may answer when the first of an order fails.

    They are first those that the registry names for it, then the next of the order. At least one is of another provider where
    there is one, so that an outage of a provider does not take all of them.
    """
    if not context.request.fallbacks:
        return ()
    owner = context.model_table.owners
    order = one_each(context, order, enough=0 if context.models[order[0]].fallbacks else FALLBACKS + 1)
    first = _wanted(context, order)
    provider = owner[order[0]]
    if not first or any(owner[at] != provider for at in first):
        return first
    other = next((at for at in order if owner[at] != provider), None)
    return first if other is None else (*first[:-1], other)


def one_each(context: RoutingContext, order: Sequence[int], *, enough: int = 0) -> tuple[int, ...]:
    """Return an order with each model once, at the effort that comes first.

    Args:
        context: What is asked and known.
        order: Places, the best first.
        enough: With so many models, and two providers among them, the rest is left out; 0 for all.
    """
    table = context.model_table
    codes, owners = table.codes, table.owners
    seen: set[int] = set()
    first: list[int] = []
    several = False
    for at in order:
        if codes[at] in seen:
            continue
        seen.add(codes[at])
        first.append(at)
        several = several or owners[at] != owners[first[0]]
        if enough and several and len(first) >= enough:
            break
    return tuple(first)


def _wanted(context: RoutingContext, order: Sequence[int]) -> tuple[int, ...]:
    named = context.models[order[0]].fallbacks
    if not named:
        return tuple(order[1 : FALLBACKS + 1])
    table = context.model_table
    places = {name: at for at in order for name in (table.refs[at], table.candidates[at])}
    first = [places[ref] for ref in named if ref in places]
    return (*first, *(at for at in order[1:] if at not in first))[:FALLBACKS]


def _parallel_because(context: RoutingContext, *, implicit: bool) -> str:
    """Return why a request runs in parallel, empty when it does not (rule 2)."""
    request = context.request
    if request.parallel is not None:
        return "the caller asks for it" if request.parallel else ""
    if request.critical:
        return "the request is critical"
    if not implicit:
        return ""
    if context.profile.task_type.value in CRITICAL_TASKS:
        return f"{context.profile.task_type.value} is a critical task type"
    if request.metadata.get("critical") is True:
        return "its metadata says critical"
    demanding = (request.quality_requirement or 0.0) >= HIGH_QUALITY and (request.cost_budget or 0.0) >= HIGH_BUDGET_USD
    return f"quality of at least {HIGH_QUALITY} with a budget of at least ${HIGH_BUDGET_USD}" if demanding else ""


def _parallel(context: RoutingContext, order: Sequence[int], *, why: str, judges: Callable[[], Flags]) -> Selection:
    order = one_each(context, order)
    members = _diverse(context, order)
    judge = _judge(context, members, judges()) if len(members) > 1 else None
    members = _affordable(context, members, judge)
    if len(members) < LEAST_MEMBERS:
        short = "fewer than two models can serve" if len(order) < LEAST_MEMBERS else "the budget pays for no two models and a judge"
        note = Evidence("mode", f"no parallel run although {why}: {short}", 0.0, context.now)
        return Selection(order[0], fallbacks_of(context, order), notes=(note,))
    note = Evidence("mode", f"{len(members)} models in parallel because {why}", float(len(members)), context.now)
    rest = tuple(at for at in order if at not in members)
    fallbacks = fallbacks_of(context, (members[0], *rest)) if rest else ()
    return Selection(members[0], fallbacks, mode=Mode.PARALLEL, models=members, judge=judge, notes=(note,))


def _diverse(context: RoutingContext, order: Sequence[int]) -> tuple[int, ...]:
    """Return the first of an order and the next of other vendors; where those run out, the next of any."""
    refs = context.model_table.refs
    members = [order[0]]
    for other_only in (True, False):
        for at in order:
            if len(members) == MEMBERS:
                break
            taken = {refs[member].provider for member in members}
            if at not in members and not (other_only and refs[at].provider in taken):
                members.append(at)
    return tuple(sorted(members, key=order.index))


def _judge(context: RoutingContext, members: Sequence[int], allowed: Flags) -> int | None:
    quality, names = context.forecast.quality, context.model_table.tie_break
    code = context.model_table.model_code
    asked = {code.item(member) for member in members}
    outside = [at for at in np.flatnonzero(allowed).tolist() if code.item(at) not in asked]
    return max(outside, key=lambda at: (quality[at], -names[at]), default=None)


def _cascade(context: RoutingContext, order: Sequence[int], *, ladder: Sequence[int]) -> Selection:
    steps = _affordable(context, ladder, None)
    if len(steps) < LEAST_MEMBERS:
        note = Evidence("mode", "no cascade: the budget pays for one model only, or only one can serve", 0.0, context.now)
        return Selection(order[0], fallbacks_of(context, order), notes=(note,))
    rest = tuple(at for at in order if at not in steps)
    return Selection(steps[0], fallbacks_of(context, (steps[0], *steps[1:], *rest)), mode=Mode.CASCADE, models=steps)


def _ladder(context: RoutingContext, order: Sequence[int]) -> tuple[int, ...]:
    """Return the cheapest candidate that is adequate, then the one most likely to be right; another effort of a model is a step too."""
    success, cost = context.forecast.success, context.forecast.cost
    best = max(order, key=success.item)
    adequate = [at for at in order if success.item(at) >= success.item(best) - ADEQUATE_MARGIN]
    first = min(adequate, key=lambda at: (math.inf if math.isnan(cost[at]) else cost.item(at), order.index(at)))
    if first != best:
        return first, best
    return (first, *(at for at in order if at != first))[:LEAST_MEMBERS]


def _affordable(context: RoutingContext, members: Sequence[int], judge: int | None) -> tuple[int, ...]:
    """Return as many of the first models as the budgets pay for together with the judge, at least one."""
    limit = _limit_usd(context)
    count = next((size for size in range(len(members), 1, -1) if _cost(context, members[:size], judge) <= limit), 1)
    return tuple(members[:count])


def _cost(context: RoutingContext, members: Sequence[int], judge: int | None) -> float:
    places = members if judge is None else (*members, judge)
    costs = (float(context.forecast.cost[at]) for at in places)
    return sum(0.0 if math.isnan(cost) else cost for cost in costs)


def _limit_usd(context: RoutingContext) -> float:
    own = context.request.cost_budget
    return min((*context.limits_usd.values(), *(() if own is None else (own,))), default=math.inf)
