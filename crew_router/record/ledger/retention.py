"""The end of rows and texts that are too old."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from crew_router.errors import StorageError
from crew_router.record.ledger.decision_codec import without_texts
from crew_router.record.ledger.schema import ATTEMPTS, DECISIONS, FEEDBACK, OUTCOMES, Cell
from crew_router.types.redaction import logger

if TYPE_CHECKING:
    from crew_router.record.ledger.database import Cursor, Database

_log = logger(__name__)
_PAGE: Final = 500
_TELEMETRY: Final = {DECISIONS: "at", ATTEMPTS: "started_at", OUTCOMES: "at", FEEDBACK: "at"}
_FORGOTTEN: Final = "texts forgotten before:"


@dataclass(frozen=True, slots=True)
class Retention:
    """How long rows and texts are kept, in seconds; ``None`` for ever.

    Args:
        rows_s: Age above which rows are deleted.
        texts_s: Age above which texts are removed from their rows.
        first_s: When it is first looked for them after the ledger was opened.
        every_s: How often after that.
    """

    rows_s: float | None = None
    texts_s: float | None = None
    first_s: float = 5.0
    every_s: float = 3600.0

    def __bool__(self) -> bool:
        """Tell whether anything ends."""
        return self.rows_s is not None or self.texts_s is not None


def prune(database: Database, project: str, *, before: float) -> int:
    """Delete decisions, calls, outcomes and feedback older than a time; money, budgets and audit stay. Return how many.

    It is done some hundred rows at a time, so that nobody waits long for the database.
    """
    gone = 0
    for table, time in _TELEMETRY.items():
        find = f"SELECT seq FROM {table.name} WHERE project = ? AND {time} < ? ORDER BY {time} LIMIT {_PAGE}"  # noqa: S608 - names of ours
        while numbers := [row[0] for row in database.query(find, (project, before))]:
            with database.transaction() as cursor:
                cursor.run(f"DELETE FROM {table.name} WHERE seq IN ({_marks(numbers)})", numbers)  # noqa: S608 - as above
            gone += len(numbers)
    return gone


def forget_texts(database: Database, project: str, *, before: float) -> int:
    """Remove prompts, answers and comments older than a time; hashes and lengths stay. Return from how many rows.

    Rows are looked at once: how far it came stands in the ledger.
    """
    done = f"{_FORGOTTEN}{project}"
    found = database.query("SELECT value FROM meta WHERE name = ?", (done,))
    since = float(str(found[0][0])) if found else 0.0
    gone = sum(_forget_texts(database, kind, (project, since, before)) for kind in _TEXTS)
    with database.transaction() as cursor:
        cursor.run("DELETE FROM meta WHERE name = ?", (done,))
        cursor.run("INSERT INTO meta (name, value) VALUES (?, ?)", (done, str(before)))
    return gone


def look_again(cursor: Cursor, project: str) -> None:
    """Let :func:`forget_texts` begin anew, because old rows were added."""
    cursor.run("DELETE FROM meta WHERE name = ?", (f"{_FORGOTTEN}{project}",))


def _forget_texts(database: Database, kind: _Text, which: tuple[str, float, float]) -> int:
    project, since, before = which
    at, seq, gone = since, -1, 0
    page = (
        f"SELECT at, seq, {kind.column} FROM {kind.table} "  # noqa: S608 - constants
        f"WHERE project = ? AND at >= ? AND at < ? AND (at > ? OR seq > ?) ORDER BY at, seq LIMIT {_PAGE}"
    )
    put = f"UPDATE {kind.table} SET {kind.column} = ?{kind.also} WHERE seq = ?"  # noqa: S608 - constants
    while rows := database.query(page, (project, at, before, at, seq)):
        at, seq = float(rows[-1][0] or 0), int(rows[-1][1] or 0)
        changed = [(kind.emptied(str(text)), number) for _, number, text in rows if text and kind.emptied(str(text)) != text]
        if changed:
            with database.transaction() as cursor:
                for values in changed:
                    cursor.run(put, values)
        gone += len(changed)
    return gone


@dataclass(frozen=True, slots=True)
class _Text:
    """A column that may hold texts, what it holds without them, and what goes with it."""

    table: str
    column: str
    emptied: Callable[[str], str | None]
    also: str = ""


_TEXTS: Final = (
    _Text("decisions", "body", without_texts, also=", text = NULL"),
    _Text("outcomes", "answer", lambda _: None),
    _Text("feedback", "comment", lambda _: ""),
)


class Keeper:
    """Does a chore again and again on a thread of its own, for as long as somebody holds it.

    Args:
        chore: What is done; it is told nothing and its errors are logged.
        retention: When it is done first, and how often.
    """

    def __init__(self, chore: Callable[[], None], retention: Retention) -> None:
        self._chore, self._retention = chore, retention
        self._stop = threading.Event()
        self.start()

    def start(self) -> None:
        """Begin, in a forked child once more."""
        self._stop = threading.Event()
        keeping = (weakref.ref(self), self._retention, self._stop)
        threading.Thread(target=_keep, args=keeping, name="crew-router-retention", daemon=True).start()

    def stop(self) -> None:
        """Do nothing more."""
        self._stop.set()

    def run(self) -> None:
        """Do it now."""
        try:
            self._chore()
        except StorageError as error:
            _log.warning("rows that are too old stay for the time being: %s", error)


def _keep(keeper: weakref.ref[Keeper], retention: Retention, stop: threading.Event) -> None:
    wait_s = retention.first_s
    while not stop.wait(wait_s):
        held = keeper()
        if held is None:
            return
        held.run()
        del held
        wait_s = retention.every_s


def _marks(values: list[Cell]) -> str:
    return ", ".join("?" * len(values))
