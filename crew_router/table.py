"""The table behind a decision, turned into rows only when somebody asks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from crew_router.filters import rejections
from crew_router.types import CandidateRow, Evidence

if TYPE_CHECKING:
    from crew_router.columns import Flags
    from crew_router.scoring import Scores
    from crew_router.situation import Situation


@dataclass(frozen=True)
class LiveTable:
    """Keeps the arrays of a decision and makes the rows on demand."""

    situation: Situation
    scores: Scores
    eligible: Flags
    remarks: tuple[Evidence, ...] = ()

    def candidates(self) -> tuple[CandidateRow, ...]:
        """Return every model by falling rank, removed ones last."""
        return self._rows

    def notes(self) -> tuple[Evidence, ...]:
        """Return evidence that is not a factor of the score."""
        return self.remarks

    @cached_property
    def _rows(self) -> tuple[CandidateRow, ...]:
        order = np.lexsort((self.situation.columns.tie_break, -self.scores.rank, ~self.eligible))
        return tuple(self._row(int(at)) for at in order)

    def _row(self, at: int) -> CandidateRow:
        forecast, model = self.situation.forecast, self.situation.models[at]
        task = self.situation.profile.task_type.value
        return CandidateRow(
            model.ref,
            rank=float(self.scores.rank[at]),
            score=float(self.scores.score[at]),
            points={name: float(points[at]) for name, points in self.scores.points.items()},
            p_success=float(forecast.success[at]),
            cost_usd=forecast.cost_of(self.situation.columns, at).expected_usd,
            latency_s=forecast.latency_of(self.situation.columns, at).expected_s,
            quality_source=model.source if self.situation.columns.measured_for(task)[at] else "unmeasured",
            rejections=() if self.eligible[at] else rejections(self.situation, at),
        )
