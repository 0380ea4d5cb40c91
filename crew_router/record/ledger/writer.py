"""Rows on their way to the database: bounded in memory, written in batches by one thread, counted when any is lost.

Callers hand over frozen values; turning them into rows happens on the writer's thread. With ``durability: full`` the caller
waits for the commit, which takes along whatever others handed over meanwhile (group commit).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from crew_router.errors import StorageError
from crew_router.record.ledger.database import DatabaseError, write_rows
from crew_router.record.ledger.schema import Row, Table
from crew_router.types.redaction import logger

if TYPE_CHECKING:
    from crew_router.record.ledger.database import Database
    from crew_router.record.ledger.jsonl_sink import JsonlSink

_log = logger(__name__)
Entry: TypeAlias = tuple[Table, Callable[..., Row], tuple[object, ...]]
_RETRY_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class WriterPolicy:
    """How rows are written.

    Args:
        durability: ``batch`` returns at once, ``full`` after the commit.
        overflow: What happens to telemetry when the queue is full while the database works: ``wait`` for room, or ``drop`` the
            row and count it. While the database is away rows are dropped and counted either way. Money is never dropped.
        max_rows: Rows that may wait.
        batch_rows: Most rows in one transaction.
        linger_s: Seconds to collect rows in before a batch is written.
        commit_wait_s: Most seconds that ``full`` and ``flush`` wait for the disk.
    """

    durability: Literal["batch", "full"] = "batch"
    overflow: Literal["wait", "drop"] = "wait"
    max_rows: int = 100_000
    batch_rows: int = 2_000
    linger_s: float = 0.1
    commit_wait_s: float = 30.0


DEFAULT: Final = WriterPolicy()


class Writer:
    """The one thread of a process that adds rows."""

    def __init__(self, database: Database, policy: WriterPolicy, *, mirror: JsonlSink | None = None) -> None:
        self._database, self._policy, self._mirror = database, policy, mirror
        self._max_rows, self._full = policy.max_rows, policy.durability == "full"
        self._queue: deque[Entry] = deque()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._moved = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._handed = self._done = self._dropped = self._refused = 0
        self._urgent = 0
        self._owed: dict[str, int] = {}
        self._waiting: list[tuple[int, Callable[[], None]]] = []
        self._closed = self._ending = False
        self._failures = 0
        self._taking = threading.Lock()
        self._said = ""
        self.problem: str | None = None

    @property
    def unwritten(self) -> int:
        """Rows that wait."""
        return self._handed - self._done

    @property
    def dropped(self) -> int:
        """Rows of telemetry that were given up because the queue was full."""
        return self._dropped

    @property
    def refused(self) -> int:
        """Rows that the database would not take."""
        return self._refused

    def put(self, table: Table, make: Callable[..., Row], *given: object, money: bool = False) -> int:
        """Hand a row over and return its ticket; ``make(*given)`` is called on the writer's thread."""
        with self._lock:
            if len(self._queue) >= self._max_rows and not money and not self._room():
                self._dropped += 1
                return 0
            self._queue.append((table, make, given))
            self._handed = ticket = self._handed + 1
            if self._thread is None:
                self._start()
            if self._full or ticket - self._done == 1:
                self._wake.set()
        if self._ending:
            self._write_here()
        return ticket

    def confirm(self, ticket: int, key: str = "") -> None:
        """With ``durability: full``, return when the row is committed, unless :meth:`committed` waits for the rows of a key.

        Raises:
            StorageError: The row could not be committed in time.
        """
        if not self._full or not ticket:
            return
        if key in self._owed:
            self._owed[key] = ticket
        else:
            self._await(ticket)

    def defer(self, key: str) -> None:
        """Let nobody wait for the rows of a key before :meth:`committed` does."""
        if self._full:
            self._owed[key] = 0

    def deferred(self, key: str) -> bool:
        """Tell whether the rows of a key are waited for at the end."""
        return key in self._owed

    async def committed(self, key: str) -> None:
        """Return when the rows of a deferred key are committed; the loop goes on meanwhile.

        Raises:
            StorageError: They could not be committed in time.
        """
        ticket = self._owed.pop(key, 0)
        if self._done >= ticket:
            return
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and whoever waited with it
                loop.call_soon_threadsafe(woken.set)

        self.after(ticket, wake)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._policy.commit_wait_s):
                await woken.wait()
        if self._done < ticket:
            raise self._late()

    def after(self, ticket: int, call: Callable[[], None]) -> None:
        """Call a function, on the writer's thread, when a row is committed or the database is given up for the time being."""
        with self._lock:
            waits = self._done < ticket and not self._is_away()
            if waits:
                self._waiting.append((ticket, call))
                self._wake.set()
        if not waits:
            call()

    def flush(self) -> None:
        """Return when everything handed over so far is committed.

        Raises:
            StorageError: The database does not take it.
        """
        if self.unwritten:
            self._await(self._handed)

    def close(self) -> None:
        """Write what waits and end the thread; rows that cannot be written are counted and logged."""
        with self._lock:
            self._closed = True
            self._wake.set()
            self._moved.notify_all()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        if thread is None or self.problem is None:
            self._write_here()
        if self.unwritten:
            _log.error("%s: %d rows were not written: %s", self._database.url, self.unwritten, self.problem)

    def close_at_exit(self) -> None:
        """Close; what others hand over after this, while the process ends, is written before :meth:`put` returns."""
        self._ending = True
        self.close()

    def hold(self) -> None:
        """Keep rows out until :meth:`let_go`, around a fork."""
        self._lock.acquire()

    def let_go(self, *, child: bool) -> None:
        """Go on; the child leaves the parent's rows to the parent."""
        self._lock.release()
        if child:
            self._queue = deque()
            self._wake, self._lock = threading.Event(), threading.Lock()
            self._moved = threading.Condition(self._lock)
            self._thread = None
            self._taking, self._ending, self._closed = threading.Lock(), False, False
            self._owed, self._waiting = {}, []
            self._handed = self._done = self._dropped = self._refused = self._urgent = self._failures = 0

    def _room(self) -> bool:
        while self._policy.overflow == "wait" and self.problem is None and not self._closed:
            if len(self._queue) < self._policy.max_rows:
                return True
            self._wake.set()
            self._moved.wait(0.1)
        return len(self._queue) < self._policy.max_rows

    def _start(self) -> None:
        if self._ending:
            return
        self._closed = False
        thread = threading.Thread(target=self._run, name="crew-router-ledger", daemon=True)
        with contextlib.suppress(RuntimeError):  # a process that ends starts no thread any more; close() writes what waits
            thread.start()
            self._thread = thread

    def _await(self, ticket: int) -> None:
        with self._lock:
            self._urgent += 1
            self._wake.set()
            self._moved.notify_all()
            try:
                written = self._moved.wait_for(lambda: self._done >= ticket or self._is_away(), self._policy.commit_wait_s)
            finally:
                self._urgent -= 1
            if not written or self._done < ticket:
                raise self._late()

    def _is_away(self) -> bool:
        return self._failures >= len(_RETRY_S)

    def _late(self) -> StorageError:
        problem = f"{self._handed - self._done} rows are not on disk: {self.problem or 'the writer is too slow'}"
        return StorageError(self._database.url, problem, cure="check the database; rows are kept and tried again")

    def _call_who_waits(self) -> None:
        if not self._waiting:
            return
        with self._lock:
            ready = [call for ticket, call in self._waiting if ticket <= self._done or self._is_away()]
            self._waiting = [] if self._is_away() else [each for each in self._waiting if each[0] > self._done]
        for call in ready:
            call()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            if not self._closed and not self._urgent and self._policy.durability == "batch" and len(self._queue) < self._policy.batch_rows:
                self._pause(self._policy.linger_s)
            self._wake.clear()
            while self._queue:
                if not self._write_some() and self._give_up():
                    return
            if self._closed:
                return

    def _pause(self, linger_s: float) -> None:
        with self._lock:
            self._moved.wait_for(lambda: self._urgent or self._closed or len(self._queue) >= self._policy.batch_rows, linger_s)

    def _give_up(self) -> bool:
        if self._closed:
            return True
        with self._lock:
            self._moved.wait_for(lambda: self._closed, _RETRY_S[min(self._failures, len(_RETRY_S)) - 1])
        return False

    def _write_here(self) -> None:
        """Write what waits on the caller's thread, where there is no thread to do it; give up with the database."""
        with self._taking:
            while self._queue and self._thread is None and self._write_some():
                pass

    def _write_some(self) -> bool:
        entries = [self._queue[number] for number in range(min(len(self._queue), self._policy.batch_rows))]
        try:
            rows = _rows_of(entries)
            self._commit(rows)
        except DatabaseError as error:
            if error.gone:
                self._failed(error)
                return False
            return self._one_by_one(entries)
        except Exception:  # noqa: BLE001 - a row that cannot be made must not end the thread that writes the others
            return self._one_by_one(entries)
        self._taken(len(entries))
        return True

    def _taken(self, count: int) -> None:
        """Let the first rows of the queue go: they are on disk, or refused for good."""
        with self._lock:
            for _ in range(count):
                self._queue.popleft()
            self._done += count
            self._failures, self.problem = 0, None
            self._moved.notify_all()
        self._call_who_waits()

    def _commit(self, rows: dict[Table, list[Row]]) -> None:
        with self._database.transaction() as cursor:
            write_rows(cursor, self._database.dialect, rows)
        if self._mirror is not None:
            for table, some in rows.items():
                self._mirror.add(table, some)

    def _one_by_one(self, entries: list[Entry]) -> bool:
        """Find the rows that are refused; return false when the database went away meanwhile, with the rest still in the queue."""
        for entry in entries:
            try:
                self._commit(_rows_of([entry]))
            except DatabaseError as error:
                if error.gone:
                    self._failed(error)
                    return False
                self._refuse(entry, error)
            except Exception as error:  # noqa: BLE001 - as above; it is counted and logged
                self._refuse(entry, error)
            self._taken(1)
        return True

    def _refuse(self, entry: Entry, error: Exception) -> None:
        self._refused += 1
        said = f"{entry[0].name}: {error}"
        if said != self._said:  # many rows may have the same fault
            _log.error("a row cannot be written to %s", said, exc_info=error)
        self._said = said

    def _failed(self, error: DatabaseError) -> None:
        with self._lock:
            if self.problem is None:
                _log.warning("ledger %s does not answer, rows wait in memory: %s", self._database.url, error)
            self.problem = str(error)
            self._failures = len(_RETRY_S) if error.damaged else self._failures + 1
            self._moved.notify_all()
        self._call_who_waits()


def _rows_of(entries: list[Entry]) -> dict[Table, list[Row]]:
    rows: dict[Table, list[Row]] = defaultdict(list)
    for table, make, given in entries:
        rows[table].append(make(*given))
    return dict(rows)
