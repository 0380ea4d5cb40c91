"""Read values from YAML whose shape has not been checked yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast


def as_mapping(value: object) -> Mapping[str, object]:
    """Return a mapping unchanged, and an empty one for any other value."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def as_list(value: object) -> list[object]:
    """Return a list unchanged, and any other value as a list of one item."""
    return cast("list[object]", value) if isinstance(value, list) else [value]
