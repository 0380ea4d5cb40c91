"""Which model has to go first: a forced or pinned one (``CONTRACT.md``: it fixes the first attempt)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.conditions import Pin
from crew_router.decide.filter import AVAILABILITY, QUEUED, TASTE, rejections, surviving
from crew_router.types import Evidence, ModelRef

if TYPE_CHECKING:
    from crew_router.decide.context import Situation
    from crew_router.types.arrays import Flags

_CALLER: Final = "the caller"
_OPERATOR: Final = "an operator"


@dataclass(frozen=True, slots=True)
class Pinned:
    """What came of the pins.

    Args:
        at: Place of the model that goes first; ``None`` when every pin gave way.
        refused: The model at that place may not be used, and nothing may stand in for it.
        follow: Places that the registry names to answer for a forced model that cannot be called now.
        notes: Evidence of what was asked for, and what gave way.
    """

    at: int | None = None
    _: KW_ONLY
    refused: bool = False
    follow: tuple[int, ...] = ()
    notes: tuple[Evidence, ...] = ()


def pinned(situation: Situation, eligible: Flags) -> Pinned | None:
    """Return the model that goes first; ``None`` when nobody asks for one.

    A safety policy's pin goes before an operator's, that before the caller's ``force_model``, that before other policies' pins.
    Quality floors and latency wishes of the request are not held against a pinned model. A pin whose model cannot serve gives way
    with a note; the caller's does so only where the model cannot be called at the moment and others may answer (``fallbacks``).

    Args:
        situation: What is asked and known.
        eligible: Which models passed every hard constraint.
    """
    pins = tuple(_pins(situation))
    if not pins:
        return None
    serves = surviving(situation, without=TASTE)
    notes: list[Evidence] = []
    for pin in pins:
        at = situation.columns.place.get(pin.model)
        forced = pin.who == _CALLER
        # A forced model that nothing may stand in for waits for its turn, as the last model of any request does.
        waits = forced and not situation.request.fallbacks
        if at is not None and (surviving(situation, without=(*TASTE, *QUEUED)) if waits else serves)[at]:
            return Pinned(at, notes=(*notes, _note(situation, pin, _asked(situation, pin, at), weight=1.0)))
        if forced:
            if at is None or waits or not _is_sound(situation, at) or not np.count_nonzero(eligible):
                return Pinned(at, refused=True)
            notes.append(_note(situation, pin, f"{pin.model} cannot be called now, others answer for it", weight=0.0))
            return Pinned(follow=_named_by(situation, at, eligible), notes=tuple(notes))
        notes.append(_note(situation, pin, f"{pin.model} is pinned by {pin.who} and cannot serve this request", weight=0.0))
    return Pinned(notes=tuple(notes))


def _is_sound(situation: Situation, at: int) -> bool:
    """Tell whether nothing but the moment keeps a model from serving."""
    return bool(surviving(situation, without=(*TASTE, *AVAILABILITY))[at])


def _asked(situation: Situation, pin: Pin, at: int) -> str:
    missed = "; ".join(map(str, rejections(situation, (at,))[at]))
    return f"{pin.who} asked for {pin.model}" + (f", although {missed}" if missed else "")


def _note(situation: Situation, pin: Pin, text: str, *, weight: float) -> Evidence:
    source = {_CALLER: "force_model", _OPERATOR: "override"}.get(pin.who, "policy")
    return Evidence(source, text, weight, situation.now)


def _named_by(situation: Situation, at: int, eligible: Flags) -> tuple[int, ...]:
    places = (situation.columns.place.get(ref) for ref in situation.models[at].fallbacks)
    return tuple(place for place in places if place is not None and eligible[place])


def _pins(situation: Situation) -> Iterator[Pin]:
    ruled, override, forced = situation.ruling.pin, situation.circumstances.override, situation.request.force_model
    if ruled is not None and ruled.outranks:
        yield ruled
    if override.pin is not None and override.holds(situation.now):
        yield Pin(_OPERATOR, override.pin, outranks=True)
    if forced is not None:
        yield Pin(_CALLER, ModelRef(forced), outranks=False)
    if ruled is not None and not ruled.outranks:
        yield ruled
