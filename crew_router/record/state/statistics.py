"""Decayed sums of outcomes: what is stored of a model's performance, and how two parts of it become one.

A vector holds the time of its newest observation and sums as of that time. Older observations weigh half as much for every
half-life that has passed, so a mean of the sums is an exponential moving average over time (requirement A10). Merging is
commutative and associative, so that processes add what they saw without reading what others wrote.
"""

from __future__ import annotations

import math
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, TypeAlias

from crew_router.types.outcome import PerformanceMetrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crew_router.record.state.observation import Observation
    from crew_router.types.vocabulary import ModelRef, TaskType

Vector: TypeAlias = tuple[float, ...]

WEEK_S: Final = 7 * 86_400.0
LIVE_S: Final = 300.0  # guess, not measured: half-life of what the provider multiplier follows
EXPIRY_S: Final = 30 * 86_400.0
FIELDS: Final = (
    "at",
    "samples",
    "successes",
    "latency_n",
    "latency_sum_s",
    "latency_log",
    "latency_log_sq",
    "ttft_n",
    "ttft_sum_s",
    "cost_n",
    "cost_sum_usd",
    "quality_n",
    "quality_sum",
    "tokens",
    "token_s",
    "answer_n",
    "answer_tokens",
    "answer_log",
    "answer_log_sq",
    "latency_off_n",
    "latency_off_log",
    "cost_off_n",
    "cost_off_log",
    "expected_n",
    "expected_sum",
)
_FULL_TRUST: Final = 10.0  # guess, not measured: samples at which confidence is one half
_Z95: Final = 2.0  # 1.645 for a log-normal; recorded latencies have longer tails, benchmarks/intervals.py
_LEAST_S: Final = 1e-6
USUAL_SUCCESS: Final = 0.98  # guess, not measured: share of calls that go through when a provider is well


def figures_of(seen: Observation) -> Vector:
    """Return one observation as a vector; seconds count only for successes, so that timeouts do not look like slowness."""
    latency = max(seen.latency_s, _LEAST_S) if seen.success and seen.latency_s is not None else None
    log = math.log(latency) if latency is not None else 0.0
    ttft = seen.ttft_s if seen.success else None
    tokens, token_s = _speed(seen, latency)
    return (
        seen.at,
        1.0,
        1.0 if seen.success else 0.0,
        *((1.0, latency, log, log * log) if latency is not None else (0.0, 0.0, 0.0, 0.0)),
        *((1.0, ttft) if ttft is not None else (0.0, 0.0)),
        *((1.0, seen.cost_usd) if seen.cost_usd is not None else (0.0, 0.0)),
        *((1.0, seen.quality) if seen.quality is not None else (0.0, 0.0)),
        tokens,
        token_s,
        *_length(seen),
        *_off(latency, seen.expected_latency_s),
        *_off(seen.cost_usd if seen.success else None, seen.expected_cost_usd),
        *((1.0, seen.expected_quality) if seen.expected_quality is not None and seen.quality is not None else (0.0, 0.0)),
    )


def merged(one: Vector, other: Vector, *, half_life_s: float = WEEK_S) -> Vector:
    """Return two vectors as one, as of the newer of their times."""
    old, new = (one, other) if one[0] <= other[0] else (other, one)
    keep = 2.0 ** ((old[0] - new[0]) / half_life_s)
    # A store may hold rows from before a figure was added; what it did not count then is nothing.
    pairs = zip(old, new, strict=True) if len(old) == len(new) else zip_longest(old, new, fillvalue=0.0)
    sums = [was * keep + now for was, now in pairs]
    sums[0] = new[0]
    return tuple(sums)


