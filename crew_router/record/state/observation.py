"""What one call showed of a model."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from crew_router.types.vocabulary import ErrorKind, ModelRef, TaskType


@dataclass(frozen=True, slots=True)
class Observation:
    """What one attempt or one reported outcome showed of a model; ``None`` where nothing is known.

    The expected figures are what had been predicted for this very call. ``error`` of kind invalid request does not count against the
    model's health. ``credential`` is the key of the breaker that an auth error opens (``credential/<digest>`` of provider, base url
    and key); without it the whole provider opens. ``retry_after_s`` are the seconds until which the provider takes no call of the
    model, ``message`` are its words.
    """

    model: ModelRef
    task_type: TaskType | None
    _: KW_ONLY
    success: bool
    at: float
    latency_s: float | None = None
    ttft_s: float | None = None
    cost_usd: float | None = None
    quality: float | None = None
    output_tokens: int | None = None
    error: ErrorKind | None = None
    credential: str | None = None
    retry_after_s: float | None = None
    message: str = ""
    expected_latency_s: float | None = None
    expected_cost_usd: float | None = None
    expected_quality: float | None = None
