"""Estimate the mean reward of a policy from the log of another one: IPS, SNIPS and doubly robust.

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

MIN_EFFECTIVE: Final = 30.0
_Z: Final = 1.96
_FOLDS: Final = 2
_PRIOR_COUNT: Final = 5.0  # rewards that a mean counts for as the prior of the narrower one
_MAX_WEIGHT_DEVIATION: Final = 4.0  # standard errors of the mean weight from 1


class NoOverlapError(CrewRouterError):
    """The log cannot support an estimate for the policy, and a wrong one would be worse than none.

    Args:
        reason: Why, as a phrase.
        effective: Effective sample size, in decisions.
    """

    def __init__(self, reason: str, effective: float) -> None:
        self.reason, self.effective = reason, effective
        super().__init__(
            f"the log cannot judge this policy: {reason} (effective sample size {effective:.1f}). "
            "Let decisions explore (strategy bandit with explore: 0.05, noise, or an experiment) and try again."
        )


@dataclass(frozen=True, slots=True)
class Logged:
    """One logged decision, and what the policy under evaluation would have done.

    Args:
        context: The task type; rewards are modelled by context and model.
        model: The model that was called.
        propensity: Probability with which the logging policy chose it.
        reward: Its reward, 0..1.
        chances: Probability with which the policy under evaluation would have chosen each model.
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
    """The estimates of a policy's mean reward.

    Args:
        decisions: Logged decisions with a reward.
        effective: Effective sample size, ``(sum of weights)² / sum of squared weights``.
        logged: Mean reward of the logging policy.
        ips: Inverse propensity score.
        snips: The same, normalised by the weights.
        dr: Doubly robust: a model of rewards, corrected by the log.
        mean_weight: Mean importance weight; close to 1 where the log covers the policy.
    """

    decisions: int
    effective: float
    logged: Estimate
    ips: Estimate
    snips: Estimate
    dr: Estimate
    mean_weight: float


def estimate(log: Sequence[Logged]) -> OffPolicy:
    """Estimate the mean reward of the policy whose chances stand in the log.

    Raises:
        NoOverlapError: The effective sample size is below 30, or the weights do not average 1 because the policy would call
            models that had no chance in the log.
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
    if effective < MIN_EFFECTIVE:
        raise NoOverlapError("too few logged decisions are such that it would have made them", effective)
    # Importance weights average 1 when every model the policy may call had a chance in the log.
    deviation = abs(float(weights.mean()) - 1.0)
    if deviation > _MAX_WEIGHT_DEVIATION * float(weights.std()) / len(weights) ** 0.5 + 1e-9:
        reason = f"importance weights average {weights.mean():.2f} instead of 1: it would call models that had no chance"
        raise NoOverlapError(reason, effective)
    return effective


def _doubly_robust(log: Sequence[Logged], weights: np.ndarray, rewards: np.ndarray) -> np.ndarray:
    """Return the estimate's term of each decision; the rewards of one half are modelled on the other half."""
    terms = np.empty(len(log))
    for fold in range(_FOLDS):
        means = _Means([logged for index, logged in enumerate(log) if index % _FOLDS != fold])
        for index in range(fold, len(log), _FOLDS):
            logged = log[index]
            expected = sum(chance * means.of(logged.context, model) for model, chance in logged.chances.items())
            terms[index] = expected + weights[index] * (rewards[index] - means.of(logged.context, logged.model))
    return terms


class _Means:
    """Mean reward by model and context, shrunk towards the model's mean, which is shrunk towards the mean of all."""

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
        overall = (total + _PRIOR_COUNT * self._all) / (count + _PRIOR_COUNT)
        count, total = self._by_pair.get((context, model), (0.0, 0.0))
        return (total + _PRIOR_COUNT * overall) / (count + _PRIOR_COUNT)


def _mean(terms: np.ndarray) -> Estimate:
    return _around(float(terms.mean()), terms)


def _around(value: float, terms: np.ndarray) -> Estimate:
    half = _Z * float(terms.std(ddof=1)) / len(terms) ** 0.5
    return Estimate(value, value - half, value + half)
