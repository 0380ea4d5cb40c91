"""What is known of every model on one task type before a request is looked at; worked out once per change of the history."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from crew_router.config.effort import expected_first_token_s, expected_tokens_per_s
from crew_router.decide.predict.difficulty import SLOPE, typical_difficulty

if TYPE_CHECKING:
    from crew_router.decide.model_table import ModelTable
    from crew_router.types import ModelRef, PerformanceMetrics, TaskType
    from crew_router.types.arrays import Flags, Floats

Performance: TypeAlias = Mapping[tuple["ModelRef", "TaskType | None"], "PerformanceMetrics"]
_Key: TypeAlias = "tuple[tuple[ModelRef, TaskType | None], tuple[ModelRef, TaskType | None]]"
PRIOR_SAMPLES: Final = 10.0  # guess, not measured: how many calls on the task type a prior of length and speed is worth
OVERALL_SHARE: Final = 0.2  # guess, not measured: what an outcome on another task type tells of this one
TASK_ERROR: Final = 0.3  # logits by which a model differs between kinds of work, docs/evidence.md
_EDGE: Final = 1e-3
_NAN: Final = math.nan


@dataclass(frozen=True, slots=True)
class Outlook:
    """One array per figure, in the order of the columns; NaN where nothing is known.

    Args:
        quality: That of the registry on the task type, which quality floors are held against.
        ability: What is believed of it, on the logit scale: the registry's ability, moved by reported qualities.
        error: One standard error of that, logits.
        success_rate: Share of calls that went through.
        confidence: How much the history is trusted, 0..1.
        samples: Decayed number of outcomes.
        ttft: Seconds to the first token.
        s_per_token: Seconds for each token after it.
        p95: 95th percentile in seconds that was observed, else that of the registry.
        guessed: Where nobody knows or observed the speed, and that of other models stands in.
        whole_calls: How much of the speed was taken over whole calls, thinking included, 0..1.
        seen_latency: Mean seconds that were observed, for models whose speed nobody knows.
        seen_cost: Mean USD that was observed, for models without a price.
        answer_tokens: Learnt length of answers times its weight, ``None`` when none is known of any model.
        asked_share: What is left for the estimate of the request.
        answer_spread: Standard deviation of its natural logarithm.
        has_unknown_speed: Whether a model's latency was observed whose speed nobody knows.
        has_unknown_price: Whether a model's cost was observed that has no price.
        any_failed: Whether a call failed.
    """

    quality: Floats
    ability: Floats
    error: Floats
    success_rate: Floats
    confidence: Floats
    samples: Floats
    ttft: Floats
    s_per_token: Floats
    p95: Floats
    guessed: Flags
    whole_calls: Floats | None
    seen_latency: Floats
    seen_cost: Floats
    answer_tokens: Floats | None
    asked_share: Floats
    answer_spread: Floats
    has_unknown_speed: bool
    has_unknown_price: bool
    any_failed: bool


def outlook(task: TaskType, model_table: ModelTable, performance: Performance) -> Outlook:
    """Return what is known on a task type; the same object as long as registry and history are the same."""
    return model_table.memo.get(("outlook", task), lambda: _outlook(task, model_table, performance), of=performance)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The figures of each model on the task type and over all, and the table that came of them: a column a model."""

    here: list[PerformanceMetrics | None]
    anywhere: list[PerformanceMetrics | None]
    table: Floats


def _outlook(task: TaskType, model_table: ModelTable, performance: Performance) -> Outlook:
    last: _Seen = model_table.memo.get(("seen", task), lambda: _nothing_seen(task, model_table))
    keys = model_table.memo.get(("performance keys", task), lambda: _keys(task, model_table))
    here, anywhere = (_of(performance, each) for each in keys)
    seen = _taken_in(last, here, anywhere, task=task, model_table=model_table)
    model_table.memo.put(("seen", task), seen)
    rows = dict(zip(_ROWS, seen.table, strict=True))
    no_speed, no_price, answers, whole_calls = np.logical_or.reduce(seen.table[-4:], axis=1).tolist()
    return Outlook(
        quality=model_table.quality_for(task),
        ability=rows["ability"],
        error=rows["error"],
        success_rate=rows["success_rate"],
        confidence=rows["confidence"],
        samples=rows["samples"],
        ttft=rows["ttft"],
        s_per_token=rows["s_per_token"],
        p95=rows["p95"],
        guessed=rows["guessed"] > 0,
        whole_calls=rows["whole calls"] if whole_calls else None,
        seen_latency=rows["seen_latency"],
        seen_cost=rows["seen_cost"],
        answer_tokens=rows["answer_tokens"] if answers else None,
        asked_share=rows["asked_share"],
        answer_spread=rows["answer_spread"],
        has_unknown_speed=no_speed,
        has_unknown_price=no_price,
        any_failed=bool((rows["success_rate"] < 1.0).any()),
    )


def _nothing_seen(task: TaskType, model_table: ModelTable) -> _Seen:
    nobody: list[PerformanceMetrics | None] = [None] * len(model_table.refs)
    table = np.empty((len(_ROWS), len(nobody)))
    for at in range(len(nobody)):
        table[:, at] = _column(model_table, task, at, None, None)
    return _Seen(nobody, nobody, table)


