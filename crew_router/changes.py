"""What would change a decision: the smallest change of budget, quality or latency, found by deciding again over the same arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from crew_router.errors import NoCandidateError
from crew_router.types import Change, ModelRef, RoutingRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from crew_router.columns import Floats
    from crew_router.situation import Situation

    Redecide = Callable[[Situation], int]

MOST_TRIES: Final = 400


@dataclass(frozen=True, slots=True)
class _Dial:
    """One field of the request; ``sign`` is 1 where a larger value lets more models through."""

    field: str
    figures: Floats
    sign: int
    low: float
    high: float


def changes_of(situation: Situation, selected: int, redecide: Redecide) -> tuple[Change, ...]:
    """Return the smallest change of each field that makes another model the choice, tightened and loosened.

    A choice can only change where the field passes the figure of a model, so each of these values is tried, the nearest first.
    After ``MOST_TRIES`` values without a change nothing is said of a field.

    Args:
        situation: What was decided on.
        selected: The place that was chosen.
        redecide: Decides a situation; returns the place that is chosen.
    """
    if situation.request.force_model is not None:
        return ()
    found: list[Change] = []
    for dial in _dials(situation):
        given: float | None = getattr(situation.request, dial.field)
        for values in (_tighter(dial, given), _looser(dial, given)):
            change = _first(situation, selected, redecide, field=dial.field, given=given, values=values)
            if change is not None:
                found.append(change)
    return tuple(found)


def _dials(situation: Situation) -> Iterator[_Dial]:
    predicted = situation.forecast
    yield _Dial("cost_budget", predicted.cost, 1, 0.0, math.inf)
    yield _Dial("quality_requirement", predicted.quality, -1, 0.0, 1.0)
    yield _Dial("max_latency_s", predicted.latency, 1, 0.0, math.inf)


def _tighter(dial: _Dial, given: float | None) -> Iterator[float]:
    """Yield values just beyond a model's figure, which take it out, the nearest to what was given first."""
    figures = {float(figure) for figure in dial.figures if not math.isnan(figure)}
    for figure in sorted(figures, reverse=dial.sign > 0):
        value = math.nextafter(figure, -math.inf if dial.sign > 0 else math.inf)
        if dial.low <= value <= dial.high and (given is None or (value < given if dial.sign > 0 else value > given)):
            yield value


def _looser(dial: _Dial, given: float | None) -> Iterator[float]:
    """Yield figures of models that the field keeps out, which let them in, the nearest to what was given first."""
    if given is None:
        return
    figures = {float(figure) for figure in dial.figures if not math.isnan(figure)}
    for figure in sorted(figures, reverse=dial.sign < 0):
        if dial.low <= figure <= dial.high and (figure > given if dial.sign > 0 else figure < given):
            yield figure


def _first(
    situation: Situation, selected: int, redecide: Redecide, *, field: str, given: float | None, values: Iterator[float]
) -> Change | None:
    for tries, value in enumerate(values):
        if tries >= MOST_TRIES:
            return None
        changed: RoutingRequest = replace(situation.request, **cast("Any", {field: value}))
        model = _chosen(replace(situation, request=changed), redecide)
        if model != situation.columns.refs[selected]:
            return Change(field, given=given, value=value, model=model)
    return None


def _chosen(situation: Situation, redecide: Redecide) -> ModelRef | None:
    try:
        return situation.columns.refs[redecide(situation)]
    except NoCandidateError:
        return None


