"""Requests that their process did not live to end: the next one that opens the ledger closes them.

A process writes down who it is with the first request that it carries out, says once a minute that it lives, and takes that back
when it closes the ledger with nothing under way. One that was killed cannot; what is left of it is found by its number and the
time of its start where it ran on this machine, and by its silence where it ran on another.
"""

from __future__ import annotations

import math
import os
import secrets
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crew_router.record.ledger.database import DatabaseError, write_rows
from crew_router.record.ledger.protocol import RequestOutcome
from crew_router.record.ledger.rows import Privacy, attempt_row, outcome_row
from crew_router.record.ledger.schema import ATTEMPTS, OUTCOMES
from crew_router.types.outcome import Attempt
from crew_router.types.redaction import logger
from crew_router.types.vocabulary import ErrorKind, ModelRef, TaskType

if TYPE_CHECKING:
    from crew_router.record.ledger.database import Cursor, Database
    from crew_router.record.ledger.schema import Cell, Row
    from crew_router.types.clock import Clock

_log = logger(__name__)
_BEAT_S: Final = 60.0
_SILENT_S: Final = 3600.0  # guess: longer than any call may take
_LOOK_BACK_S: Final = 6 * 3600.0  # guess: a request that was open at the last sign of life began no earlier
_ENDED: Final = "the process ended before the call did; whether it was made is not known"

_LEFT: Final = (
    "SELECT d.id, d.at, d.selected_model, d.task_type, (SELECT count(*) FROM attempts a WHERE a.decision_id = d.id) FROM decisions d "
    "WHERE d.project = ? AND d.at >= ? AND d.process = ? "
    "AND NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.decision_id = d.id AND o.source = 'engine') ORDER BY d.at"
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where this process runs, as others find out whether it lives: machine, its number, and the tick it started at."""

    host: str
    pid: int
    start: str

    def lives(self, host: str, pid: int, start: str) -> bool | None:
        """Tell whether another process lives; ``None`` where that cannot be seen from here."""
        if host != self.host or os.name != "posix":
            return None
        if sys.platform == "linux":
            return _start_of(pid) == start
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


class Processes:
    """The processes of a ledger, and which requests this one has under way. Safe to call from any thread.

    Args:
        database: Where they are written down.
        project: Whose they are.
        clock: Time.
    """

    def __init__(self, database: Database, project: str, clock: Clock) -> None:
        self._database, self._project, self._clock = database, project, clock
        self.begin()

    def begin(self) -> None:
        """Start with nothing under way and a name of one's own; also in a forked child."""
        self._place = _Place(_host(), os.getpid(), _start_of(os.getpid()))
        self.name = f"{self._place.pid:x}-{secrets.token_hex(6)}"
        self._running: set[str] = set()
        self._beat_at, self._looked = -math.inf, False
        self._lock = threading.Lock()

    def runs(self, decision_id: str) -> None:
        """Take a request that is carried out."""
        self._running.add(decision_id)

    def ended(self, decision_id: str | None) -> None:
        """Take the end of a request."""
        self._running.discard(decision_id or "")

    def note(self) -> str:
        """Write down that this process lives, at most once a minute, and return its name; on the writer's thread."""
        now = self._clock.monotonic()
        if now - self._beat_at >= _BEAT_S:
            at = self._clock.now()
            with self._database.transaction() as cursor:
                found = cursor.run("UPDATE processes SET seen_at = ? WHERE id = ? RETURNING id", (at, self.name))
                if not found:
                    cells = (self.name, self._project, self._place.host, self._place.pid, self._place.start, at)
                    cursor.run("INSERT INTO processes (id, project, host, pid, start, seen_at) VALUES (?, ?, ?, ?, ?, ?)", cells)
            self._beat_at = now
            self.close_left_open()
        return self.name

    def close_left_open(self) -> None:
        """Close what dead processes left open, the first time that it is asked for; trouble with it is no trouble of the caller."""
        with self._lock:
            if self._looked:
                return
            self._looked = True
            try:
                self._close_left_open()
            except DatabaseError as error:
                _log.debug("requests that dead processes left open stay open for now: %s", error)

    def leave(self) -> None:
        """Take this process out when it has nothing under way; a request of it that still runs must be found later."""
        if self._running or self._beat_at == -math.inf:
            return
        try:
            with self._database.transaction() as cursor:
                cursor.run("DELETE FROM processes WHERE id = ?", (self.name,))
            self._beat_at = -math.inf
        except DatabaseError as error:
            _log.debug("a process that ends in order could not say so: %s", error)

    def _close_left_open(self) -> None:
        now = self._clock.now()
        sql = "SELECT id, host, pid, start, seen_at FROM processes WHERE project = ? AND id <> ?"
        for name, host, pid, start, seen_at in self._database.query(sql, (self._project, self.name)):
            lives = self._place.lives(str(host), int(pid or 0), str(start))
            if lives is False or (lives is None and now - float(seen_at or 0) > _SILENT_S):
                with self._database.transaction() as cursor:
                    self._bury(cursor, (name, seen_at), now=now)

    def _bury(self, cursor: Cursor, dead: tuple[Cell, Cell], *, now: float) -> None:
        """Close the requests of one dead process, unless another one does so at this moment."""
        name, seen_at = dead
        if not cursor.run("DELETE FROM processes WHERE id = ? RETURNING id", (name,)):
            return
        left = cursor.run(_LEFT, (self._project, float(seen_at or 0) - _LOOK_BACK_S, name))
        outcomes = [self._outcome(row, now=now) for row in left]
        attempts = [self._attempt(row) for row in left if not row[4]]
        write_rows(cursor, self._database.dialect, {OUTCOMES: outcomes, ATTEMPTS: attempts})
        if left:
            _log.warning("%d requests that a process left open when it died were closed as cancelled", len(left))

    def _outcome(self, row: Row, *, now: float) -> Row:
        identity, _, model, task, _ = row
        outcome = RequestOutcome(
            str(identity),
            model=ModelRef(str(model)),
            task_type=None if task is None else TaskType(str(task)),
            success=False,
            at=now,
            error=ErrorKind.CANCELLED,
        )
        return outcome_row(self._project, outcome, "", Privacy(b""))

    def _attempt(self, row: Row) -> Row:
        attempt = Attempt(
            ModelRef(str(row[2])),
            number=1,
            started_at=float(row[1] or 0),
            latency_s=0.0,
            cost_nano=None,
            error=ErrorKind.CANCELLED,
            message=_ENDED,
        )
        return attempt_row(self._project, str(row[0]), attempt)


def _host() -> str:
    """Return a name of the machine, and of the container, in which process numbers are unique."""
    node = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    try:
        return f"{node}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return node


def _start_of(pid: int) -> str:
    """Return the tick that a process started at, and empty where there is none or it cannot be seen."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *_, start = said.rpartition(")")[2].split()[:20]  # the name before may hold anything
    return "" if state == "Z" else start
