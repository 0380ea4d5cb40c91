"""The ledger over any database: hands rows to the writer, reads them back."""

from __future__ import annotations

import contextlib
import functools
import json
import secrets
import weakref
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol, TextIO

from crew_router.errors import StorageError, UnknownDecisionError
from crew_router.record.ledger import export_import, rows
from crew_router.record.ledger.accounts import Balance, reconcile
from crew_router.record.ledger.aggregates import SERIES, TimeBucket, breakdown, by_model_and_task, by_time
from crew_router.record.ledger.database import DatabaseError
from crew_router.record.ledger.decision_codec import decision_of
from crew_router.record.ledger.jsonl_sink import JsonlSink
from crew_router.record.ledger.leased_budgets import LeasedBudgets
from crew_router.record.ledger.processes import Processes
from crew_router.record.ledger.retention import Keeper, Retention, forget_texts, prune
from crew_router.record.ledger.schema import ATTEMPTS, AUDIT, DECISIONS, FEEDBACK, OUTCOMES, Cell, Row
from crew_router.record.ledger.writer import DEFAULT, Writer, WriterPolicy
from crew_router.types import exit_hooks, fork_hooks
from crew_router.types.decision import RoutingDecision
from crew_router.types.model import NANO_PER_USD
from crew_router.types.vocabulary import ModelRef

if TYPE_CHECKING:
    from pathlib import Path

    from crew_router.record.ledger.database import Database
    from crew_router.record.ledger.limits import Limits
    from crew_router.record.ledger.protocol import RequestOutcome
    from crew_router.types.clock import Clock
    from crew_router.types.outcome import Attempt
    from crew_router.types.request import FeedbackData

FOR_EVER: Final = Retention()
_PAGE: Final = 1000
_IN_MEMORY: Final = "sqlite://"
_ANSWERED: Final = "(SELECT o.model FROM outcomes o WHERE o.decision_id = d.id AND o.success = 1 ORDER BY o.seq DESC LIMIT 1)"
_REWARD: Final = "(SELECT f.reward FROM feedback f WHERE f.decision_id = d.id ORDER BY f.seq DESC LIMIT 1)"
_QUALITY: Final = "(SELECT coalesce(o.quality, o.success) FROM outcomes o WHERE o.decision_id = d.id ORDER BY o.seq DESC LIMIT 1)"


