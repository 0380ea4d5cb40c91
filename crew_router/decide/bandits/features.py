"""Features of a request for contextual bandits; each is scaled to about 0..1, and the first is the intercept."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from crew_router.types import RequestProfile

FEATURES: Final = ("intercept", "complexity", "input_tokens", "output_tokens", "retrieval", "risk")
_MIDDLE: Final = 5.0
_TOKENS: Final = math.log1p(100_000)


def features_of(profile: RequestProfile) -> tuple[float, ...]:
    """Return the features of a request, in the order of ``FEATURES``; an average request is near ``(1, 0, 0, 0, 0, 0)``."""
    return (
        1.0,
        (profile.complexity.value - _MIDDLE) / _MIDDLE,
        math.log1p(profile.input_tokens.value) / _TOKENS - 0.5,
        math.log1p(profile.expected_output_tokens.value) / _TOKENS - 0.5,
        float(profile.needs_retrieval.value),
        float(bool(profile.risk.value)),
    )
