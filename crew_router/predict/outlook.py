"""What is known of every model on one task type before a request is looked at; worked out once per change of the history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crew_router.columns import Columns, Floats
    from crew_router.types import ModelRef, PerformanceMetrics, TaskType

PRIOR_SAMPLES: Final = 10.0  # guess, not measured: how many outcomes on the task type a prior is worth
OVERALL_SAMPLES: Final = 50.0  # guess, not measured: outcomes on other task types tell less of this one
_EDGE: Final = 1e-3
_FIGURES: Final = ("success_rate", "quality", "latency_s", "cost_usd", "ttft_s", "tokens_per_s", "p95_s", "output_tokens", "output_spread")


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


def outlook(task: TaskType, columns: Columns, performance: Mapping[tuple[ModelRef, TaskType | None], PerformanceMetrics]) -> Outlook:
    """Return what is known on a task type; the same object as long as registry and history are the same."""
    return columns.memo.get(("outlook", task), lambda: _outlook(task, columns, performance), of=performance)


def _outlook(task: TaskType, columns: Columns, performance: Mapping[tuple[ModelRef, TaskType | None], PerformanceMetrics]) -> Outlook:
    quality = columns.quality_for(task)
    here, anywhere = _History.of(task, columns, performance), _History.of(None, columns, performance)
    believed = _moved(quality, anywhere.figures["quality"], anywhere.samples / (anywhere.samples + OVERALL_SAMPLES))
    weight = here.samples / (here.samples + PRIOR_SAMPLES)
    believed = np.clip(_moved(believed, here.figures["quality"], weight), _EDGE, 1 - _EDGE)
    seen_speed = 1.0 / here.figures["tokens_per_s"]
    # A speed that was taken over the whole call has the wait for the first token in it.
    seen_ttft = np.where(np.isnan(here.figures["ttft_s"]) & ~np.isnan(seen_speed), 0.0, here.figures["ttft_s"])
    answers = here.figures["output_tokens"]
    return Outlook(
        quality=quality,
        ability=np.log(believed / (1 - believed)),
        success_rate=here.figures["success_rate"],
        confidence=here.confidence,
        samples=here.samples,
        ttft=_moved(columns.ttft_s, seen_ttft, weight),
        s_per_token=_moved(1.0 / columns.tokens_per_s, seen_speed, weight),
        p95=_moved(columns.p95_s, here.figures["p95_s"], weight),
        seen_latency=here.figures["latency_s"],
        seen_cost=here.figures["cost_usd"],
        answer_tokens=None if bool(np.isnan(answers).all()) else np.where(np.isnan(answers), 0.0, weight * answers),
        asked_share=np.where(np.isnan(answers), 1.0, 1.0 - weight),
        answer_spread=here.figures["output_spread"],
        has_unknown_speed=bool((np.isnan(columns.tokens_per_s) & ~np.isnan(here.figures["latency_s"])).any()),
        has_unknown_price=bool((np.isnan(columns.price_output) & ~np.isnan(here.figures["cost_usd"])).any()),
    )


@dataclass(frozen=True, slots=True)
class _History:
    samples: Floats
    confidence: Floats
    figures: dict[str, Floats]

    @classmethod
    def of(
        cls, task: TaskType | None, columns: Columns, performance: Mapping[tuple[ModelRef, TaskType | None], PerformanceMetrics]
    ) -> _History:
        count = len(columns.refs)
        table = np.full((len(_FIGURES), count), np.nan)
        samples, confidence = np.zeros(count), np.zeros(count)
        for at, ref in enumerate(columns.refs) if performance else ():
            metrics = performance.get((ref, task))
            if metrics is not None:
                samples[at], confidence[at] = metrics.samples, metrics.confidence
                table[:, at] = [_or_nan(getattr(metrics, name)) for name in _FIGURES]
        return cls(samples, confidence, {name: table[row] for row, name in enumerate(_FIGURES)})


def _moved(prior: Floats, seen: Floats, weight: Floats) -> Floats:
    """Return the prior moved towards what was seen; what only one of the two knows is taken from it."""
    mixed = np.where(np.isnan(prior), seen, (1 - weight) * prior + weight * seen)
    moved: Floats = np.where(np.isnan(seen), prior, mixed)
    return moved


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value
