"""The ledger as JSON lines, out and in, in constant memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TextIO

from crew_router.errors import StorageError
from crew_router.record.ledger.database import write_rows
from crew_router.record.ledger.retention import look_again
from crew_router.record.ledger.schema import ATTEMPTS, AUDIT, DECISIONS, FEEDBACK, OUTCOMES, Cell, Row, Table

if TYPE_CHECKING:
    from crew_router.record.ledger.database import Cursor, Database

PAGE_ROWS: Final = 2000
_TIMES: Final = {DECISIONS: "at", ATTEMPTS: "started_at", OUTCOMES: "at", FEEDBACK: "at", AUDIT: "at"}
_MARKS: Final = 500  # values of one statement


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
        for page in _pages(database, table, project, time=time, before=before):
            out.writelines(line_of(table, row) for row in page)
            written += len(page)
            tick(len(page))
    return written


def import_rows(database: Database, project: str, lines: Iterable[str], *, tick: Callable[[int], None] = lambda _: None) -> int:
    """Add what :func:`export_rows` or a mirror wrote, under a project of one's own; return how many rows were new.

    Rows that are here already stay as they are, so that a file that is read twice counts once; one that lies in the ledger twice
    lies there twice. Audit rows stay with the ledger that they speak of.

    Raises:
        StorageError: A line is no row of a ledger.
    """
    known, taken = {table.name: table for table in _TIMES}, 0
    batch: dict[Table, list[Row]] = {}
    number = size = 0
    for number, line in enumerate(lines, start=1):
        table, row = _row(known, line, project, number=number)
        if table is not AUDIT:
            batch.setdefault(table, []).append(row)
        if number % PAGE_ROWS == 0:
            taken += _add(database, project, batch)
            tick(number - size)
            batch, size = {}, number
    taken += _add(database, project, batch)
    tick(number - size)
    return taken


def _pages(database: Database, table: Table, project: str, *, time: str, before: float) -> Iterator[list[Row]]:
    """Yield rows in order of time, which is that of an index, so that a page costs the same wherever it lies."""
    at, seq = -1e300, -1
    sql = (
        f"SELECT {time}, seq, {', '.join(table.names)} FROM {table.name} "  # noqa: S608 - names of ours
        f"WHERE project = ? AND {time} >= ? AND {time} < ? AND ({time} > ? OR seq > ?) ORDER BY {time}, seq LIMIT {PAGE_ROWS}"
    )
    while page := database.query(sql, (project, at, before, at, seq)):
        at, seq = float(page[-1][0] or 0), int(page[-1][1] or 0)
        yield [row[2:] for row in page]


def line_of(table: Table, row: Row) -> str:
    """Return a row as a line of JSON."""
    return json.dumps({"table": table.name, **dict(zip(table.names, row, strict=True))}, ensure_ascii=False) + "\n"


def _row(known: dict[str, Table], line: str, project: str, *, number: int) -> tuple[Table, Row]:
    try:
        cells = json.loads(line)
        table = known[cells["table"]]
        if table is DECISIONS:
            cells["process"] = None  # it is nobody's of this ledger; older exports have none
        return table, tuple(project if name == "project" else cells[name] for name in table.names)
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"line {number}", f"is no row of a ledger: {error!r}", cure="give a file that `crew-router export` wrote"
        ) from error


def _add(database: Database, project: str, batch: dict[Table, list[Row]]) -> int:
    added = 0
    with database.transaction() as cursor:
        look_again(cursor, project)
        for table, rows in batch.items():
            here = _here(cursor, table, rows, project=project)
            fresh = [row for row in rows if _key(table, row) not in here]
            write_rows(cursor, database.dialect, {table: fresh})
            added += len(fresh)
    return added


def _here(cursor: Cursor, table: Table, rows: Sequence[Row], *, project: str) -> set[Row]:
    """Return the keys of rows that the ledger holds: of decisions their id, of others all they say."""
    column = "id" if table is DECISIONS else "decision_id"
    found = _found(cursor, table, column, [row[1] for row in rows if row[1] is not None], project=project)
    lonely = [row[table.names.index("at")] for row in rows if row[1] is None]  # outcomes that were reported without a decision
    return found | _found(cursor, table, "at", lonely, project=project) if lonely else found


def _found(cursor: Cursor, table: Table, column: str, values: Sequence[Cell], *, project: str) -> set[Row]:
    # Ids are found by their own index; with the project asked for too, SQLite would read all of its rows by another.
    where = "project = ? AND " if column == "at" else ""
    names = "project, id" if table is DECISIONS else ", ".join(table.names)
    keys: set[Row] = set()
    for start in range(0, len(values), _MARKS):
        part = (*((project,) if where else ()), *values[start : start + _MARKS])
        marks = ", ".join("?" * len(values[start : start + _MARKS]))
        sql = f"SELECT {names} FROM {table.name} WHERE {where}{column} IN ({marks})"  # noqa: S608 - names of ours
        keys.update(_key(table, row) for row in cursor.run(sql, part))
    return keys


def _key(table: Table, row: Row) -> Row:
    return row[:2] if table is DECISIONS else tuple(row)
