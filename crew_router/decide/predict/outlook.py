"""What is known of every model on one task type before a request is looked at; worked out once per change of the history."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from crew_router.decide.model_table import Columns
    from crew_router.types import ModelRef, PerformanceMetrics, TaskType
    from crew_router.types.arrays import Floats

Performance: TypeAlias = Mapping[tuple["ModelRef", "TaskType | None"], "PerformanceMetrics"]
PRIOR_SAMPLES: Final = 10.0  # guess, not measured: how many outcomes on the task type a prior is worth
OVERALL_SAMPLES: Final = 50.0  # guess, not measured: outcomes on other task types tell less of this one
_EDGE: Final = 1e-3
_NAN: Final = math.nan


@dataclass(frozen=True, slots=True)
class Outlook:
    """One array per figure, in the order of the columns; NaN where nothing is known.

    Args:
        quality: That of the registry on the task type, which quality floors are held against.
        ability: What is believed of it, on the logit scale: the registry's quality, moved by reported qualities.
        success_rate: Share of calls that went through.
        confidence: How much the history is trusted, 0..1.
        samples: Decayed number of outcomes.
        ttft: Seconds to the first token.
        s_per_token: Seconds for each token after it.
        p95: 95th percentile in seconds that was observed, else that of the registry.
        seen_latency: Mean seconds that were observed, for models whose speed nobody knows.
        seen_cost: Mean USD that was observed, for models without a price.
        answer_tokens: Learnt length of answers times its weight, ``None`` when none is known of any model.
        asked_share: What is left for the estimate of the request.
        answer_spread: Standard deviation of its natural logarithm.
        has_unknown_speed: Whether a model's latency was observed whose speed nobody knows.
        has_unknown_price: Whether a model's cost was observed that has no price.
    """

    quality: Floats
    ability: Floats
    success_rate: Floats
    confidence: Floats
    samples: Floats
    ttft: Floats
    s_per_token: Floats
    p95: Floats
    seen_latency: Floats
    seen_cost: Floats
    answer_tokens: Floats | None
    asked_share: Floats
    answer_spread: Floats
    has_unknown_speed: bool
    has_unknown_price: bool


def outlook(task: TaskType, columns: Columns, performance: Performance) -> Outlook:
    """Return what is known on a task type; the same object as long as registry and history are the same."""
    return columns.memo.get(("outlook", task), lambda: _outlook(task, columns, performance), of=performance)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The figures of each model on the task type and over all, and the table that came of them: a column a model."""

    here: list[PerformanceMetrics | None]
    anywhere: list[PerformanceMetrics | None]
    table: Floats


def _outlook(task: TaskType, columns: Columns, performance: Performance) -> Outlook:
    last: _Seen = columns.memo.get(("seen", task), lambda: _nothing_seen(task, columns))
    keys = columns.memo.get(
        ("performance keys", task), lambda: ([(ref, task) for ref in columns.refs], [(ref, None) for ref in columns.refs])
    )
    seen = _taken_in(last, list(map(performance.get, keys[0])), list(map(performance.get, keys[1])), task=task, columns=columns)
    columns.memo.put(("seen", task), seen)
    rows = dict(zip(_ROWS, seen.table, strict=True))
    no_speed, no_price, answers = np.logical_or.reduce(seen.table[-3:], axis=1).tolist()
    return Outlook(
        quality=columns.quality_for(task),
        ability=rows["ability"],
        success_rate=rows["success_rate"],
        confidence=rows["confidence"],
        samples=rows["samples"],
        ttft=rows["ttft"],
        s_per_token=rows["s_per_token"],
        p95=rows["p95"],
        seen_latency=rows["seen_latency"],
        seen_cost=rows["seen_cost"],
        answer_tokens=rows["answer_tokens"] if answers else None,
        asked_share=rows["asked_share"],
        answer_spread=rows["answer_spread"],
        has_unknown_speed=no_speed,
        has_unknown_price=no_price,
    )


def _nothing_seen(task: TaskType, columns: Columns) -> _Seen:
    nobody: list[PerformanceMetrics | None] = [None] * len(columns.refs)
    table = np.empty((len(_ROWS), len(nobody)))
    for at in range(len(nobody)):
        table[:, at] = _column(columns, task, at, None, None)
    return _Seen(nobody, nobody, table)


def _taken_in(
    last: _Seen, here: list[PerformanceMetrics | None], anywhere: list[PerformanceMetrics | None], *, task: TaskType, columns: Columns
) -> _Seen:
    """Work out again the models whose figures are others than the last time: usually the one that was called."""
    table = last.table.copy()
    for at, (one, all_of_it, was, all_that_was) in enumerate(zip(here, anywhere, last.here, last.anywhere, strict=True)):
        if one is not was or all_of_it is not all_that_was:
            table[:, at] = _column(columns, task, at, one, all_of_it)
    return _Seen(here, anywhere, table)


_ROWS: Final = (
    "ability", "success_rate", "confidence", "samples", "ttft", "s_per_token", "p95", "seen_latency", "seen_cost", "answer_tokens",
    "asked_share", "answer_spread", "unknown speed", "unknown price", "answers",
)  # fmt: skip


def _column(
    columns: Columns, task: TaskType, at: int, here: PerformanceMetrics | None, anywhere: PerformanceMetrics | None
) -> tuple[float, ...]:
    """Return the figures of one model in the order of ``_ROWS``."""
    believed = float(columns.quality_for(task)[at])
    if anywhere is not None:
        believed = _moved(believed, anywhere.quality, anywhere.samples / (anywhere.samples + OVERALL_SAMPLES))
    ttft, tokens_per_s, p95 = float(columns.ttft_s[at]), float(columns.tokens_per_s[at]), float(columns.p95_s[at])
    s_per_token = 1.0 / tokens_per_s if tokens_per_s else _NAN
    if here is None:
        return _logit(believed), _NAN, 0.0, 0.0, ttft, s_per_token, p95, _NAN, _NAN, 0.0, 1.0, _NAN, 0.0, 0.0, 0.0
    weight = here.samples / (here.samples + PRIOR_SAMPLES)
    # A speed that was taken over the whole call has the wait for the first token in it.
    seen_ttft = 0.0 if here.ttft_s is None and here.tokens_per_s is not None else here.ttft_s
    return (
        _logit(_moved(believed, here.quality, weight)),
        _or_nan(here.success_rate),
        here.confidence,
        here.samples,
        _moved(ttft, seen_ttft, weight),
        _moved(s_per_token, 1.0 / here.tokens_per_s if here.tokens_per_s else None, weight),
        _moved(p95, here.p95_s, weight),
        _or_nan(here.latency_s),
        _or_nan(here.cost_usd),
        0.0 if here.output_tokens is None else weight * here.output_tokens,
        1.0 if here.output_tokens is None else 1.0 - weight,
        _or_nan(here.output_spread),
        float(math.isnan(tokens_per_s) and here.latency_s is not None),
        float(math.isnan(columns.price_output[at]) and here.cost_usd is not None),
        float(here.output_tokens is not None),
    )


def _logit(believed: float) -> float:
    chance = min(max(believed, _EDGE), 1.0 - _EDGE)
    return math.log(chance / (1.0 - chance))


def _moved(prior: float, seen: float | None, weight: float) -> float:
    """Return the prior moved towards what was seen; what only one of the two knows is taken from it."""
    if seen is None:
        return prior
    return seen if math.isnan(prior) else (1.0 - weight) * prior + weight * seen


def _or_nan(value: float | None) -> float:
    return _NAN if value is None else value
