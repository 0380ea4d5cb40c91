"""What analytics ask of the outcomes; each answer comes from one pass over one index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from crew_router.record.ledger.schema import Dialect, Row


@dataclass(frozen=True, slots=True)
class Slot:
    """Sums over some outcomes; ``key`` is (model, task type) of a breakdown, or the start of a period in seconds since the epoch."""

    key: tuple[str | None, ...] | float
    _: KW_ONLY
    requests: int
    successes: int
    escalations: int
    cost_nano: int
    latency_s: float | None
    confidence: float | None


_SUMS: Final = "count(*), sum(success), sum(escalated), coalesce(sum(cost_nano), 0), avg(latency_s), avg(confidence)"
_WHERE: Final = "WHERE project = ? AND at >= ? AND at < ?"
SERIES: Final = f"SELECT CAST(at AS BIGINT) / CAST(? AS BIGINT) AS slot, {_SUMS} FROM outcomes {_WHERE} GROUP BY slot ORDER BY slot"  # noqa: S608 - constants


def breakdown(dialect: Dialect, *, narrow: bool) -> str:
    """Return the question for sums by model and task type.

    Args:
        dialect: SQLite knows nothing of how rows lie in time and has to be told when few are asked for.
        narrow: Whether few of the rows are asked for; they are then found by their time and sorted.
    """
    hint = " INDEXED BY outcomes_at" if narrow and dialect == "sqlite" else ""
    return f"SELECT model, task_type, {_SUMS} FROM outcomes{hint} {_WHERE} GROUP BY model, task_type"  # noqa: S608 - constants


def by_model_and_task(rows: Sequence[Row]) -> list[Slot]:
    """Read the rows of :func:`breakdown`, dearest first."""
    slots = [_slot((_text(row[0]), _text(row[1])), row[2:]) for row in rows]
    return sorted(slots, key=lambda slot: -slot.cost_nano)


def by_time(rows: Sequence[Row], *, bucket_s: float) -> list[Slot]:
    """Read the rows of :data:`SERIES`, oldest first."""
    return [_slot(float(row[0] or 0) * bucket_s, row[1:]) for row in rows]


def _slot(key: tuple[str | None, ...] | float, cells: Row) -> Slot:
    requests, successes, escalations, cost, latency, confidence = cells
    return Slot(
        key,
        requests=int(requests or 0),
        successes=int(successes or 0),
        escalations=int(escalations or 0),
        cost_nano=int(cost or 0),
        latency_s=None if latency is None else float(latency),
        confidence=None if confidence is None else float(confidence),
    )


def _text(cell: object) -> str | None:
    return None if cell is None else str(cell)
