"""The ledger as JSON lines, out and in, in constant memory; and the end of rows that are too old."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, TextIO

from crew_router.errors import StorageError
from crew_router.ledger.database import write_rows
from crew_router.ledger.schema import ATTEMPTS, AUDIT, DECISIONS, FEEDBACK, OUTCOMES, Cell, Row, Table

if TYPE_CHECKING:
    from crew_router.ledger.database import Database

_PAGE: Final = 2000
_TIMES: Final = {DECISIONS: "at", ATTEMPTS: "started_at", OUTCOMES: "at", FEEDBACK: "at", AUDIT: "at"}
_TELEMETRY: Final = (DECISIONS, ATTEMPTS, OUTCOMES, FEEDBACK)


def count_rows(database: Database, project: str, *, before: float) -> int:
    """Count what an export will write."""
    counts = (
        database.query(f"SELECT count(*) FROM {table.name} WHERE project = ? AND {time} < ?", (project, before))  # noqa: S608 - names of ours
        for table, time in _TIMES.items()
    )
    return sum(int(rows[0][0] or 0) for rows in counts)


def export_rows(database: Database, project: str, out: TextIO, *, before: float, tick: Callable[[int], None] = lambda _: None) -> int:
    """Write every row before a time as one JSON object a line, ``{"table": …, column: …}``; return how many.

    Args:
        database: Where rows are read, a page at a time.
        project: Whose rows.
        out: Where lines go.
        before: Seconds since the epoch.
        tick: Told after every page how many rows it had.
    """
    written = 0
    for table, time in _TIMES.items():
        for page in _pages(database, table, project, where=f"{time} < ?", value=before):
            out.writelines(_line(table, row) for row in page)
            written += len(page)
            tick(len(page))
    return written


def import_rows(database: Database, project: str, lines: Iterable[str], *, tick: Callable[[int], None] = lambda _: None) -> int:
    """Add what :func:`export_rows` wrote, under a project of one's own; return how many rows there were.

    Decisions that are there already stay as they are, and so do their calls, outcomes and feedback, so that a file that is
    read twice counts once; only outcomes that somebody reported without a decision are added again. Audit rows stay with the
    ledger that they speak of.

    Raises:
        StorageError: A line is no row of a ledger.
    """
    known, taken = {table.name: table for table in _TIMES}, 0
    old: set[str] = set()
    batch: list[tuple[Table, Row]] = []
    for number, line in enumerate(lines, start=1):
        table, row = _row(known, line, project, number=number)
        if table is not AUDIT:
            batch.append((table, row))
        if len(batch) >= _PAGE:
            taken += _add(database, project, batch, old)
            tick(len(batch))
            batch = []
    taken += _add(database, project, batch, old)
    tick(len(batch))
    return taken


def prune(database: Database, project: str, *, before: float) -> int:
    """Delete decisions, calls, outcomes and feedback older than a time; money, budgets and audit stay. Return how many."""
    gone = 0
    with database.transaction() as cursor:
        for table in _TELEMETRY:
            where = f"FROM {table.name} WHERE project = ? AND {_TIMES[table]} < ?"
            gone += int(cursor.run(f"SELECT count(*) {where}", (project, before))[0][0] or 0)
            cursor.run(f"DELETE {where}", (project, before))
    return gone


def _pages(database: Database, table: Table, project: str, *, where: str, value: Cell) -> Iterator[list[Row]]:
    columns, last = ", ".join(table.names), 0
    sql = f"SELECT seq, {columns} FROM {table.name} WHERE project = ? AND {where} AND seq > ? ORDER BY seq LIMIT {_PAGE}"  # noqa: S608 - names of ours
    while page := database.query(sql, (project, value, last)):
        last = int(page[-1][0] or 0)
        yield [row[1:] for row in page]


def _line(table: Table, row: Row) -> str:
    return json.dumps({"table": table.name, **dict(zip(table.names, row, strict=True))}, ensure_ascii=False) + "\n"


def _row(known: dict[str, Table], line: str, project: str, *, number: int) -> tuple[Table, Row]:
    try:
        cells = json.loads(line)
        table = known[cells["table"]]
        return table, tuple(project if name == "project" else cells[name] for name in table.names)
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"line {number}", f"is no row of a ledger: {error!r}", cure="give a file that `crew-router export` wrote"
        ) from error


def _add(database: Database, project: str, batch: list[tuple[Table, Row]], old: set[str]) -> int:
    ids = [str(row[1]) for table, row in batch if table is DECISIONS]
    with database.transaction() as cursor:
        for number in range(0, len(ids), 500):
            part = ids[number : number + 500]
            marks = ", ".join("?" * len(part))
            found = cursor.run(f"SELECT id FROM decisions WHERE project = ? AND id IN ({marks})", (project, *part))  # noqa: S608 - marks only
            old.update(str(row[0]) for row in found)
        fresh = [(table, row) for table, row in batch if row[1] not in old]
        write_rows(cursor, database.dialect, {table: [row for other, row in fresh if other is table] for table in {t for t, _ in fresh}})
    return len(fresh)
