"""The table behind a decision, by row and by column: every model with its figures and what removed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from crew_router.types.evidence import CandidateRow, Change, Evidence, Rejection
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


class DecisionTable(Protocol):
    """The table behind a decision; made when somebody asks, so that an unexplained decision costs nothing."""

    def candidates(self) -> tuple[CandidateRow, ...]:
        """Return every model of the registry, chosen first, then by falling rank, rejected last."""
        ...

    def columns(self) -> Candidates:
        """Return the same by column, figures rounded to a millionth and costs to a thousandth of a nano-dollar."""
        ...

    def notes(self) -> tuple[Evidence, ...]:
        """Return evidence that is not a factor of the score: waivers, warnings, policies, arms, overrides."""
        ...

    def changes(self) -> tuple[Change, ...]:
        """Return the smallest changes of budget, quality and latency that would change the choice."""
        ...


@dataclass(frozen=True, slots=True)
class RecordedTable:
    """A table that was read back from JSON."""

    rows: tuple[CandidateRow, ...] = ()
    remarks: tuple[Evidence, ...] = ()
    flips: tuple[Change, ...] = ()

    def candidates(self) -> tuple[CandidateRow, ...]:
        """Return the rows."""
        return self.rows

    def columns(self) -> Candidates:
        """Return the rows by column."""
        return Candidates.of(self.rows)

    def notes(self) -> tuple[Evidence, ...]:
        """Return the remarks."""
        return self.remarks

    def changes(self) -> tuple[Change, ...]:
        """Return the changes."""
        return self.flips
