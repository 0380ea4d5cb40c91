"""What the line needs of the ledger: the append-only history that may not be lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TextIO

if TYPE_CHECKING:
    from crew_router.types.decision import RoutingDecision
    from crew_router.types.outcome import Attempt, Usage
    from crew_router.types.request import FeedbackData
    from crew_router.types.vocabulary import ErrorKind, ModelRef, TaskType


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """What a whole request came to; ``latency_s`` in seconds, ``cost_nano`` over all attempts, ``None`` if unknown."""

    decision_id: str | None
    _: KW_ONLY
    model: ModelRef
    task_type: TaskType | None
    success: bool
    at: float
    latency_s: float | None = None
    cost_nano: int | None = None
    usage: Usage | None = None
    quality: float | None = None
    confidence: float | None = None
    escalated: bool = False
    error: ErrorKind | None = None
    source: Literal["engine", "caller"] = "engine"


class Ledger(Protocol):
    """Append-only history. Writing never waits for the disk unless ``durability: full``. Safe to call from any thread."""

    def decided(self, decision: RoutingDecision, *, text: str = "", runs: bool = False) -> None:
        """Append a decision; the text is kept, hashed or dropped as configured. ``runs`` says that it is carried out now."""
        ...

    def attempted(self, decision_id: str, attempt: Attempt) -> None:
        """Append one call."""
        ...

    def finished(self, outcome: RequestOutcome, *, answer: str = "") -> None:
        """Append what a request came to; the answer is kept, hashed or dropped as configured."""
        ...

    def said(self, feedback: FeedbackData, *, reward: float, at: float) -> None:
        """Append feedback with its reward (rule 4)."""
        ...

    def audited(self, event: str, detail: Mapping[str, object], *, at: float) -> None:
        """Append an audit row: overrides, safety effects, resets."""
        ...

    def last_event(self, events: tuple[str, ...]) -> tuple[str, Mapping[str, object]] | None:
        """Read the newest audit row with one of these events: the event and its detail."""
        ...

    def decision(self, decision_id: str) -> RoutingDecision:
        """Read a decision back.

        Raises:
            UnknownDecisionError: The ledger does not hold it.
        """
        ...

    def attempts(self, decision_id: str) -> tuple[Attempt, ...]:
        """Read the attempts of a decision, in order."""
        ...

    def feedback(self, decision_id: str) -> tuple[FeedbackData, ...]:
        """Read what was said of a decision, oldest first."""
        ...

    def run(self, run_id: str) -> tuple[tuple[RoutingDecision, ModelRef], ...]:
        """Read the decisions of a run in order of time, each with the model that answered, else the chosen one."""
        ...

    def logged(self, *, since: float | None = None, until: float | None = None) -> Iterator[tuple[RoutingDecision, float | None]]:
        """Read decisions in order of time, each with its reward: that of the newest feedback, else of its outcome, else none."""
        ...

    def outcomes(self, *, since: float | None = None, until: float | None = None) -> Iterator[RequestOutcome]:
        """Read outcomes in order of time."""
        ...

    def totals(self, *, since: float | None = None) -> Mapping[str, float]:
        """Return counts and sums: requests, successes, escalations, cost_usd, latency_s, unwritten rows."""
        ...

    def export(self, out: TextIO, *, before: float = 1e300, tick: Callable[[int], None] = lambda _: None) -> int:
        """Write every row older than a time as a JSON line, and return their number; money stays in the ledger."""
        ...

    def reset(self, *, before: float | None = None) -> None:
        """Start a new statistics epoch at a time, by default now; spend, audit and budgets are not touched (rule 8)."""
        ...

    def health(self) -> Mapping[str, object]:
        """Return url without credentials, reachability, rows that wait, were dropped or refused."""
        ...

    def flush(self) -> None:
        """Return when everything handed over so far is on disk."""
        ...

    def close(self) -> None:
        """Flush and release everything; further calls do nothing."""
        ...
