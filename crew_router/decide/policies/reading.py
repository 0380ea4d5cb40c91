"""Reading what was written in YAML, before it is known to mean anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast


def mapping(value: object) -> Mapping[str, object]:
    """Return a mapping as it is, and nothing for anything else."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def listed(value: object) -> list[object]:
    """Return a list as it is, and anything else as the only item of one."""
    return cast("list[object]", value) if isinstance(value, list) else [value]
