"""Statistics that stay valid when they are looked at after every request.

Differences of means use the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas ("Time-uniform
central limit theory and asymptotic confidence sequences", Annals of Statistics 2024, theorem 2.2). It needs only counts, sums and
sums of squares, which can be added over processes. Sample ratios use the sequential multinomial test of Lindon and Malek
("Anytime-valid inference for multinomial count data", NeurIPS 2022).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, overload

if TYPE_CHECKING:
    from crew_router.types.arrays import Floats

_CONCENTRATION: Final = 100.0  # of the Dirichlet prior, whose mean is the planned shares


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, sum and sum of squares of a metric."""

    count: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float:
        """Return the mean; 0 when nothing was counted."""
        return self.total / self.count if self.count else 0.0

    def variance(self, *, bounded: bool) -> float:
        """Return the variance.

        Args:
            bounded: The metric lies in 0..1. One observation of 0 and one of 1 are then added, so that the variance is never 0.
        """
        if bounded:
            count, total, squares = self.count + 2.0, self.total + 1.0, self.squares + 1.0
        else:
            count, total, squares = self.count, self.total, self.squares
        return max(squares / count - (total / count) ** 2, 0.0) if count else 0.0


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with bounds that hold at all times at once."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Level:
    """The error rate of a confidence sequence.

    Args:
        alpha: Probability that the interval ever misses the truth.
        tuned: Number of observations at which it is narrowest.
    """

    alpha: float
    tuned: float


@overload
def half_width(variance: float, count: float, level: Level) -> float: ...
@overload
def half_width(variance: Floats, count: Floats, level: Level) -> Floats: ...
def half_width(variance: Any, count: Any, level: Level) -> Any:
    """Return half the width of the sequence around an estimate.

    Args:
        variance: Variance of the estimate (not of one observation).
        count: Observations behind it.
        level: The error rate.
    """
    scale = (-2.0 * math.log(level.alpha) + math.log(-2.0 * math.log(level.alpha) + 1.0)) / level.tuned
    spread = count * scale
    factor = 2.0 * (spread + 1.0) / spread * _log((spread + 1.0) ** 0.5 / level.alpha)
    return (variance * factor) ** 0.5


def difference(
    arm: Sequence[Moments], control: Sequence[Moments], *, level: Level, bounded: bool, tolerance: float = 0.0
) -> Interval | None:
    """Return the mean of an arm minus ``(1 + tolerance)`` times that of the control, over the stages of one experiment.

    The arms are compared within each stage, and the stages are weighted by their observations. So when the split changes,
    effects of time are not mistaken for effects of an arm.

    Args:
        arm: Moments of the arm, one for each stage.
        control: Those of the control.
        level: The error rate.
        bounded: Whether the metric lies in 0..1.
        tolerance: How much worse the arm may be, as a share of the control's mean.

    Returns:
        ``None`` when no stage has two observations of each.
    """
    pairs = [(one, other) for one, other in zip(arm, control, strict=True) if min(one.count, other.count) > 1]
    total = sum(one.count + other.count for one, other in pairs)
    if not pairs:
        return None
    estimate = variance = 0.0
    for one, other in pairs:
        share = (one.count + other.count) / total
        estimate += share * (one.mean - (1.0 + tolerance) * other.mean)
        spread = one.variance(bounded=bounded) / one.count + (1.0 + tolerance) ** 2 * other.variance(bounded=bounded) / other.count
        variance += share * share * spread
    half = half_width(variance, total, level)
    return Interval(estimate, estimate - half, estimate + half)


def mismatch(counts: Sequence[float], weights: Sequence[float]) -> float:
    """Return the natural logarithm of the evidence that counts do not follow weights; above ``log(1 / alpha)`` is an alarm.

    Example:
        >>> mismatch([5000, 5000], [1, 1]) < 0 < mismatch([5000, 5400], [1, 1])
        True
    """
    total_weight, total_count = sum(weights), sum(counts)
    shares = [weight / total_weight for weight in weights]
    evidence = math.lgamma(_CONCENTRATION) - math.lgamma(_CONCENTRATION + total_count)
    for count, share in zip(counts, shares, strict=True):
        prior = _CONCENTRATION * share
        evidence += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(share)
    return evidence


def _log(value: Any) -> Any:
    if isinstance(value, float):
        return math.log(value)
    import numpy as np  # only needed for arrays

    return np.log(value)
