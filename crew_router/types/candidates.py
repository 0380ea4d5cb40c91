"""The table behind a decision by column: what the ledger keeps, and what one sentence about a decision needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crew_router.types.decision import CandidateRow, Rejection
from crew_router.types.vocabulary import ModelRef

FIGURES: Final = ("rank", "score", "p_success", "cost_usd", "latency_s", "quality")


@dataclass(frozen=True, slots=True)
class Candidates:
    """The rows of a table turned into columns; a place counts the models, the best first.

    Args:
        models: Every model.
        figures: One column for each of :data:`FIGURES`, ``None`` where a figure is unknown.
        points: One column for each factor of requirement A5, ``None`` where a row does not name it.
        sources: Where the quality of each model comes from.
        removed: What removed the model at a place; models that passed are not in it.
    """

    models: Sequence[ModelRef]
    figures: Mapping[str, Sequence[float | None]]
    points: Mapping[str, Sequence[float | None]]
    sources: Sequence[str]
    removed: Mapping[int, tuple[Rejection, ...]]

    @classmethod
    def of(cls, rows: Sequence[CandidateRow]) -> Candidates:
        """Turn rows into columns."""
        names = dict.fromkeys(name for row in rows for name in row.points)
        return cls(
            [row.model for row in rows],
            {name: [getattr(row, name) for row in rows] for name in FIGURES},
            {name: [row.points.get(name) for row in rows] for name in names},
            [row.quality_source for row in rows],
            {at: row.rejections for at, row in enumerate(rows) if row.rejections},
        )

    def rows(self) -> tuple[CandidateRow, ...]:
        """Turn columns back into rows."""
        return tuple(self._row(at) for at in range(len(self.models)))

    def passed(self) -> list[int]:
        """Return the places of the models that no filter removed, the best first."""
        return [at for at in range(len(self.models)) if at not in self.removed]

    def _row(self, at: int) -> CandidateRow:
        figures = {name: self.figures[name][at] for name in FIGURES}
        return CandidateRow(
            self.models[at],
            points={name: value for name, values in self.points.items() if (value := values[at]) is not None},
            quality_source=self.sources[at],
            rejections=self.removed.get(at, ()),
            **figures,
        )