class SqlLedger:
    """Implements :class:`crew_router.record.ledger.protocol.Ledger`.

    Args:
        database: Where rows are kept.
        project: Whose rows are written and read.
        clock: Time.
        keep_text: Whether prompts, answers and comments are kept.
        policy: How rows are written.
        mirror: A file that gets a copy of every row.
        retention: How long rows and texts are kept.
    """

    def __init__(
        self,
        database: Database,
        project: str,
        *,
        clock: Clock,
        keep_text: bool = False,
        policy: WriterPolicy = DEFAULT,
        mirror: Path | None = None,
        retention: Retention = FOR_EVER,
    ) -> None:
        self._database, self._project, self._clock, self._policy = database, project, clock, policy
        self._keep_text = keep_text
        self._privacy: rows.Privacy | None = None
        self._mirror = None if mirror is None else JsonlSink(mirror)
        self._writer = Writer(database, policy, mirror=self._mirror)
        self._processes = Processes(database, project, clock)
        self._purse: LeasedBudgets | None = None
        self._retention = retention
        self._keeper = Keeper(_retaining(self), retention) if retention else None
        # In the order in which they are closed; held apart from the book, so that they can be closed when it is gone.
        self._owned: list[_Closable] = [self._writer, _Leaving(self._processes), database]
        fork_hooks.watch(self)
        exit_hooks.watch(self)
        exit_hooks.release_with(self, functools.partial(_close_all, self._owned))

    @property
    def database(self) -> Database:
        """Return where rows are kept, for statements of one's own."""
        return self._database

    def budgets(self, limits: Limits | None = None, *, idle_s: float = 30.0) -> LeasedBudgets:
        """Return the budgets kept in this ledger.

        Args:
            limits: What is limited, and whether models without a price may be called; as it was when not given, at first not.
            idle_s: Seconds after which a slice that is not used goes back.
        """
        if self._purse is None:
            safe = self._policy.durability == "full"
            self._purse = LeasedBudgets(self._database, self._writer, project=self._project, clock=self._clock, safe=safe, idle_s=idle_s)
            self._owned.insert(0, self._purse)
        if limits is not None:
            self._purse.limits = limits
        return self._purse

    def reconcile(self, *, repair: bool = False) -> list[Balance]:
        """Derive every budget's account from its rows, and put right what does not agree if ``repair`` is set."""
        self.flush()
        with self._translated(), self._database.transaction(urgent=True) as cursor:
            return reconcile(cursor, self._project, repair=repair)

    @contextlib.asynccontextmanager
    async def deferred(self, decision_id: str) -> AsyncGenerator[None]:
        """Wait for the rows of a decision at the end of the block only, and without holding up the event loop.

        Raises:
            StorageError: With ``durability: full``, they could not be committed in time.
        """
        self._writer.defer(decision_id)
        try:
            yield
        except BaseException:
            with contextlib.suppress(StorageError):  # what went wrong first is what the caller has to know
                await self._writer.committed(decision_id)
            raise
        await self._writer.committed(decision_id)

    def decided(self, decision: RoutingDecision, *, text: str = "", runs: bool = False) -> None:
        """Append a decision; it is turned into a row on the writer's thread. ``runs`` says that it is carried out now."""
        if runs:
            self._processes.runs(decision.id)
        self._writer.confirm(self._writer.put(DECISIONS, self._decision_row, decision, text, runs), decision.id)

    def attempted(self, decision_id: str, attempt: Attempt) -> None:
        """Append one call."""
        self._writer.confirm(self._writer.put(ATTEMPTS, rows.attempt_row, self._project, decision_id, attempt), decision_id)

    def finished(self, outcome: RequestOutcome, *, answer: str = "") -> None:
        """Append what a request came to; the answer is kept, or hashed, as configured."""
        ticket = self._writer.put(OUTCOMES, self._outcome_row, outcome, answer)
        if outcome.source == "engine":
            self._processes.ended(outcome.decision_id)
        self._writer.confirm(ticket, outcome.decision_id or "")

    def said(self, feedback: FeedbackData, *, reward: float, at: float) -> None:
        """Append feedback with its reward."""
        self._writer.confirm(self._writer.put(FEEDBACK, rows.feedback_row, self._project, feedback, reward, at, self._keep_text))

    def audited(self, event: str, detail: Mapping[str, object], *, at: float) -> None:
        """Append an audit row; like money it is never dropped."""
        ticket = self._writer.put(AUDIT, rows.audit_row, self._project, event, dict(detail), at, money=True)
        self._writer.confirm(ticket, str(detail.get("decision_id", "")))

    def last_event(self, events: tuple[str, ...]) -> tuple[str, Mapping[str, object]] | None:
        """Read the newest audit row with one of these events: the event and its detail."""
        marks = ", ".join("?" * len(events))
        sql = f"SELECT event, detail FROM audit WHERE project = ? AND event IN ({marks}) ORDER BY seq DESC LIMIT 1"  # noqa: S608 - marks only
        found = self._read(sql, (self._project, *events))
        return (str(found[0][0]), json.loads(str(found[0][1]))) if found else None

    def decision(self, decision_id: str) -> RoutingDecision:
        """Read a decision back.

        Raises:
            UnknownDecisionError: The ledger does not hold it.
        """
        found = self._read("SELECT body FROM decisions WHERE id = ? AND project = ?", (decision_id, self._project))
        if not found:
            raise UnknownDecisionError(decision_id)
        return decision_of(str(found[0][0]))

    def attempts(self, decision_id: str) -> tuple[Attempt, ...]:
        """Read the attempts of a decision, in order."""
        sql = f"SELECT {rows.ATTEMPT_COLUMNS} FROM attempts WHERE decision_id = ? AND project = ? ORDER BY number, seq"  # noqa: S608 - constants
        return tuple(map(rows.attempt_of, self._read(sql, (decision_id, self._project))))

    def feedback(self, decision_id: str) -> tuple[FeedbackData, ...]:
        """Read what was said of a decision, oldest first."""
        sql = f"SELECT {rows.FEEDBACK_COLUMNS} FROM feedback WHERE decision_id = ? AND project = ? ORDER BY seq"  # noqa: S608 - constants
        return tuple(map(rows.feedback_of, self._read(sql, (decision_id, self._project))))

    def run(self, run_id: str) -> tuple[tuple[RoutingDecision, ModelRef], ...]:
        """Read the decisions of a run in order of time, each with the model that answered, else the chosen one."""
        sql = f"SELECT d.body, {_ANSWERED} FROM decisions d WHERE d.run_id = ? AND d.project = ? ORDER BY d.at, d.seq"  # noqa: S608 - constants
        found = self._read(sql, (run_id, self._project))
        made = [(decision_of(str(body)), model) for body, model in found]
        return tuple((decision, decision.selected_model if model is None else ModelRef(str(model))) for decision, model in made)

    def logged(self, *, since: float | None = None, until: float | None = None) -> Iterator[tuple[RoutingDecision, float | None]]:
        """Read decisions in order of time, a page at a time, each with its reward.

        It is that of the newest feedback, else the quality of its newest outcome, else 1 or 0 for its success, else none.
        """
        sql = (
            f"SELECT d.at, d.seq, d.body, coalesce({_REWARD}, {_QUALITY}) FROM decisions d "  # noqa: S608 - constants
            f"WHERE d.project = ? AND d.at >= ? AND d.at < ? AND (d.at > ? OR d.seq > ?) ORDER BY d.at, d.seq LIMIT {_PAGE}"
        )
        at, seq, end = self._start() if since is None else since, -1, 1e300 if until is None else until
        while page := self._read(sql, (self._project, at, end, at, seq)):
            for row in page:
                yield decision_of(str(row[2])), None if row[3] is None else float(row[3])
            at, seq = float(page[-1][0] or 0), int(page[-1][1] or 0)

    def outcomes(self, *, since: float | None = None, until: float | None = None) -> Iterator[RequestOutcome]:
        """Read outcomes in order of time, a page at a time."""
        sql = (
            f"SELECT at, seq, {rows.OUTCOME_COLUMNS} FROM outcomes WHERE project = ? AND at >= ? AND at < ? AND (at > ? OR seq > ?) "  # noqa: S608 - constants
            f"ORDER BY at, seq LIMIT {_PAGE}"
        )
        at, seq, end = self._start() if since is None else since, -1, 1e300 if until is None else until
        while page := self._read(sql, (self._project, at, end, at, seq)):
            yield from (rows.outcome_of(row[2:]) for row in page)
            at, seq = float(page[-1][0] or 0), int(page[-1][1] or 0)

    def totals(self, *, since: float | None = None) -> Mapping[str, float]:
        """Return counts and sums since a time, by default since the last reset; latency over the requests that know theirs."""
        sql = (
            "SELECT count(*), sum(success), sum(escalated), sum(cost_nano), avg(latency_s), avg(confidence), count(cost_nano) "
            "FROM outcomes WHERE project = ? AND at >= ?"
        )
        (row,) = self._read(sql, (self._project, self._start() if since is None else since))
        names = ("requests", "successes", "escalations", "cost_usd", "latency_s", "confidence", "priced")
        totals = {name: float(cell or 0) for name, cell in zip(names, row, strict=True)}
        totals["cost_usd"] /= NANO_PER_USD
        return totals | {"unwritten": self._writer.unwritten, "dropped": self._writer.dropped, "refused": self._writer.refused}

    def select(self, sql: str, values: tuple[Cell, ...] = ()) -> list[Row]:
        """Ask the database a question of one's own, written with ``?``; rows handed over so far are in it."""
        return self._read(sql, values)

    def breakdown(self, *, since: float | None = None, until: float = 1e300) -> list[TimeBucket]:
        """Return sums by model and task type between two times, by default since the last reset."""
        start = self._start() if since is None else since
        question = breakdown(self._database.dialect, narrow=since is not None and since > 0)
        return by_model_and_task(self._read(question, (self._project, start, until)))

    def series(self, *, bucket_s: float, since: float | None = None, until: float = 1e300) -> list[TimeBucket]:
        """Return sums by period of so many whole seconds, oldest first."""
        start = self._start() if since is None else since
        return by_time(self._read(SERIES, (int(bucket_s), self._project, start, until)), bucket_s=int(bucket_s))

    def count(self, *, before: float = 1e300) -> int:
        """Count the rows that an export of everything before a time writes."""
        self.flush()
        with self._translated():
            return export_import.count_rows(self._database, self._project, before=before)

    def export(self, out: TextIO, *, before: float = 1e300, tick: Callable[[int], None] = lambda _: None) -> int:
        """Write rows before a time as JSON lines, in constant memory; return how many."""
        self.flush()
        with self._translated():
            return export_import.export_rows(self._database, self._project, out, before=before, tick=tick)

    def take_in(self, lines: Iterable[str], *, tick: Callable[[int], None] = lambda _: None) -> int:
        """Add the rows of an export that are not here yet; return how many."""
        self.flush()
        with self._translated():
            return export_import.import_rows(self._database, self._project, lines, tick=tick)

    def prune(self, *, before: float) -> int:
        """Delete decisions, calls, outcomes and feedback older than a time; money, budgets and audit stay."""
        self.flush()
        with self._translated():
            return prune(self._database, self._project, before=before)

    def retain(self) -> None:
        """Delete rows and remove texts that are kept for too long; it is done once an hour anyway, and leaves an audit row.

        Raises:
            StorageError: The database cannot be reached.
        """
        self.flush()
        now, kept = self._clock.now(), self._retention
        with self._translated():
            texts = 0 if kept.texts_s is None else forget_texts(self._database, self._project, before=now - kept.texts_s)
            deleted = 0 if kept.rows_s is None else prune(self._database, self._project, before=now - kept.rows_s)
        if texts or deleted:
            self.audited("retention", {"deleted_rows": deleted, "texts": texts}, at=now)

    def reset(self, *, before: float | None = None) -> None:
        """Start a new statistics epoch at a time, by default now; spend, audit and budgets are not touched (rule 8)."""
        self.flush()
        with self._translated(), self._database.transaction() as cursor:
            (row,) = cursor.run("SELECT coalesce(max(number), 0) FROM epochs WHERE project = ?", (self._project,))
            at = self._clock.now() if before is None else before
            cursor.run("INSERT INTO epochs (project, number, started_at) VALUES (?, ?, ?)", (self._project, int(row[0] or 0) + 1, at))

    def health(self) -> Mapping[str, object]:
        """Return url without credentials, reachability, rows that wait, were dropped or refused, and the last trouble."""
        return {
            "url": self._database.url,
            "reachable": self._writer.problem is None,
            "unwritten": self._writer.unwritten,
            "dropped": self._writer.dropped,
            "refused": self._writer.refused,
            "durability": self._policy.durability,
            "problem": self._writer.problem,
            **({} if self._mirror is None else {"mirror": {"lost": self._mirror.lost, "problem": self._mirror.problem}}),
        }

    def flush(self) -> None:
        """Return when everything handed over so far is on disk."""
        self._writer.flush()

    def close(self) -> None:
        """Write what waits and release everything; further calls do nothing."""
        if self._keeper is not None:
            self._keeper.stop()
        _close_all(self._owned)

    def release(self) -> None:
        """Write what waits and release threads and files, for whoever still holds the ledger of a router that is gone."""
        if self._keeper is not None:
            self._keeper.stop()
        _close_all([each for each in self._owned if each is not self._database or self._database.url != _IN_MEMORY])

    def at_exit(self) -> None:
        """Write what waits before the process ends; what comes after that is written at once."""
        if self._purse is not None:
            self._purse.close()
        self._writer.close_at_exit()
        self._processes.leave()

    def before_fork(self) -> None:
        """Hold still."""
        if self._purse is not None:
            self._purse.hold()
        self._writer.hold()
        self._database.hold()

    def after_fork(self, *, child: bool) -> None:
        """Go on; the child opens its own connections and leaves the parent's rows to the parent."""
        self._database.let_go()
        self._writer.let_go(child=child)
        if child:
            self._processes.begin()
        if self._purse is not None:
            self._purse.let_go(child=child)
        if child:
            self._database.reopen()
            if self._keeper is not None:
                self._keeper.start()

    def _read(self, sql: str, values: tuple[Cell, ...]) -> list[Row]:
        self._writer.flush()
        self._processes.close_left_open()
        with self._translated():
            return self._database.query(sql, values)

    @contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except DatabaseError as error:
            raise StorageError(self._database.url, error.problem, cure="check that the database is there and try again") from error

    def _start(self) -> float:
        sql = "SELECT coalesce(max(started_at), 0) FROM epochs WHERE project = ?"
        with self._translated():
            (row,) = self._database.query(sql, (self._project,))
        return float(row[0] or 0)

    def _decision_row(self, decision: RoutingDecision, text: str, runs: bool) -> Row:
        return rows.decision_row(decision, text, self._private(), process=self._processes.note() if runs else None)

    def _outcome_row(self, outcome: RequestOutcome, answer: str) -> Row:
        return rows.outcome_row(self._project, outcome, answer, self._private())

    def _private(self) -> rows.Privacy:
        if self._privacy is None:
            with self._database.transaction() as cursor:
                cursor.run("INSERT INTO meta (name, value) VALUES ('hash_key', ?) ON CONFLICT DO NOTHING", (secrets.token_hex(32),))
                ((key,),) = cursor.run("SELECT value FROM meta WHERE name = 'hash_key'")
            self._privacy = rows.Privacy(bytes.fromhex(str(key)), self._keep_text)
        return self._privacy


class _Closable(Protocol):
    def close(self) -> None: ...


class _Leaving:
    """Takes the process out of the ledger between the writer's end and the database's."""

    def __init__(self, processes: Processes) -> None:
        self.close = processes.leave


def _close_all(owned: list[_Closable]) -> None:
    for each in owned:
        each.close()


def _retaining(book: SqlLedger) -> Callable[[], None]:
    held = weakref.ref(book)

    def retain() -> None:
        if (here := held()) is not None:
            here.retain()

    return retain
