"""The seven factors of requirement A5, by the formulas of rule 3.

Each factor gives every model a fraction of its points. Users add their own with :func:`factor`, or install them under the entry
point ``crew_router.factors``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.types.cached import cached_property
from crew_router.types.vocabulary import Urgency

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext, TaskPreference
    from crew_router.decide.model_table import ModelTable
    from crew_router.types import ModelRef, TaskType
    from crew_router.types.arrays import Floats

Factor = Callable[["RoutingContext"], "Floats"]
ENTRY_POINTS: Final = "crew_router.factors"
REPORTED_MAX: Final = 100.0
NEUTRAL: Final = 0.5  # a success rate or learned weight that nobody has observed (mean of a flat Beta)
PREFERRED_SHARE: Final = 1.0
BUDGET_SHARE: Final = 0.6
_LEAST_COST_USD: Final = 1e-12
PATIENCE_S: Final = 10.0
_TOTAL: Final = ""
PROVIDER: Final = "provider"
"""Points that the provider multiplier adds or takes, so that all points together are the rank."""


@dataclass(frozen=True, slots=True)
class _Registered:
    function: Factor
    points: float | None
    steady: bool
    history: bool


_FACTORS: Final[dict[str, _Registered]] = {}


@dataclass(frozen=True)
class Scores:
    """The unclipped rank that orders models; points by factor and the score 0..100 are worked out when asked for."""

    context: RoutingContext
    rank: Floats

    @cached_property
    def points(self) -> Mapping[str, Floats]:
        """Points by factor."""
        known = _steady_points(self.context)
        points = {name: known[name] if name in known else _weighted(self.context, name) for name in factor_names()}
        multiplier = _multiplier(self.context)
        if multiplier is not None:
            points[PROVIDER] = self.rank - self.rank / multiplier
        return points

    @cached_property
    def score(self) -> Floats:
        """The reported score, 0..100."""
        return np.minimum(REPORTED_MAX, self.rank * REPORTED_MAX / self.context.weights.total)

    def score_of(self, at: int) -> float:
        """Return the reported score of one model."""
        return min(REPORTED_MAX, float(self.rank[at]) * REPORTED_MAX / self.context.weights.total)


def factor(name: str, *, points: float | None = None, steady: bool = False, history: bool = True) -> Callable[[Factor], Factor]:
    """Register a scoring factor (requirement A6).

    Args:
        name: Its name in explanations; a name of the seven replaces that factor.
        points: The most points it gives, for factors that are not among the seven; ``scoring.factors`` in YAML wins.
        steady: It depends on nothing but the registry, the task type, preferences, history and learned weights, so that it is
            worked out once for each change of those.
        history: Whether a steady factor depends on history; one that does not is kept when an outcome comes in.

    Example:
        >>> @factor("european", points=4)
        ... def _european(situation):
        ...     return np.array([float("eu" in model.regions) for model in situation.models])
        >>> forget_factor("european")
    """

    def register(function: Factor) -> Factor:
        _FACTORS[name] = _Registered(function, points, steady, history)
        return function

    return register


def forget_factor(name: str) -> None:
    """Take a factor that was registered in this process out again."""
    _FACTORS.pop(name, None)


def factor_names() -> tuple[str, ...]:
    """Return the names of all factors, built in, registered and installed."""
    _load_installed()
    return tuple(_FACTORS)


def score(context: RoutingContext) -> Scores:
    """Rank every model, also those that a filter removed."""
    _load_installed()
    steady = _steady_points(context)[_TOTAL]
    rank = steady + (_cost_points(context) if _COST.function is _FACTORS["cost"].function else _weighted(context, "cost"))
    for name in _varying(len(_FACTORS), _FACTORS["vendor_preference"].function is _vendor and context.request.vendor_preference is None):
        rank += _weighted(context, name)
    multiplier = _multiplier(context)
    if multiplier is not None:
        rank *= multiplier
    return Scores(context, rank)


def _multiplier(context: RoutingContext) -> Floats | None:
    """Return the provider multiplier of every candidate (requirement B1); ``None`` where it is switched off or none differs from 1."""
    multipliers = context.snapshot.multipliers
    if not multipliers or not context.provider_multiplier:
        return None
    return context.model_table.memo.get("multipliers", lambda: _of_providers(context.model_table, multipliers), of=multipliers)


def _of_providers(model_table: ModelTable, multipliers: Mapping[str, float]) -> Floats | None:
    spread = model_table.provider_values(lambda provider: multipliers.get(provider, 1.0))
    return None if (spread == 1.0).all() else spread


def fraction(context: RoutingContext, name: str) -> Floats:
    """Return the fraction of its points that a factor gives every model."""
    return _FACTORS[name].function(context)


def weight_of(context: RoutingContext, name: str) -> float:
    """Return the most points of a factor."""
    own = getattr(context.weights, name, None)
    if isinstance(own, float | int):
        return float(own)
    return context.weights.extra.get(name, _FACTORS[name].points or 0.0)


@cache
def _varying(known: int, no_vendor: bool) -> tuple[str, ...]:  # noqa: ARG001 - a factor more is another answer
    """Return the factors, besides cost, that are worked out for every request."""
    skipped = {"cost", "vendor_preference"} if no_vendor else {"cost"}
    return tuple(name for name, registered in _FACTORS.items() if not registered.steady and name not in skipped)


def _weighted(context: RoutingContext, name: str) -> Floats:
    return weight_of(context, name) * fraction(context, name)


def _steady_points(context: RoutingContext) -> Mapping[str, Floats]:
    """Return the points of every steady factor, and under ``_TOTAL`` their sum."""
    snapshot, task, memo = context.snapshot, context.profile.task_type.value, context.model_table.memo
    of = snapshot.weights, context.preferences.get(task), context.weights
    return memo.get_all(
        ("steady points", task),
        lambda: _summed(memo.get_all(("still points", task), lambda: _points_of(context, history=False), of=of), context),
        of=(snapshot.performance, *of),
    )


def _points_of(context: RoutingContext, *, history: bool) -> dict[str, Floats]:
    return {name: _weighted(context, name) for name, each in _FACTORS.items() if each.steady and each.history is history}


def _summed(still: dict[str, Floats], context: RoutingContext) -> Mapping[str, Floats]:
    points = {**still, **_points_of(context, history=True)}
    return {**points, _TOTAL: sum(points.values(), np.zeros(len(context.models)))}


@cache
def _load_installed() -> None:
    for point in entry_points(group=ENTRY_POINTS):
        point.load()  # importing it runs its @factor


@factor("quality")
def _quality(context: RoutingContext) -> Floats:
    """P(success) of this request; where history has no points of its own, calls that failed count in it."""
    success = context.forecast.cautious
    return success * _history(context) if _failures_count(context) else success


def _failures_count(context: RoutingContext) -> bool:
    """Tell whether some call failed, and history has no points of its own."""
    return not context.weights.history and context.forecast.outlook.any_failed


@factor("cost")
def _cost(context: RoutingContext) -> Floats:
    """Fall with the logarithm of the expected cost, waiting included, on a fixed scale; free is best, unknown is never the cheaper one."""
    weight = context.weights.cost
    return _cost_points(context) / weight if weight else np.zeros(len(context.models))


def _cost_points(context: RoutingContext) -> Floats:
    low, high = context.cost_scale_usd
    log_high = math.log10(high)
    spent = context.forecast.cost
    if context.waiting_usd_per_s:
        spent = spent + context.waiting_usd_per_s * _waited(context)
    points: Floats = np.log10(np.maximum(spent, _LEAST_COST_USD))
    points = (log_high - points) * (context.weights.cost / (log_high - math.log10(low)))
    # fmin and fmax pass over NaN, so that a model without a price gets no points.
    return np.fmax(np.minimum(points, context.weights.cost), 0.0)


def _waited(context: RoutingContext) -> Floats:
    """Return the seconds to the whole answer; where somebody sits and waits each weighs more the longer it takes, at 10 s twice."""
    seconds = context.forecast.latency
    return seconds * (1.0 + seconds / PATIENCE_S) if context.profile.urgency.value == Urgency.INTERACTIVE else seconds


@factor("history", steady=True)
def _history(context: RoutingContext) -> Floats:
    """Shrink each success rate towards the pool's by its confidence."""
    rate, trust = context.forecast.outlook.success_rate, context.forecast.outlook.confidence
    known = ~np.isnan(rate)
    pool = float(rate[known].mean()) if known.any() else NEUTRAL
    return np.where(known, trust * rate + (1.0 - trust) * pool, pool)