def _taken_in(
    last: _Seen,
    here: list[PerformanceMetrics | None],
    anywhere: list[PerformanceMetrics | None],
    *,
    task: TaskType,
    model_table: ModelTable,
) -> _Seen:
    """Work out again the models whose figures are others than the last time: usually the one that was called."""
    table = last.table.copy()
    for at, (one, all_of_it, was, all_that_was) in enumerate(zip(here, anywhere, last.here, last.anywhere, strict=True)):
        if one is not was or all_of_it is not all_that_was:
            table[:, at] = _column(model_table, task, at, one, all_of_it)
    return _Seen(here, anywhere, table)


_ROWS: Final = (
    "ability", "error", "success_rate", "confidence", "samples", "ttft", "s_per_token", "p95", "guessed", "seen_latency", "seen_cost",
    "answer_tokens", "asked_share", "answer_spread", "unknown speed", "unknown price", "answers", "whole calls",
)  # fmt: skip


def _keys(task: TaskType, model_table: ModelTable) -> tuple[list[_Key], list[_Key]]:
    """Return the names under which candidates may have a history: their own, and that of their model without an effort."""
    pairs = list(zip(model_table.candidates, model_table.refs, strict=True))
    return [((own, task), (model, task)) for own, model in pairs], [((own, None), (model, None)) for own, model in pairs]


def _of(performance: Performance, keys: list[_Key]) -> list[PerformanceMetrics | None]:
    if not performance:
        return [None] * len(keys)
    get = performance.get
    return [get(own) or (None if own is model else get(model)) for own, model in keys]


def _column(
    model_table: ModelTable, task: TaskType, at: int, here: PerformanceMetrics | None, anywhere: PerformanceMetrics | None
) -> tuple[float, ...]:
    """Return the figures of one candidate in the order of ``_ROWS``."""
    ability, error = (float(each[at]) for each in model_table.ability_for(task))
    if anywhere is not None and anywhere is not here:
        ability, error = _believed(ability, error, anywhere, task=task, share=OVERALL_SHARE)
    ttft, tokens_per_s, p95 = float(model_table.ttft_s[at]), float(model_table.tokens_per_s[at]), float(model_table.p95_s[at])
    s_per_token = 1.0 / tokens_per_s if tokens_per_s else _NAN
    if here is None:
        ttft, s_per_token, guessed = _filled(model_table, at, ttft, s_per_token)
        return ability, error, _NAN, 0.0, 0.0, ttft, s_per_token, p95, guessed, _NAN, _NAN, 0.0, 1.0, _NAN, 0.0, 0.0, 0.0, 0.0
    ability, error = _believed(ability, error, here, task=task)
    weight = here.samples / (here.samples + PRIOR_SAMPLES)
    # A speed that was taken over the whole call has the wait for the first token in it.
    whole_call = here.ttft_s is None and here.tokens_per_s is not None
    ttft = _moved(ttft, 0.0 if whole_call else here.ttft_s, weight)
    s_per_token = _moved(s_per_token, 1.0 / here.tokens_per_s if here.tokens_per_s else None, weight)
    unknown, guessed = math.isnan(ttft + s_per_token), 0.0
    if here.latency_s is None:
        ttft, s_per_token, guessed = _filled(model_table, at, ttft, s_per_token)
    return (
        ability,
        error,
        _or_nan(here.success_rate),
        here.confidence,
        here.samples,
        ttft,
        s_per_token,
        _moved(p95, here.p95_s, weight),
        guessed,
        _or_nan(here.latency_s),
        _or_nan(here.cost_usd),
        0.0 if here.output_tokens is None else weight * here.output_tokens,
        1.0 if here.output_tokens is None else 1.0 - weight,
        _or_nan(here.output_spread),
        float(unknown and here.latency_s is not None),
        float(math.isnan(model_table.price_output[at]) and here.cost_usd is not None),
        float(here.output_tokens is not None),
        weight if whole_call else 0.0,
    )


def _filled(model_table: ModelTable, at: int, ttft: float, s_per_token: float) -> tuple[float, float, float]:
    """Return the speed, with that of other models where nobody knows it, and 1 where that had to be."""
    unknown = math.isnan(ttft) or math.isnan(s_per_token)
    if not unknown:
        return ttft, s_per_token, 0.0
    model = model_table.models[at]
    return (
        expected_first_token_s(model, model_table.efforts[at]) if math.isnan(ttft) else ttft,
        1.0 / expected_tokens_per_s(model) if math.isnan(s_per_token) else s_per_token,
        1.0,
    )


def _believed(ability: float, error: float, seen: PerformanceMetrics, *, task: TaskType, share: float = 1.0) -> tuple[float, float]:
    """Return ability and error after reported qualities.

    They are compared with what had been expected of those same requests, where that was noted, so that a model is not thought
    weak because it was given hard work. The error says how many outcomes the prior is worth.
    """
    if seen.quality is None:
        return ability, error
    samples = share * (seen.samples if seen.quality_samples is None else seen.quality_samples)
    expected = seen.expected_quality
    if expected is None:
        expected = 1.0 / (1.0 + math.exp(-SLOPE * (ability - typical_difficulty(task))))
    expected = min(max(expected, _EDGE), 1.0 - _EDGE)
    information = expected * (1.0 - expected)
    variance = error * error + TASK_ERROR * TASK_ERROR
    prior_samples = 1.0 / (information * variance * SLOPE * SLOPE)
    moved = _moved(expected, seen.quality, samples / (samples + prior_samples))
    left = 1.0 / (1.0 / variance + samples * information)
    return ability + (_logit(moved) - _logit(expected)) / SLOPE, math.sqrt(max(left - TASK_ERROR * TASK_ERROR, 0.0))


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
