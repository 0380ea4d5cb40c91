"""What a prompt cache that holds the beginning of a conversation takes off the price of each model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crew_router.decide.conditions import Warm
    from crew_router.decide.model_table import Columns
    from crew_router.types import ModelDefinition, Snapshot
    from crew_router.types.arrays import Floats


def saved_usd(
    warm: Sequence[Warm], columns: Columns, *, models: tuple[ModelDefinition, ...], snapshot: Snapshot, tokens_in: int, now: float
) -> Floats | None:
    """Return the USD that each model's cache saves on this input; ``None`` when it saves nothing anywhere.

    A cache counts for nothing while its model is ill: a breaker before it is not closed, or it is over its latency promise. A
    prompt that is shorter than the cached one does not begin with it.

    Args:
        warm: The caches.
        columns: The registry as arrays.
        models: The registry.
        snapshot: The shared numbers.
        tokens_in: Tokens of the input.
        now: Seconds since the epoch, for prices by the hour.
    """
    if not warm:
        return None
    saved: Floats = np.zeros(len(models))
    for each in warm:
        at = columns.place.get(each.model)
        price = None if at is None else models[at].price
        if at is None or price is None or each.tokens > tokens_in or _ill(at, columns, snapshot):
            continue
        cold, cached = (
            price.cost_usd(input_tokens=tokens_in, output_tokens=0, cached_tokens=tokens, when=now)
            for tokens in (0, each.tokens * each.share)
        )
        saved[at] = max(cold - cached, 0.0)
    return saved if saved.any() else None


def _ill(at: int, columns: Columns, snapshot: Snapshot) -> bool:
    breakers = (snapshot.breakers.get(key) for key in columns.breaker_keys[at])
    if any(breaker is not None and breaker.phase != "closed" for breaker in breakers):
        return True
    metrics = snapshot.performance.get((columns.refs[at], None))
    # An unknown promise is NaN, which nothing is above.
    return metrics is not None and metrics.p95_s is not None and bool(metrics.p95_s > columns.sla_p95_s[at])
