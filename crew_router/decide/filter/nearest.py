"""Which model came closest to a request that none satisfies, and what would let it through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crew_router.types import ModelRef, Rejection

_MENDED: Final = ("", "package", "server", "key")  # what keeps a model from being called, the least to mend first


def nearest_miss(table: Mapping[ModelRef, tuple[Rejection, ...]]) -> str:
    """Return one sentence about the model that needs the smallest change, relative to the figures that were asked for.

    A model that can be called is nearer than one that cannot; one that only figures keep out nearer than one that lacks something;
    among the first the sum of the relative distances decides, among the others their number, and names where all else is equal.

    Args:
        table: Every model with what removed it.
    """
    misses = [(_distance(why), ref) for ref, why in table.items() if why]
    if not misses:
        return ""
    _, ref = min(misses)
    cures = " and ".join(dict.fromkeys(reason.cure for reason in table[ref] if reason.cure))
    return f"Nearest miss: {cures}, and {ref} qualifies." if cures else ""


def _distance(why: tuple[Rejection, ...]) -> tuple[int, int, float]:
    uncallable = max((_to_mend(reason) for reason in why), default=0)
    lacks = sum(reason.gap is None for reason in why)
    return uncallable, lacks, sum(reason.gap for reason in why if reason.gap is not None)


def _to_mend(reason: Rejection) -> int:
    if reason.filter == "reachable":
        return _MENDED.index(reason.value) if reason.value in _MENDED[1:] else len(_MENDED)
    return len(_MENDED) if reason.filter == "enabled" else 0
