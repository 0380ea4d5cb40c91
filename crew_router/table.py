"""The table behind a decision, turned into rows only when somebody asks."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from crew_router.changes import Decided, Redecide, changes_of
from crew_router.filters import rejections
from crew_router.types import CandidateRow, Change, Evidence

if TYPE_CHECKING:
    from crew_router.columns import Flags
    from crew_router.scoring import Scores
    from crew_router.situation import Situation


@dataclass(frozen=True)
class LiveTable:
    """Keeps the arrays of a decision and makes the rows on demand.

    ``redecide`` returns the order that a changed situation would have; it is ``None`` where chance had a part in the choice.
    """

    situation: Situation
    scores: Scores
    eligible: Flags
    remarks: tuple[Evidence, ...] = ()
    _: KW_ONLY
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
        return changes_of(Decided(self.situation, self.eligible, self.selected, self.redecide, self.steady))

    @cached_property
    def _rows(self) -> tuple[CandidateRow, ...]:
        order = np.lexsort((self.situation.columns.tie_break, -self.scores.rank, ~self.eligible))
        return tuple(self._row(int(at)) for at in order)

    def _row(self, at: int) -> CandidateRow:
        predicted, model = self.situation.forecast, self.situation.models[at]
        task = self.situation.profile.task_type.value
        return CandidateRow(
            model.ref,
            rank=float(self.scores.rank[at]),
            score=float(self.scores.score[at]),
            points={name: float(points[at]) for name, points in self.scores.points.items()},
            p_success=float(predicted.success[at]),
            cost_usd=predicted.cost_of(at).expected_usd,
            latency_s=predicted.latency_of(at).expected_s,
            quality_source=model.source if self.situation.columns.measured_for(task)[at] else "unmeasured",
            rejections=() if self.eligible[at] else rejections(self.situation, at),
            quality=float(predicted.quality[at]),
        )
