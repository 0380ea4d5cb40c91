"""What a policy would have got, from the log of another one: IPS, SNIPS and doubly robust.

Horvitz and Thompson (1952); Swaminathan and Joachims, "The self-normalized estimator" (2015); Dudik, Langford and Li, "Doubly
robust policy evaluation" (2011). Intervals are normal, with the delta method for SNIPS.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from crew_router.errors import CrewRouterError

LEAST_EFFECTIVE: Final = 30.0
_Z: Final = 1.96
_FOLDS: Final = 2
_PRIOR: Final = 5.0  # rewards that the mean of the model over all task types is worth in one of them
_TOO_FAR: Final = 4.0  # standard errors of the mean weight from 1


class NoOverlapError(CrewRouterError):
    """The log says too little of the policy; no estimate is better than a wrong one.

    Args:
        reason: What is missing.
        effective: Effective sample size.
    """

    def __init__(self, reason: str, effective: float) -> None:
        self.reason, self.effective = reason, effective
        super().__init__(
            f"the log cannot judge this policy: {reason} (effective sample size {effective:.1f}). "
            "Let decisions explore (strategy bandit with explore: 0.05, noise, or an experiment) and try again."
        )


@dataclass(frozen=True, slots=True)
class Logged:
    """One logged decision, and what the policy would have done.

    Args:
        context: What rewards are modelled by, the task type.
        model: Who was called.
        propensity: How likely that was when it was logged.
        reward: What came of it.
        chances: How likely the policy would have called each model.
    """

    context: str
    model: str
    propensity: float
    reward: float
    chances: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class OffPolicy:
    """Everything the log says of a policy.

    Args:
        decisions: Logged decisions with a reward.
        effective: Effective sample size, ``(sum of weights)² / sum of squared weights``.
        logged: Mean reward of what was done.
        ips: Inverse propensity score.
        snips: The same, normalised by the weights.
        dr: Doubly robust: a model of rewards, corrected by the log.
        mean_weight: Close to 1 where the log covers the policy.
    """

    decisions: int
    effective: float
    logged: Estimate
    ips: Estimate
    snips: Estimate
    dr: Estimate
    mean_weight: float


def estimate(log: Sequence[Logged]) -> OffPolicy:
    """Estimate the value of the policy whose chances stand in the log.

    Raises:
        NoOverlapError: The effective sample size is too small, or weights do not average 1: the policy wants what was never tried.
    """
    rewards = np.array([each.reward for each in log])
    weights = np.array([each.chances.get(each.model, 0.0) / max(each.propensity, 1e-12) for each in log])
    effective = _checked(weights)
    mean_weight = float(weights.mean())
    snips = float((weights * rewards).sum() / weights.sum())
    residual = weights * (rewards - snips) / mean_weight
    return OffPolicy(
        decisions=len(log),
        effective=effective,
        logged=_mean(rewards),
        ips=_mean(weights * rewards),
        snips=_around(snips, residual),
        dr=_mean(_doubly_robust(log, weights, rewards)),
        mean_weight=mean_weight,
    )


def _checked(weights: np.ndarray) -> float:
    total, squares = float(weights.sum()), float((weights**2).sum())
    effective = total * total / squares if squares else 0.0
    if effective < LEAST_EFFECTIVE:
        raise NoOverlapError("too few logged decisions are such that it would have made them", effective)
    # Weights average 1 wherever everything the policy may do had a chance to be logged.
    off = abs(float(weights.mean()) - 1.0)
    if off > _TOO_FAR * float(weights.std()) / len(weights) ** 0.5 + 1e-9:
        reason = f"importance weights average {weights.mean():.2f} instead of 1: it would call models that had no chance"
        raise NoOverlapError(reason, effective)
    return effective


def _doubly_robust(log: Sequence[Logged], weights: np.ndarray, rewards: np.ndarray) -> np.ndarray:
    """Return the terms; each fold is corrected with a model of rewards that was fitted on the other."""
    terms = np.empty(len(log))
    for fold in range(_FOLDS):
        means = _Means([each for at, each in enumerate(log) if at % _FOLDS != fold])
        for at in range(fold, len(log), _FOLDS):
            each = log[at]
            expected = sum(chance * means.of(each.context, model) for model, chance in each.chances.items())
            terms[at] = expected + weights[at] * (rewards[at] - means.of(each.context, each.model))
    return terms


class _Means:
    """Mean reward by model and context, drawn towards the model's, and that towards the mean of all."""

    def __init__(self, log: Sequence[Logged]) -> None:
        self._all = sum(each.reward for each in log) / len(log) if log else 0.5
        self._by_model: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._by_pair: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
        for each in log:
            for cell in (self._by_model[each.model], self._by_pair[each.context, each.model]):
                cell[0] += 1.0
                cell[1] += each.reward

    def of(self, context: str, model: str) -> float:
        """Return the expected reward."""
        count, total = self._by_model.get(model, (0.0, 0.0))
        overall = (total + _PRIOR * self._all) / (count + _PRIOR)
        count, total = self._by_pair.get((context, model), (0.0, 0.0))
        return (total + _PRIOR * overall) / (count + _PRIOR)


def _mean(terms: np.ndarray) -> Estimate:
    return _around(float(terms.mean()), terms)


def _around(value: float, terms: np.ndarray) -> Estimate:
    half = _Z * float(terms.std(ddof=1)) / len(terms) ** 0.5
    return Estimate(value, value - half, value + half)
