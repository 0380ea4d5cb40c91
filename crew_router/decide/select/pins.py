"""Which model has to go first: a forced or pinned one; it fixes the first attempt, and fallbacks follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.conditions import Pin
from crew_router.decide.filter import AVAILABILITY, QUEUED, TASTE, rejections, surviving
from crew_router.types import Evidence, ModelRef

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.types.arrays import Flags, Floats

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


def pinned(context: RoutingContext, eligible: Flags, rank: Floats) -> Pinned | None:
    """Return the model that goes first; ``None`` when nobody asks for one.

    A safety policy's pin goes before an operator's, that before the caller's ``force_model``, that before other policies' pins.
    Quality floors and latency wishes of the request are not held against a pinned model. A pin whose model cannot serve gives way
    with a note; the caller's does so only where the model cannot be called at the moment and others may answer (``fallbacks``).

    Args:
        context: What is asked and known.
        eligible: Which models passed every hard constraint.
        rank: The score that chooses the effort where a pin names a model alone.
    """
    pins = tuple(_pins(context))
    if not pins:
        return None
    serves = surviving(context, without=TASTE)
    notes: list[Evidence] = []
    for pin in pins:
        forced = pin.who == _CALLER
        # A forced model that nothing may stand in for waits for its turn, as the last model of any request does.
        waits = forced and not context.request.fallbacks
        able = surviving(context, without=(*TASTE, *QUEUED)) if waits else serves
        at = _place(context, pin.model, able=able, rank=rank)
        if at is not None and able[at]:
            return Pinned(at, notes=(*notes, _note(context, pin, _asked(context, pin, at), weight=1.0)))
        if forced:
            if at is None or waits or not _is_sound(context, at) or not np.count_nonzero(eligible):
                return Pinned(at, refused=True)
            notes.append(_note(context, pin, f"{pin.model} cannot be called now, others answer for it", weight=0.0))
            return Pinned(follow=_named_by(context, at, eligible), notes=tuple(notes))
        notes.append(_note(context, pin, f"{pin.model} is pinned by {pin.who} and cannot serve this request", weight=0.0))
    return Pinned(notes=tuple(notes))


def _place(context: RoutingContext, ref: ModelRef, *, able: Flags, rank: Floats) -> int | None:
    """Return the place of a candidate; of a model the effort that ranks first among those that can serve."""
    places = context.model_table.places_of(ref)
    if len(places) < 2:  # noqa: PLR2004 - nothing to choose
        return places[0] if places else None
    serving = [at for at in places if able[at]]
    return max(serving, key=lambda at: (rank[at], -at)) if serving else context.model_table.place[ref]


def _is_sound(context: RoutingContext, at: int) -> bool:
    """Tell whether nothing but the moment keeps a model from serving."""
    return bool(surviving(context, without=(*TASTE, *AVAILABILITY))[at])


def _asked(context: RoutingContext, pin: Pin, at: int) -> str:
    missed = "; ".join(map(str, rejections(context, (at,))[at]))
    return f"{pin.who} asked for {pin.model}" + (f", although {missed}" if missed else "")


def _note(context: RoutingContext, pin: Pin, text: str, *, weight: float) -> Evidence:
    source = {_CALLER: "force_model", _OPERATOR: "override"}.get(pin.who, "policy")
    return Evidence(source, text, weight, context.now)


def _named_by(context: RoutingContext, at: int, eligible: Flags) -> tuple[int, ...]:
    """Return one place for each model that the registry names to answer for another: its usual effort, else one that can serve."""
    found = (_serving(context, ref, eligible) for ref in context.models[at].fallbacks)
    return tuple(place for place in found if place is not None)


def _serving(context: RoutingContext, ref: ModelRef, eligible: Flags) -> int | None:
    usual = context.model_table.place.get(ref)
    if usual is None or eligible[usual]:
        return usual
    return next((at for at in context.model_table.places_of(ref) if eligible[at]), None)


def _pins(context: RoutingContext) -> Iterator[Pin]:
    ruled, override, forced = context.policy_result.pin, context.conditions.override, context.request.force_model
    if ruled is not None and ruled.outranks:
        yield ruled
    if override.pin is not None and override.holds(context.now):
        yield Pin(_OPERATOR, override.pin, outranks=True)
    if forced is not None:
        yield Pin(_CALLER, ModelRef(forced), outranks=False)
    if ruled is not None and not ruled.outranks:
        yield ruled