def metrics_of(vector: Vector, model: ModelRef, task_type: TaskType | None, *, now: float) -> PerformanceMetrics:
    """Return the figures that decisions read."""
    whole = vector if len(vector) == len(FIELDS) else _whole(vector)
    at, n, successes, lat_n, lat_sum, log_sum, log_sq, ttft_n, ttft_sum, cost_n, cost_sum, q_n, q_sum, tokens, token_s, *answer = whole
    answer_n, answer_sum, answer_log, answer_log_sq, *_, expected_n, expected_sum = answer
    left = 2.0 ** (min(at - now, 0.0) / WEEK_S)
    samples = n * left
    return PerformanceMetrics(
        model,
        task_type,
        samples=samples,
        success_rate=successes / n if n else None,
        latency_s=lat_sum / lat_n if lat_n else None,
        cost_usd=cost_sum / cost_n if cost_n else None,
        quality=q_sum / q_n if q_n else None,
        confidence=samples / (samples + _FULL_TRUST),
        updated_at=at,
        ttft_s=ttft_sum / ttft_n if ttft_n else None,
        p95_s=_p95(lat_n, log_sum, log_sq),
        tokens_per_s=tokens / token_s if token_s else None,
        output_tokens=answer_sum / answer_n if answer_n else None,
        output_spread=_spread(answer_n, answer_log, answer_log_sq) if answer_n else None,
        quality_samples=q_n * left,
        expected_quality=expected_sum / expected_n if expected_n else None,
    )


def multipliers_of(live: Mapping[str, Vector], *, now: float) -> dict[str, float]:
    """Return each provider's multiplier 0.5..2 from its latest minutes (requirement B1).

    What was observed is compared with what had been predicted for those same calls, so that being cheap and fast, which the score
    pays for already, is not paid twice. Success counts in full, speed and price with the fourth root of their ratio; all of it is
    drawn towards 1 by how little was seen, so a quiet provider stands at 1.
    """
    return {name: _multiplier(vector if len(vector) == len(FIELDS) else _whole(vector), now=now) for name, vector in live.items()}


def _multiplier(vector: Vector, *, now: float) -> float:
    left: float = 2.0 ** (min(vector[0] - now, 0.0) / LIVE_S)
    seen: dict[str, float] = dict(zip(FIELDS, (value * left for value in vector), strict=True))
    success: float = (seen["successes"] + _FULL_TRUST * USUAL_SUCCESS) / (seen["samples"] + _FULL_TRUST) / USUAL_SUCCESS
    speed, price = (seen[f"{name}_off_log"] / (seen[f"{name}_off_n"] + _FULL_TRUST) for name in ("latency", "cost"))
    return min(max(success * math.exp(-(speed + price) / 4.0), 0.5), 2.0)


def _whole(vector: Vector) -> Vector:
    """Return a vector that was stored before a figure was added, with nothing counted of it."""
    return (*vector, *(0.0,) * (len(FIELDS) - len(vector)))


def _off(observed: float | None, expected: float | None) -> tuple[float, float]:
    """Return a count and the logarithm of an observed figure over the predicted one; nothing where one is unknown or free."""
    return (1.0, math.log(observed / expected)) if observed and expected else (0.0, 0.0)


def _speed(seen: Observation, latency_s: float | None) -> tuple[float, float]:
    if latency_s is None or not seen.output_tokens:
        return 0.0, 0.0
    spent_s = latency_s - (seen.ttft_s or 0.0)
    return (float(seen.output_tokens), spent_s) if spent_s > 0 else (0.0, 0.0)


def _p95(n: float, log_sum: float, log_sq: float) -> float | None:
    # Latencies are nearly log-normal, and the moments of their logarithms add up where a percentile would not.
    if not n:
        return None
    return math.exp(log_sum / n + _Z95 * _spread(n, log_sum, log_sq))


def _spread(n: float, log_sum: float, log_sq: float) -> float:
    mean = log_sum / n
    return math.sqrt(max(log_sq / n - mean * mean, 0.0))


def _length(seen: Observation) -> Vector:
    if not seen.success or not seen.output_tokens:
        return 0.0, 0.0, 0.0, 0.0
    log = math.log(seen.output_tokens)
    return 1.0, float(seen.output_tokens), log, log * log
