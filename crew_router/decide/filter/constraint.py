"""What a hard constraint is, and how all of them are applied."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from crew_router.types import Rejection

if TYPE_CHECKING:
    from crew_router.decide.context import Situation
    from crew_router.types.arrays import Flags

Keeps = Callable[["Situation"], "Flags | None"]
Reason = Callable[["Situation", int], Rejection]
_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Filter:
    """One hard constraint.

    ``keeps`` returns which models pass, or ``None`` when the constraint does not apply to the request at all;
    ``reason`` names, for a model that did not pass, the figure that failed and what would satisfy the constraint.
    """

    name: str
    keeps: Keeps
    reason: Reason


_FILTERS: Final[dict[str, Filter]] = {}


def hard_filter(name: str, *, reason: Reason) -> Callable[[Keeps], Keeps]:
    """Register a hard constraint under a name.

    Example:
        >>> @hard_filter("even_places", reason=lambda s, at: Rejection("even_places", f"place {at} is odd"))
        ... def _even(situation):
        ...     return np.arange(len(situation.models)) % 2 == 0
        >>> _ = _FILTERS.pop("even_places")
    """

    def register(keeps: Keeps) -> Keeps:
        _FILTERS[name] = Filter(name, keeps, reason)
        return keeps

    return register


def surviving(situation: Situation, *, without: Collection[str] = ()) -> Flags:
    """Return which models pass every hard constraint, some of which may be left out by their names."""
    left: Flags | None = None
    for name, constraint in _FILTERS.items():
        kept = constraint.keeps(situation)
        if kept is not None and name not in without:
            left = kept if left is None else left & kept
    return situation.columns.enabled if left is None else left


def rejections(situation: Situation, places: Iterable[int]) -> dict[int, tuple[Rejection, ...]]:
    """Return for each of some places every constraint that removed its model, with its figures."""
    looked = [(constraint.keeps(situation), constraint.reason) for constraint in _FILTERS.values()]
    applied = [(kept, reason) for kept, reason in looked if kept is not None]
    return {at: tuple([reason(situation, at) for kept, reason in applied if not kept[at]]) for at in places}


def outward(value: float, *, up: bool) -> str:
    """Return a number in few digits that is not below (``up``) or not above it, so that what a cure says really cures.

    Example:
        >>> outward(0.01234567, up=True), outward(0.876543, up=False)
        ('0.01235', '0.8765')
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    places = max(_DIGITS - 1 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:.{places}f}"
    if (float(text) < value) if up else (float(text) > value):
        text = f"{float(text) + (1 if up else -1) * 10.0**-places:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def gap(have: float, limit: float) -> float:
    """Return how far a figure lies from its limit, relative to the limit."""
    return abs(have - limit) / max(abs(limit), 1e-9)
