"""The table behind a decision, turned into rows only when somebody asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.counterfactual import Decided, Redecide, changes_of
from crew_router.decide.filter import rejections
from crew_router.types import CandidateRow, Change, Evidence, Rejection
from crew_router.types.cached import cached_property
from crew_router.types.candidates import Candidates

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Codes, Flags, Floats

UNMEASURED: Final = "unmeasured"
_DIGITS: Final = 6
_COST_DIGITS: Final = 12


@dataclass(frozen=True)
class ScoreTable:
    """Keeps the arrays of a decision and makes the rows on demand.

    ``redecide`` returns the order that a changed situation would have; it is ``None`` where chance had a part in the choice.
    """

    context: RoutingContext
    scores: Scores
    eligible: Flags
    remarks: tuple[Evidence, ...] = ()
    _: KW_ONLY
    order: tuple[int, ...]
    selected: int
    redecide: Redecide | None = None
    steady: bool = False

    def candidates(self) -> tuple[CandidateRow, ...]:
        """Return every model by falling rank, removed ones last."""
        return self._rows

    def notes(self) -> tuple[Evidence, ...]:
        """Return evidence that is not a factor of the score."""
        return self.remarks

    def changes(self) -> tuple[Change, ...]:
        """Return what would change the choice."""
        return self._changes

    @cached_property
    def _changes(self) -> tuple[Change, ...]:
        if self.redecide is None:
            return ()
        return changes_of(Decided(self.context, self.eligible, self.order, self.selected, self.redecide, self.steady))

    def columns(self) -> Candidates:
        """Return the same by column, figures rounded to a millionth and costs to a thousandth of a nano-dollar."""
        order, why, refs, sources = self._order, self._removed, self.context.model_table.candidates, self._sources
        places: list[int] = order.tolist()
        figures, points = self._figures(), self.scores.points
        numbers = np.array([*figures.values(), *points.values()])[:, order].round(_DIGITS).tolist()
        listed = dict(zip(figures, map(_known, numbers), strict=False))
        listed["cost_usd"] = _known(figures["cost_usd"][order].round(_COST_DIGITS).tolist())
        return Candidates(
            [refs[at] for at in places],
            listed,
            dict(zip(points, numbers[len(figures) :], strict=True)),
            [sources[at] for at in places],
            {number: why[at] for number, at in enumerate(places) if at in why},
        )

    def _figures(self) -> Mapping[str, Floats]:
        predicted, scores = self.context.forecast, self.scores
        return {
            "rank": scores.rank,
            "score": scores.score,
            "p_success": predicted.success,
            "cost_usd": predicted.cost,
            "latency_s": predicted.latency,
            "quality": predicted.quality,
        }

    @cached_property
    def _order(self) -> Codes:
        order: Codes = np.lexsort((self.context.model_table.tie_break, -self.scores.rank, ~self.eligible))
        return order

    @cached_property
    def _removed(self) -> dict[int, tuple[Rejection, ...]]:
        removed = np.flatnonzero(~self.eligible).tolist()
        return rejections(self.context, removed) if removed else {}

    @property
    def _sources(self) -> list[str]:
        models, model_table, task = self.context.models, self.context.model_table, self.context.profile.task_type.value
        return model_table.memo.get(
            ("quality sources", task),
            lambda: [
                model.source if measured else UNMEASURED for model, measured in zip(models, model_table.measured_for(task), strict=True)
            ],
        )

    @cached_property
    def _rows(self) -> tuple[CandidateRow, ...]:
        return self.columns().rows()


def _known(values: list[float]) -> list[float | None]:
    return [None if value != value else value for value in values]  # noqa: PLR0124 - NaN is unknown
