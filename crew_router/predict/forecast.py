"""What each model is expected to cost, take and achieve on one request (requirements A9, A10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.types import CostPrediction, LatencyPrediction, ModelDefinition, RequestProfile, Snapshot

if TYPE_CHECKING:
    from crew_router.columns import Columns, Flags, Floats

COST_SPREAD: Final = 0.3  # requirement A9: ±30 % until intervals are learnt
P95_OVER_MEAN: Final = 2.0  # guess, not measured: stands in for an unknown 95th percentile
PRIOR_SAMPLES: Final = 10.0  # guess, not measured: how many outcomes a prior is worth
DIFFICULTY_SLOPE: Final = 0.15  # guess, not measured: logits that one step of complexity over 5 costs
_MIDDLE_COMPLEXITY: Final = 5
_EDGE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Forecast:
    """One array per predicted figure, in the order of the columns; NaN where nothing is known.

    Costs are USD, times seconds, ``success`` and ``quality`` 0..1; ``learned`` tells where history moved the prior.
    """

    input_tokens: int
    output_tokens: int
    quality: Floats
    success: Floats
    success_rate: Floats
    history_confidence: Floats
    learned: Flags
    cost_min: Floats
    cost: Floats
    cost_max: Floats
    ttft: Floats
    latency: Floats
    p95: Floats

    def cost_of(self, columns: Columns, at: int) -> CostPrediction:
        """Return the cost of one model as a value."""
        return CostPrediction(
            columns.refs[at],
            min_usd=_known(self.cost_min[at]),
            expected_usd=_known(self.cost[at]),
            max_usd=_known(self.cost_max[at]),
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            source="list price x estimated tokens, moved by history" if self.learned[at] else "list price x estimated tokens",
        )

    def latency_of(self, columns: Columns, at: int) -> LatencyPrediction:
        """Return the latency of one model as a value."""
        return LatencyPrediction(
            columns.refs[at],
            expected_s=_known(self.latency[at]),
            ttft_s=_known(self.ttft[at]),
            p95_s=_known(self.p95[at]),
            source="history" if self.learned[at] else "prior",
        )


def forecast(profile: RequestProfile, columns: Columns, *, models: tuple[ModelDefinition, ...], snapshot: Snapshot) -> Forecast:
    """Predict every figure for every model.

    P(success) is the prior quality moved by difficulty on the logit scale (item response with equal discrimination) and
    then towards the quality that was reported, by the number of outcomes. That a call went through says nothing of it.

    Args:
        profile: What was read from the request.
        columns: The registry as arrays.
        models: The registry, for prices that depend on the number of tokens.
        snapshot: The shared numbers.
    """
    tokens_in, tokens_out = profile.input_tokens.value, profile.expected_output_tokens.value
    task = profile.task_type.value
    quality = columns.quality_for(task)
    history = _history(profile, columns, snapshot)
    cost = _costs(columns, models, tokens_in=tokens_in, tokens_out=tokens_out)
    prior = _harder(quality, profile.complexity.value)
    samples = history.samples
    weight = samples / (samples + PRIOR_SAMPLES)
    success = _shrunk(prior, history.quality, weight)
    expected = columns.ttft_s + tokens_out / columns.tokens_per_s
    latency = _shrunk(expected, history.latency, weight)
    cost = _shrunk(cost, history.cost, weight)
    return Forecast(
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        quality=quality,
        success=success,
        success_rate=history.success,
        history_confidence=history.confidence,
        learned=samples > 0,
        cost_min=cost * (1 - COST_SPREAD),
        cost=cost,
        cost_max=cost * (1 + COST_SPREAD),
        ttft=columns.ttft_s,
        latency=latency,
        p95=np.where(np.isnan(columns.p95_s), latency * P95_OVER_MEAN, columns.p95_s),
    )


@dataclass(frozen=True, slots=True)
class _History:
    samples: Floats
    success: Floats
    quality: Floats
    latency: Floats
    cost: Floats
    confidence: Floats


def _shrunk(prior: Floats, seen: Floats, weight: Floats) -> Floats:
    """Return the prior moved towards what was seen; what only one of the two knows is taken from it."""
    mixed = np.where(np.isnan(prior), seen, (1 - weight) * prior + weight * seen)
    moved: Floats = np.where(np.isnan(seen), prior, mixed)
    return moved


def _history(profile: RequestProfile, columns: Columns, snapshot: Snapshot) -> _History:
    count = len(columns.refs)
    samples, confidence = np.zeros(count), np.zeros(count)
    success, quality, latency, cost = (np.full(count, np.nan) for _ in range(4))
    if snapshot.performance:
        for at, ref in enumerate(columns.refs):
            metrics = snapshot.performance.get((ref, profile.task_type.value))
            if metrics is not None:
                samples[at], confidence[at] = metrics.samples, metrics.confidence
                success[at], quality[at] = _or_nan(metrics.success_rate), _or_nan(metrics.quality)
                latency[at], cost[at] = _or_nan(metrics.latency_s), _or_nan(metrics.cost_usd)
    return _History(samples, success, quality, latency, cost, confidence)


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _costs(columns: Columns, models: tuple[ModelDefinition, ...], *, tokens_in: int, tokens_out: int) -> Floats:
    cost: Floats = (columns.price_input * tokens_in + columns.price_output * tokens_out) / 1e6
    for at in np.flatnonzero(columns.tiered):
        price = models[at].price
        if price is not None:
            cost[at] = price.cost_usd(input_tokens=tokens_in, output_tokens=tokens_out)
    return cost


def _harder(quality: Floats, complexity: int) -> Floats:
    inside = np.clip(quality, _EDGE, 1 - _EDGE)
    logit = np.log(inside / (1 - inside)) - DIFFICULTY_SLOPE * (complexity - _MIDDLE_COMPLEXITY)
    shifted: Floats = 1 / (1 + np.exp(-logit))
    return shifted


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
