"""From an order of models to what is run: the first, its fallbacks, and the mode (requirement A7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from crew_router.situation import Situation

FALLBACKS: Final = 3


@dataclass(frozen=True, slots=True)
class Selection:
    """Places of the registry: the model to use and the ones that may answer when it fails."""

    selected: int
    fallbacks: tuple[int, ...]


def select(situation: Situation, order: Sequence[int]) -> Selection:
    """Take the first of an order and up to three fallbacks.

    Fallbacks are first those that the registry names for the chosen model, then the next of the order. At least one is of
    another provider where there is one, so that an outage of a provider does not take all of them.
    """
    selected = order[0]
    if not situation.request.fallbacks:
        return Selection(selected, ())
    wanted = list(dict.fromkeys(_wanted(situation, selected, order)))
    first = wanted[:FALLBACKS]
    return Selection(selected, tuple(_with_other_provider(situation, selected, first=first, rest=wanted[FALLBACKS:])))


def _wanted(situation: Situation, selected: int, order: Sequence[int]) -> Iterator[int]:
    places = {situation.columns.refs[at]: at for at in order}
    for ref in situation.models[selected].fallbacks:
        if ref in places:
            yield places[ref]
    yield from (at for at in order if at != selected)


def _with_other_provider(situation: Situation, selected: int, *, first: list[int], rest: list[int]) -> list[int]:
    def same(at: int) -> bool:
        return situation.columns.refs[at].provider == situation.columns.refs[selected].provider

    if not first or not all(same(at) for at in first):
        return first
    other = next((at for at in rest if not same(at)), None)
    return first if other is None else [*first[:-1], other]
