"""The ledger's database in one SQLite file, or in memory for tests."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from crew_router.record.ledger.database import DatabaseError, migrate
from crew_router.record.ledger.filelock import FileLock
from crew_router.record.ledger.schema import Cell, Dialect, Row

_BUSY_S: Final = 10.0
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_OF_THE_ROW = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.NotSupportedError)
Durability = Literal["batch", "full"]


class _Statements:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, sql: str, values: Sequence[Cell] = ()) -> list[Row]:
        return self._connection.execute(sql, values).fetchall()

    def time_s(self) -> float | None:
        return None


class SqliteDatabase:
    """A file in WAL mode: one connection writes, another reads beside it.

    Processes that write take turns by a lock file, whose queue is the kernel's: SQLite's own waiting polls, and left one of
    eight committing processes waiting for seconds.

    Args:
        path: The file; its folder is made when missing. ``None`` keeps everything in memory.
        durability: ``full`` survives a loss of power after each commit, ``batch`` a crash of the process.
    """

    def __init__(self, path: Path | None, *, durability: Durability = "batch") -> None:
        self._path, self._durability = path, durability
        self._writing, self._reading = threading.Lock(), threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._turns = FileLock(path.with_name(path.name + ".lock")) if path else None
        self._left_open: list[sqlite3.Connection] = []
        self._file: tuple[int, int] | None = None

    @property
    def dialect(self) -> Dialect:
        """Say which SQL it speaks."""
        return "sqlite"

    @property
    def url(self) -> str:
        """Return the address."""
        return f"sqlite:///{self._path}" if self._path else "sqlite://"

    @contextmanager
    def transaction(self, *, urgent: bool = False) -> Generator[_Statements]:  # noqa: ARG002 - SQLite has one writer
        """Write, with all other processes kept out."""
        with self._writing, self._translated():
            if self._writer is not None and self._replaced():
                self._drop()
            db = self._writer = self._writer or self._opened()
            with self._turns or _no_turns():
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield _Statements(db)
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:  # SQLite has undone it already where the disk is at fault
                        db.execute("ROLLBACK")
                    raise

    def query(self, sql: str, values: Sequence[Cell] = ()) -> list[Row]:
        """Read beside the writer."""
        if self._path is None:
            with self._writing, self._translated():
                self._writer = self._writer or self._opened()
                return self._writer.execute(sql, values).fetchall()
        with self._reading, self._translated(reading=True):
            if self._reader is not None and self._replaced():
                self._drop(reading=True)
            if self._reader is None:
                with self.transaction():
                    pass
                self._reader = self._connected()
            return self._reader.execute(sql, values).fetchall()

    def hold(self) -> None:
        """Keep every statement out until :meth:`let_go`, around a fork."""
        self._reading.acquire()
        self._writing.acquire()

    def let_go(self) -> None:
        """Let statements in again."""
        self._writing.release()
        self._reading.release()

    def reopen(self) -> None:
        """Leave the parent's connections alone: closing them here would drop the parent's locks on the file.

        What is in memory was copied by the fork, and stays.
        """
        if self._path is not None:
            self._left_open += [db for db in (self._writer, self._reader) if db is not None]
            self._writer = self._reader = None
        if self._turns is not None:
            self._turns.reopen()

    def close(self) -> None:
        """Close the connections."""
        with self._reading, self._writing:
            for db in (self._reader, self._writer):
                if db is not None:
                    db.close()
            self._reader = self._writer = None
            if self._turns is not None:
                self._turns.close()

    def _opened(self) -> sqlite3.Connection:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path is not None and not self._path.exists()
        db = self._connected()
        if fresh and self._path is not None:
            self._path.chmod(0o600)
        try:
            self._file = self._found()
            with self._turns or _no_turns():
                db.execute("PRAGMA journal_mode = WAL")
                db.execute(f"PRAGMA synchronous = {'FULL' if self._durability == 'full' else 'NORMAL'}")
                db.execute("BEGIN IMMEDIATE")
                migrate(_Statements(db), "sqlite")
                db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db

    def _connected(self) -> sqlite3.Connection:
        place = str(self._path) if self._path else ":memory:"
        return sqlite3.connect(place, isolation_level=None, check_same_thread=False, timeout=_BUSY_S)

    def _found(self) -> tuple[int, int] | None:
        """Return which file bears the name, if any does."""
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _replaced(self) -> bool:
        """Tell whether the name is another file's by now: what is written to the old one, nobody would find."""
        return self._found() != self._file

    def _drop(self, *, reading: bool = False) -> None:
        """Open the file anew at the next call."""
        db = self._reader if reading else self._writer
        if reading:
            self._reader = None
        else:
            self._writer = None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):  # of a damaged file
                db.close()

    @contextmanager
    def _translated(self, *, reading: bool = False) -> Generator[None]:
        try:
            yield
        except _OF_THE_ROW as error:
            raise DatabaseError(str(error), gone=False) from error
        except sqlite3.Error as error:
            # Extended codes have the kind in their lowest byte. What has no code is said by the module itself.
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code not in _DAMAGED:
                raise DatabaseError(str(error), gone=True) from error
            if self._path is not None:
                self._drop(reading=reading)
            raise DatabaseError(f"the file is damaged ({error}); put a good one in its place", gone=True, damaged=True) from error
        except OSError as error:
            raise DatabaseError(str(error), gone=True) from error


@contextmanager
def _no_turns() -> Generator[None]:
    yield
