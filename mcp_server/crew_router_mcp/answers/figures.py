"""Types of figures in answers: six significant digits, and null instead of what JSON cannot say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Final, cast

from pydantic import BeforeValidator

_CLIPPED: Final = "…"


def figure(value: object) -> object:
    """Return a number in six significant digits, ``None`` for NaN and the infinities."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None


Figure = Annotated[float | None, BeforeValidator(figure)]
"""A number that may be unknown."""


def finite(value: object) -> object:
    """Return plain data in which every number can be said in JSON."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [finite(item) for item in cast("list[object]", value)]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return figure(value) if isinstance(value, float) else str(value)


def clipped(text: str, most: int) -> str:
    """Return a text of at most so many characters."""
    return text if len(text) <= most else text[: most - 1] + _CLIPPED
