"""What the ledger needs of a database: SQLite or PostgreSQL, behind one small protocol. SQL is written with ``?``."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from typing import Final, Protocol, TypeAlias

from pydantic_core import to_json

from crew_router.record.ledger.schema import MIGRATIONS, Cell, Dialect, Row, Table, statements
from crew_router.types.redaction import redacted

Rows: TypeAlias = Mapping[Table, Sequence[Row]]


_MOST_CELLS: Final = 8_000 if sqlite3.sqlite_version_info >= (3, 32) else 999  # of one statement


class Cursor(Protocol):
    """Statements inside one transaction."""

    def run(self, sql: str, values: Sequence[Cell] = ()) -> list[Row]:
        """Carry a statement out and return its rows, if it gives any."""
        ...

    def time_s(self) -> float | None:
        """Return the database's own time in seconds since the epoch, where it is a machine of its own."""
        ...


class Database(Protocol):
    """A database with the ledger's schema. Safe to call from any thread; methods raise :class:`DatabaseError`."""

    @property
    def dialect(self) -> Dialect:
        """Say which SQL it speaks where the two differ."""
        ...

    @property
    def url(self) -> str:
        """Return the address without credentials."""
        ...

    def transaction(self, *, urgent: bool = False) -> AbstractContextManager[Cursor]:
        """Open a transaction that is on disk when the block ends, and undone if it raises.

        Args:
            urgent: Whether it is money, which gets a connection of its own where there can be one.
        """
        ...

    def query(self, sql: str, values: Sequence[Cell] = ()) -> list[Row]:
        """Read."""
        ...

    def hold(self) -> None:
        """Keep every statement out until :meth:`let_go`, around a fork."""
        ...

    def let_go(self) -> None:
        """Let statements in again."""
        ...

    def reopen(self) -> None:
        """Leave the parent's connections alone; the next call opens its own. For a forked child."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...


class DatabaseError(Exception):
    """The database did not carry a statement out; the transaction is undone.

    Args:
        problem: Its words.
        gone: Whether it may work later; otherwise the statement itself was refused.
        damaged: Whether it will not work before somebody mends or replaces it.
    """

    def __init__(self, problem: str, *, gone: bool, damaged: bool = False) -> None:
        self.problem, self.gone, self.damaged = redacted(problem), gone, damaged
        super().__init__(self.problem)


def write_rows(cursor: Cursor, dialect: Dialect, rows: Rows) -> None:
    """Add rows, many with each statement: after one the writer waits for its turn in the interpreter, 5 ms beside a busy thread."""
    for table, some in rows.items():
        if dialect == "postgresql":
            cursor.run(table.insert_json, (to_json(some, inf_nan_mode="null").decode(),))
        else:
            _write_cells(cursor, table, some)


def _write_cells(cursor: Cursor, table: Table, rows: Sequence[Row]) -> None:
    most = _MOST_CELLS // len(table.names)
    for start in range(0, len(rows), most):
        part = rows[start : start + most]
        cursor.run(table.insert_rows(len(part)), list(chain.from_iterable(part)))


def migrate(cursor: Cursor, dialect: Dialect) -> None:
    """Bring the schema up to date; the caller's transaction holds a lock that keeps other processes out.

    Raises:
        DatabaseError: The schema is newer than this version knows.
    """
    found = _schema_of(cursor, dialect)
    if found > len(MIGRATIONS):
        problem = f"the ledger has schema {found}, this version of crew-router knows {len(MIGRATIONS)}; update crew-router"
        raise DatabaseError(problem, gone=False)
    for migration in MIGRATIONS[found:]:
        for statement in statements(migration, dialect):
            cursor.run(statement)
    if found < len(MIGRATIONS):
        cursor.run("DELETE FROM meta WHERE name = 'schema'")
        cursor.run("INSERT INTO meta (name, value) VALUES ('schema', ?)", (str(len(MIGRATIONS)),))


def _schema_of(cursor: Cursor, dialect: Dialect) -> int:
    tables = {
        "sqlite": "SELECT count(*) FROM sqlite_master WHERE name = 'meta'",
        "postgresql": "SELECT count(*) FROM information_schema.tables WHERE table_name = 'meta' AND table_schema = current_schema()",
    }
    if not cursor.run(tables[dialect])[0][0]:
        return 0
    return int(str(cursor.run("SELECT value FROM meta WHERE name = 'schema'")[0][0]))
