"""The seven factors of requirement A5, by the formulas of ``CONTRACT.md`` rule 3.

Each factor gives every model a fraction of its points. Users add their own with :func:`factor`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from crew_router.columns import Floats
    from crew_router.situation import Situation

Factor = Callable[["Situation"], "Floats"]
REPORTED_MAX: Final = 100.0
NEUTRAL: Final = 0.5  # a success rate or learned weight that nobody has observed (mean of a flat Beta)
PREFERRED_SHARE: Final = 1.0
BUDGET_SHARE: Final = 0.6

_FACTORS: Final[dict[str, Factor]] = {}
_EXTRA_POINTS: Final[dict[str, float]] = {}


@dataclass(frozen=True, slots=True)
class Scores:
    """Points by factor, the unclipped rank that orders models, and the score 0..100 that is reported."""

    points: Mapping[str, Floats]
    rank: Floats
    score: Floats


def factor(name: str, *, points: float | None = None) -> Callable[[Factor], Factor]:
    """Register a scoring factor (requirement A6).

    Args:
        name: Its name in explanations; a name of the seven replaces that factor.
        points: The most points it gives, for factors that are not among the seven.
    """

    def register(function: Factor) -> Factor:
        _FACTORS[name] = function
        if points is not None:
            _EXTRA_POINTS[name] = points
        return function

    return register


def score(situation: Situation) -> Scores:
    """Score every model, also those that a filter removed."""
    points = {name: _weight(situation, name) * fraction(situation) for name, fraction in _FACTORS.items()}
    total: Floats = np.sum(list(points.values()), axis=0)
    multipliers = situation.snapshot.multipliers
    rank = total * situation.columns.provider_values(lambda provider: multipliers.get(provider, 1.0)) if multipliers else total
    return Scores(points, rank, np.minimum(REPORTED_MAX, rank * REPORTED_MAX / situation.weights.total))


def _weight(situation: Situation, name: str) -> float:
    extra = _EXTRA_POINTS.get(name)
    return float(getattr(situation.weights, name)) if extra is None else extra


@factor("quality")
def _quality(situation: Situation) -> Floats:
    return situation.forecast.quality


@factor("cost")
def _cost(situation: Situation) -> Floats:
    """Fall with the logarithm of the expected cost on a fixed scale; free is best, unknown is never the cheaper one."""
    low, high = (np.log10(edge) for edge in situation.cost_scale_usd)
    cost = situation.forecast.cost
    position = (np.log10(np.maximum(cost, 1e-12)) - low) / (high - low)
    return np.where(np.isnan(cost), 0.0, 1.0 - np.clip(position, 0.0, 1.0))


@factor("history")
def _history(situation: Situation) -> Floats:
    """Shrink each success rate towards the pool's by its confidence."""
    rate, trust = situation.forecast.success_rate, situation.forecast.history_confidence
    known = ~np.isnan(rate)
    pool = float(rate[known].mean()) if known.any() else NEUTRAL
    return np.where(known, trust * rate + (1.0 - trust) * pool, pool)


@factor("learning")
def _learning(situation: Situation) -> Floats:
    weights, task = situation.snapshot.weights, situation.profile.task_type.value
    if not weights:
        return np.full(len(situation.models), NEUTRAL)
    return np.array([weights.get((ref, task), weights.get((ref, None), NEUTRAL)) for ref in situation.columns.refs], dtype=np.float64)


@factor("task_preference")
def _preference(situation: Situation) -> Floats:
    share = np.zeros(len(situation.models))
    listed = situation.preferences.get(situation.profile.task_type.value)
    if listed is not None:
        for at, ref in enumerate(situation.columns.refs):
            share[at] = PREFERRED_SHARE if ref in listed.preferred else BUDGET_SHARE if ref in listed.budget else 0.0
    return share


@factor("diversity")
def _diversity(situation: Situation) -> Floats:
    shares = situation.snapshot.provider_share
    return 1.0 - situation.columns.provider_values(lambda provider: shares.get(provider, 0.0))


@factor("vendor_preference")
def _vendor(situation: Situation) -> Floats:
    wanted = situation.request.vendor_preference
    return situation.columns.provider_values(lambda provider: float(provider == wanted))
