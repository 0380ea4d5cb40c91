"""The seven factors of requirement A5, by the formulas of ``CONTRACT.md`` rule 3.

Each factor gives every model a fraction of its points. Users add their own with :func:`factor`, or install them under the entry
point ``crew_router.factors``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from crew_router.decide.context import Situation, TaskPreference
    from crew_router.types import ModelRef, TaskType
    from crew_router.types.arrays import Floats

Factor = Callable[["Situation"], "Floats"]
ENTRY_POINTS: Final = "crew_router.factors"
REPORTED_MAX: Final = 100.0
NEUTRAL: Final = 0.5  # a success rate or learned weight that nobody has observed (mean of a flat Beta)
PREFERRED_SHARE: Final = 1.0
BUDGET_SHARE: Final = 0.6
_LEAST_COST_USD: Final = 1e-12
_TOTAL: Final = ""


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

    situation: Situation
    rank: Floats

    @cached_property
    def points(self) -> Mapping[str, Floats]:
        """Points by factor."""
        known = _steady_points(self.situation)
        return {name: known[name] if name in known else _weighted(self.situation, name) for name in factor_names()}

    @cached_property
    def score(self) -> Floats:
        """The reported score, 0..100."""
        return np.minimum(REPORTED_MAX, self.rank * REPORTED_MAX / self.situation.weights.total)

    def score_of(self, at: int) -> float:
        """Return the reported score of one model."""
        return min(REPORTED_MAX, float(self.rank[at]) * REPORTED_MAX / self.situation.weights.total)


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


def score(situation: Situation) -> Scores:
    """Rank every model, also those that a filter removed."""
    _load_installed()
    steady = _steady_points(situation)[_TOTAL]
    rank = steady + (_cost_points(situation) if _COST.function is _FACTORS["cost"].function else _weighted(situation, "cost"))
    for name in _varying(len(_FACTORS), _FACTORS["vendor_preference"].function is _vendor and situation.request.vendor_preference is None):
        rank += _weighted(situation, name)
    multipliers = situation.snapshot.multipliers
    if multipliers:
        rank *= situation.columns.memo.get(
            "multipliers",
            lambda: situation.columns.provider_values(lambda provider: multipliers.get(provider, 1.0)),
            of=multipliers,
        )
    return Scores(situation, rank)


def fraction(situation: Situation, name: str) -> Floats:
    """Return the fraction of its points that a factor gives every model."""
    return _FACTORS[name].function(situation)


def weight_of(situation: Situation, name: str) -> float:
    """Return the most points of a factor."""
    own = getattr(situation.weights, name, None)
    if isinstance(own, float | int):
        return float(own)
    return situation.weights.extra.get(name, _FACTORS[name].points or 0.0)


@cache
def _varying(known: int, no_vendor: bool) -> tuple[str, ...]:  # noqa: ARG001 - a factor more is another answer
    """Return the factors, besides cost, that are worked out for every request."""
    skipped = {"cost", "vendor_preference"} if no_vendor else {"cost"}
    return tuple(name for name, registered in _FACTORS.items() if not registered.steady and name not in skipped)


def _weighted(situation: Situation, name: str) -> Floats:
    return weight_of(situation, name) * fraction(situation, name)


def _steady_points(situation: Situation) -> Mapping[str, Floats]:
    """Return the points of every steady factor, and under ``_TOTAL`` their sum."""
    snapshot, task, memo = situation.snapshot, situation.profile.task_type.value, situation.columns.memo
    of = snapshot.weights, situation.preferences.get(task), situation.weights
    return memo.get_all(
        ("steady points", task),
        lambda: _summed(memo.get_all(("still points", task), lambda: _points_of(situation, history=False), of=of), situation),
        of=(snapshot.performance, *of),
    )


def _points_of(situation: Situation, *, history: bool) -> dict[str, Floats]:
    return {name: _weighted(situation, name) for name, each in _FACTORS.items() if each.steady and each.history is history}


def _summed(still: dict[str, Floats], situation: Situation) -> Mapping[str, Floats]:
    points = {**still, **_points_of(situation, history=True)}
    return {**points, _TOTAL: sum(points.values(), np.zeros(len(situation.models)))}


@cache
def _load_installed() -> None:
    for point in entry_points(group=ENTRY_POINTS):
        point.load()  # importing it runs its @factor


@factor("quality", steady=True, history=False)
def _quality(situation: Situation) -> Floats:
    return situation.forecast.quality


@factor("cost")
def _cost(situation: Situation) -> Floats:
    """Fall with the logarithm of the expected cost on a fixed scale; free is best, unknown is never the cheaper one."""
    weight = situation.weights.cost
    return _cost_points(situation) / weight if weight else np.zeros(len(situation.models))


def _cost_points(situation: Situation) -> Floats:
    low, high = situation.cost_scale_usd
    log_high = math.log10(high)
    points: Floats = np.log10(np.maximum(situation.forecast.cost, _LEAST_COST_USD))
    points = (log_high - points) * (situation.weights.cost / (log_high - math.log10(low)))
    # fmin and fmax pass over NaN, so that a model without a price gets no points.
    return np.fmax(np.minimum(points, situation.weights.cost), 0.0)


@factor("history", steady=True)
def _history(situation: Situation) -> Floats:
    """Shrink each success rate towards the pool's by its confidence."""
    rate, trust = situation.forecast.outlook.success_rate, situation.forecast.outlook.confidence
    known = ~np.isnan(rate)
    pool = float(rate[known].mean()) if known.any() else NEUTRAL
    return np.where(known, trust * rate + (1.0 - trust) * pool, pool)


@factor("learning", steady=True, history=False)
def _learning(situation: Situation) -> Floats:
    weights, task = situation.snapshot.weights, situation.profile.task_type.value
    return situation.columns.memo.get(("learning", task), lambda: _learned(weights, task, situation.columns.refs), of=weights)


def _learned(weights: Mapping[tuple[ModelRef, TaskType | None], float], task: TaskType, refs: Sequence[ModelRef]) -> Floats:
    if not weights:
        return np.full(len(refs), NEUTRAL)
    return np.array([weights.get((ref, task), weights.get((ref, None), NEUTRAL)) for ref in refs], dtype=np.float64)


@factor("task_preference", steady=True, history=False)
def _preference(situation: Situation) -> Floats:
    task = situation.profile.task_type.value
    listed, columns = situation.preferences.get(task), situation.columns
    return columns.memo.get(("preference", task), lambda: _preferred(listed, columns.refs), of=listed)


def _preferred(listed: TaskPreference | None, refs: Sequence[ModelRef]) -> Floats:
    if listed is None:
        return np.zeros(len(refs))
    shares = {**dict.fromkeys(listed.budget, BUDGET_SHARE), **dict.fromkeys(listed.preferred, PREFERRED_SHARE)}
    return np.array([shares.get(ref, 0.0) for ref in refs], dtype=np.float64)


@factor("diversity")
def _diversity(situation: Situation) -> Floats:
    shares, columns = situation.snapshot.provider_share, situation.columns
    return columns.memo.get("diversity", lambda: 1.0 - columns.provider_values(lambda each: shares.get(each, 0.0)), of=shares)


@factor("vendor_preference")
def _vendor(situation: Situation) -> Floats:
    wanted = situation.request.vendor_preference
    if wanted is None:
        return np.zeros(len(situation.models))
    return situation.columns.provider_values(lambda provider: float(provider == wanted))


_COST: Final = _FACTORS["cost"]
