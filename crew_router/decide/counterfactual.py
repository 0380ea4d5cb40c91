"""What would change a decision: the smallest change of budget, quality or latency, found by deciding again over the same arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np

from crew_router.decide.filter import surviving
from crew_router.errors import NoCandidateError
from crew_router.types import Change, ModelRef, RoutingRequest

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.types.arrays import Flags, Floats

Redecide: TypeAlias = Callable[["RoutingContext"], "tuple[int, ...]"]

MOST_TRIES: Final = 400


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision to look around: what it was made on, who passed, the order that came of it, the choice, and how to decide again.

    ``steady`` tells that the order of two models never depends on which others passed, which saves most of the search.
    """

    context: RoutingContext
    eligible: Flags
    order: tuple[int, ...]
    selected: int
    redecide: Redecide
    steady: bool


@dataclass(frozen=True, slots=True)
class _Knob:
    """One field of the request, the filter that reads it, and the figure of each model; more of it lets more through, or less."""

    field: str
    filter: str
    figures: Floats
    wider: bool
    high: float = math.inf

    def beyond(self, figure: float) -> float:
        """Return the value next to a model's figure that takes it out."""
        return math.nextafter(figure, -math.inf if self.wider else math.inf)

    def passes(self, figure: float, value: float) -> bool:
        """Tell whether the field lets a model through; an unknown figure passes."""
        return not (figure > value if self.wider else figure < value)


def changes_of(decided: Decided) -> tuple[Change, ...]:
    """Return the smallest change of each field that makes another model the choice, tightened and loosened.

    A choice can only change where the field passes the figure of a model that it takes out or lets in, so each of these values is
    tried, the nearest first. After ``MOST_TRIES`` values without a change nothing is said of a field.
    """
    if decided.context.request.force_model is not None:
        return ()
    found = (change for dial in _dials(decided.context) for change in (_tightened(decided, dial), _loosened(decided, dial)))
    return tuple(change for change in found if change is not None)


def _dials(context: RoutingContext) -> Iterator[_Knob]:
    predicted = context.forecast
    yield _Knob("cost_budget", "budget", predicted.cost, wider=True)
    yield _Knob("quality_requirement", "quality", predicted.quality, wider=False, high=1.0)
    yield _Knob("max_latency_s", "latency", predicted.latency, wider=True)


def _tightened(decided: Decided, dial: _Knob) -> Change | None:
    """Take models out one after the other, the nearest to what was given first; a steady order needs only the chosen one's figure."""
    if decided.steady:
        return _next_in_order(decided, dial)
    figures = {float(dial.figures[at]) for at in np.flatnonzero(decided.eligible) if not math.isnan(dial.figures[at])}
    values = [value for figure in sorted(figures, reverse=dial.wider) if 0.0 <= (value := dial.beyond(figure)) <= dial.high]
    return _first(decided, dial, values)


def _next_in_order(decided: Decided, dial: _Knob) -> Change | None:
    """Return the change that takes the chosen model out; then the next of the order is the choice that the field leaves in."""
    value = dial.beyond(float(dial.figures[decided.selected]))
    if not 0.0 <= value <= dial.high:
        return None
    left = (at for at in decided.order if dial.passes(float(dial.figures[at]), value))
    refs, at = decided.context.model_table.candidates, next(left, None)
    given = getattr(decided.context.request, dial.field)
    return Change(dial.field, given=given, value=value, model=None if at is None else refs[at])


def _loosened(decided: Decided, dial: _Knob) -> Change | None:
    """Let models in one after the other that only this field keeps out, the nearest to what was given first."""
    if getattr(decided.context.request, dial.field) is None:
        return None
    entering = surviving(decided.context, without=(dial.filter,)) & ~decided.eligible
    places = np.flatnonzero(entering)
    if decided.steady and len(places):
        order = decided.redecide(_with(decided.context, dial.field, None))
        ahead = set(order[: order.index(decided.selected)])
        places = np.array([at for at in places if int(at) in ahead], dtype=np.int64)
    figures = {float(dial.figures[at]) for at in places}
    return _first(decided, dial, sorted(figures, reverse=not dial.wider))


def _first(decided: Decided, dial: _Knob, values: list[float]) -> Change | None:
    for value in values[:MOST_TRIES]:
        model = _chosen(decided, _with(decided.context, dial.field, value))
        if model != decided.context.model_table.candidates[decided.selected]:
            return Change(dial.field, given=getattr(decided.context.request, dial.field), value=value, model=model)
    return None


def _with(context: RoutingContext, field: str, value: float | None) -> RoutingContext:
    changed: RoutingRequest = replace(context.request, **cast("Any", {field: value}))
    return replace(context, request=changed)


def _chosen(decided: Decided, context: RoutingContext) -> ModelRef | None:
    try:
        return context.model_table.candidates[decided.redecide(context)[0]]
    except NoCandidateError:
        return None