@factor("learning", steady=True, history=False)
def _learning(context: RoutingContext) -> Floats:
    weights, task = context.snapshot.weights, context.profile.task_type.value
    return context.model_table.memo.get(("learning", task), lambda: _learned(weights, task, context.model_table.candidates), of=weights)


def _learned(weights: Mapping[tuple[ModelRef, TaskType | None], float], task: TaskType, refs: Sequence[ModelRef]) -> Floats:
    if not weights:
        return np.full(len(refs), NEUTRAL)
    return np.array([_weight(weights, ref, task) for ref in refs], dtype=np.float64)


def _weight(weights: Mapping[tuple[ModelRef, TaskType | None], float], ref: ModelRef, task: TaskType) -> float:
    """Return the weight of a candidate, else what was said of its model without naming an effort."""
    known = (weights.get((name, kind)) for name in (ref, ref.model) for kind in (task, None))
    return next((weight for weight in known if weight is not None), NEUTRAL)


@factor("task_preference", steady=True, history=False)
def _preference(context: RoutingContext) -> Floats:
    task = context.profile.task_type.value
    listed, model_table = context.preferences.get(task), context.model_table
    return model_table.memo.get(("preference", task), lambda: _preferred(listed, model_table), of=listed)


def _preferred(listed: TaskPreference | None, model_table: ModelTable) -> Floats:
    refs = model_table.candidates
    if listed is None:
        return np.zeros(len(refs))
    shares = {**dict.fromkeys(listed.budget, BUDGET_SHARE), **dict.fromkeys(listed.preferred, PREFERRED_SHARE)}
    given = np.array([shares.get(ref, shares.get(ref.model, 0.0)) for ref in refs], dtype=np.float64)
    return np.where(model_table.placed, 0.0, given) if listed.packaged else given


@factor("diversity")
def _diversity(context: RoutingContext) -> Floats:
    shares, model_table = context.snapshot.provider_share, context.model_table
    return model_table.memo.get("diversity", lambda: 1.0 - model_table.provider_values(lambda each: shares.get(each, 0.0)), of=shares)


@factor("vendor_preference")
def _vendor(context: RoutingContext) -> Floats:
    wanted = context.request.vendor_preference
    if wanted is None:
        return np.zeros(len(context.models))
    return context.model_table.provider_values(lambda provider: float(provider == wanted))


_COST: Final = _FACTORS["cost"]
