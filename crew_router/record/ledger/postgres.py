"""The ledger's database in PostgreSQL: many machines, one history."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit, urlunsplit

from crew_router.errors import MissingDependencyError
from crew_router.record.ledger.database import DatabaseError, migrate
from crew_router.record.ledger.schema import Cell, Dialect, Row

if TYPE_CHECKING:
    import psycopg

_CONNECT_S: Final = 5
_STATEMENT_MS: Final = 10_000
_ROW_CLASSES: Final = ("22", "23", "54")  # data, constraint, program limit; all others may pass, as a server that is a replica for now
_MIGRATION_LOCK: Final = 7_243_801  # any number that is ours
_LIMITS: Final = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


class Statements:
    """Statements of one transaction.

    Args:
        connection: Where they run.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def run(self, sql: str, values: Sequence[Cell] = ()) -> list[Row]:
        """Run one statement, and return its rows."""
        # All statements are constants of this package, written with ? and without a percent sign.
        cursor = self._connection.execute(cast("Any", sql.replace("?", "%s")), tuple(values))
        return cursor.fetchall() if cursor.description else []

    def time_s(self) -> float | None:
        """Return the server's time, in seconds since the epoch: all machines share it."""
        ((now,),) = self.run("SELECT extract(epoch FROM clock_timestamp())::double precision")
        return float(now or 0)


class PostgresDatabase:
    """Two connections a process: one for the rows of the writer and for reading, one for money, so that neither waits.

    Every commit waits for the server's disk; with ``durability: batch`` it is the writer that waits, not the caller.

    Args:
        url: ``postgresql://user:password@host/database?sslmode=…``, as libpq reads it.
    """

    def __init__(self, url: str) -> None:
        try:
            import psycopg  # only installed and needed with this database
        except ImportError as error:
            raise MissingDependencyError("psycopg", extra="postgres") from error
        self._psycopg = psycopg
        self._address = url
        self._locks = {False: threading.Lock(), True: threading.Lock()}
        self._connections: dict[bool, psycopg.Connection[Any]] = {}
        self._left_open: list[psycopg.Connection[Any]] = []

    @property
    def dialect(self) -> Dialect:
        """Say which SQL it speaks."""
        return "postgresql"

    @property
    def url(self) -> str:
        """Return the address without credentials and options."""
        parts = urlsplit(self._address)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    @contextmanager
    def transaction(self, *, urgent: bool = False) -> Generator[Statements]:
        """Write; a connection that was lost is opened again by the next call."""
        with self._locks[urgent], self._translated(urgent=urgent), ExitStack() as open_until_the_end:
            try:
                connection = self._connected(urgent=urgent)
                open_until_the_end.enter_context(connection.transaction())
            except self._psycopg.OperationalError:
                self._forget(urgent=urgent)
                connection = self._connected(urgent=urgent)
                open_until_the_end.enter_context(connection.transaction())
            yield Statements(connection)

    def query(self, sql: str, values: Sequence[Cell] = ()) -> list[Row]:
        """Read."""
        with self.transaction() as cursor:
            return cursor.run(sql, values)

    def hold(self) -> None:
        """Keep every statement out until :meth:`let_go`, around a fork."""
        for lock in self._locks.values():
            lock.acquire()

    def let_go(self) -> None:
        """Let statements in again."""
        for lock in self._locks.values():
            lock.release()

    def reopen(self) -> None:
        """Leave the parent's connections alone: a goodbye sent from here would end them for the parent too."""
        self._left_open += self._connections.values()
        self._connections = {}

    def close(self) -> None:
        """Close the connections."""
        for urgent, lock in self._locks.items():
            with lock:
                connection = self._connections.pop(urgent, None)
                if connection is not None:
                    connection.close()

    def _connected(self, *, urgent: bool) -> psycopg.Connection[Any]:
        connection = self._connections.get(urgent)
        if connection is None or connection.closed:
            connection = self._psycopg.connect(self._address, autocommit=True, connect_timeout=_CONNECT_S, application_name="crew-router")
            for limit in _LIMITS:
                connection.execute("SELECT set_config(%s, %s, false)", (limit, str(_STATEMENT_MS)))
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
                migrate(Statements(connection), "postgresql")
            self._connections[urgent] = connection
        return connection

    def _forget(self, *, urgent: bool) -> None:
        connection = self._connections.pop(urgent, None)
        if connection is not None:
            connection.close()

    @contextmanager
    def _translated(self, *, urgent: bool) -> Generator[None]:
        try:
            yield
        except self._psycopg.Error as error:
            connection = self._connections.get(urgent)
            lost = isinstance(error, self._psycopg.OperationalError) or connection is None or connection.closed
            if lost:
                self._forget(urgent=urgent)
            problem = str(error).strip() or type(error).__name__
            raise DatabaseError(problem, gone=bool(lost) or not _is_of_the_row(error)) from error


def _is_of_the_row(error: psycopg.Error) -> bool:
    """Tell whether a row is at fault, and not the database: by class 22, 23 or 54, or because the client could not send it."""
    state = error.sqlstate
    return state is None or state[:2] in _ROW_CLASSES
