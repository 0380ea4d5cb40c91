"""What a flow works on, and who is next when a call fails."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Final

from crew_router.config.credential import credential_key
from crew_router.errors import ModelCallError
from crew_router.execute.hedge import HedgeBudget
from crew_router.execute.policy import BackOff, ExecutionPolicy
from crew_router.execute.protocol import Refusal
from crew_router.types.clock import Clock
from crew_router.types.error_policy import ERROR_POLICIES
from crew_router.types.model import ModelDefinition
from crew_router.types.vocabulary import ErrorKind, ModelRef

_TIMER_SLACK_S: Final = 0.001
_FORCED: Final = frozenset({"breaker", "sla"})


@dataclass(frozen=True, slots=True)
class FlowContext:
    """One request as a flow sees it.

    Args:
        candidates: Models in the order in which they are tried.
        policy: Limits of the request.
        clock: Time.
        rng: Draws the jitter of back-offs.
        deadline: Monotonic seconds after which an answer is worthless.
        live: Whether somebody reads the answer as a stream.
        whole: Whether a stream shows nothing before the answer is whole (structured output).
        hedge: How many slow calls may be joined by a second one; none when it is not given.
        seen_p95_s: 95th percentiles that were observed; the registry's holds for the other models.
    """

    candidates: tuple[ModelDefinition, ...]
    policy: ExecutionPolicy
    _: KW_ONLY
    clock: Clock
    rng: random.Random
    deadline: float | None = None
    live: bool = False
    whole: bool = False
    hedge: HedgeBudget | None = None
    seen_p95_s: Mapping[ModelRef, float] = field(default_factory=dict[ModelRef, float])
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def limit(self, *, others: bool) -> float:
        """Return when a call that starts at once is given up; ``others`` says that models stand behind it."""
        now = self.clock.monotonic()
        patience = self.policy.attempt_timeout_s
        if self.deadline is not None:
            left = max(self.deadline - now, 0.0)
            patience = min(patience, left * self.policy.first_share if others else left)
        return now + patience

    def slow_after_s(self, model: ModelDefinition) -> float | None:
        """Return the seconds after which a call of a model is slow; ``None`` when it is never hedged."""
        if self.hedge is None or self.hedge.share <= 0:
            return None
        return self.seen_p95_s.get(model.ref, model.latency.p95_s)

    @property
    def late(self) -> bool:
        """Tell whether the deadline has passed; timers may fire a moment early."""
        return self.deadline is not None and self.clock.monotonic() >= self.deadline - _TIMER_SLACK_S


@dataclass(frozen=True, slots=True)
class NextCandidate:
    """A candidate that may be called from ``at`` on."""

    model: ModelDefinition
    at: float
    force: bool = False
    queue: bool = False


@dataclass(slots=True)
class _Waiting:
    model: ModelDefinition
    ready_at: float
    failures: int


class CandidateQueue:
    """Who is next: untried models first, then forced and queued ones, then the earliest to recover."""

    def __init__(self, context: FlowContext, candidates: Sequence[ModelDefinition] | None = None) -> None:
        self._job = context
        self._untried = list(context.candidates if candidates is None else candidates)
        self._refused: list[tuple[ModelDefinition, Refusal]] = []
        self._waiting: list[_Waiting] = []
        self._failures: dict[str, int] = {}
        self._calls = 0
        self._began = context.clock.monotonic()
        self.errors: list[ModelCallError] = []
        self.refusals: list[Refusal] = []

    @property
    def others(self) -> bool:
        """Tell whether a model is left that has not been tried."""
        return bool(self._untried)

    def next(self, *, prefill: bool = False) -> NextCandidate | None:
        """Return whose turn it is, or ``None`` when nobody is left; ``prefill`` asks for models that can go on from a text."""
        now = self._job.clock.monotonic()
        if self._calls >= self._job.policy.attempts:
            return None
        if (at := next((i for i, m in enumerate(self._untried) if m.prefill or not prefill), None)) is not None:
            self._calls += 1
            return NextCandidate(self._untried.pop(at), now)
        return self._from_refused(now, prefill=prefill) or self._from_waiting(now, prefill=prefill)

    def refused(self, model: ModelDefinition, refusal: Refusal) -> None:
        """Take a refusal; breakers and promises can be forced, and capacity can be waited for."""
        self._calls -= 1
        again = any(refusal.model == each.model for each in self.refusals)
        if refusal.reason == "limit" and not again:
            # The provider said how long to wait: that long where there is time, else it is asked all the same, with nobody else left.
            may_wait = self._may_wait(refusal, again=again)
            self._refused.append((model, refusal if may_wait else replace(refusal, reason="breaker")))
        elif (refusal.reason in _FORCED and not again) or (refusal.reason == "capacity" and self._may_wait(refusal, again=again)):
            self._refused.append((model, refusal))
        self.refusals.append(refusal)

    def put_back(self, model: ModelDefinition) -> None:
        """Take back a candidate that was only cancelled: it may be tried again."""
        self._untried.insert(0, model)

    def failed(self, model: ModelDefinition, error: ModelCallError) -> None:
        """Take a failed call."""
        self.errors.append(error)
        self._untried.sort(key=lambda other: _fails_too(other, model, error.kind))
        failures = self._failures[model.ref] = self._failures.get(model.ref, 0) + 1
        back_off = self._job.policy.back_off
        if not ERROR_POLICIES[error.kind].retry or failures > back_off.retries:
            return
        wait_s = wait_after(failures, back_off, jitter=self._job.rng.random(), retry_after_s=error.retry_after_s)
        if wait_s <= back_off.patience_s:
            self._waiting.append(_Waiting(model, self._job.clock.monotonic() + wait_s, failures))

    def _may_wait(self, refusal: Refusal, *, again: bool) -> bool:
        """Tell whether a place or a new window is worth waiting for, within patience and deadline."""
        if refusal.retry_at is None:
            return not again
        latest = self._began + self._job.policy.back_off.patience_s
        return refusal.retry_at <= (latest if self._job.deadline is None else min(latest, self._job.deadline))

    def _from_refused(self, now: float, *, prefill: bool) -> NextCandidate | None:
        fit = [(_ready(refusal, now), i) for i, (model, refusal) in enumerate(self._refused) if model.prefill or not prefill]
        if not fit:
            return None
        ready_at, at = min(fit)
        model, refusal = self._refused.pop(at)
        self._calls += 1
        return NextCandidate(
            model, ready_at, force=refusal.reason in _FORCED or refusal.reason == "limit", queue=refusal.reason == "capacity"
        )

    def _from_waiting(self, now: float, *, prefill: bool) -> NextCandidate | None:
        fit = [each for each in self._waiting if each.model.prefill or not prefill]
        if not fit:
            return None
        first = min(fit, key=lambda each: each.ready_at)
        if self._job.deadline is not None and first.ready_at >= self._job.deadline:
            return None
        self._waiting.remove(first)
        self._calls += 1
        return NextCandidate(first.model, max(first.ready_at, now), force=True)


def _ready(refusal: Refusal, now: float) -> float:
    """Return when a refused model is worth another try: a forced one at once."""
    return now if refusal.reason in _FORCED else max(refusal.retry_at or now, now)


def _fails_too(other: ModelDefinition, failed: ModelDefinition, kind: ErrorKind) -> bool:
    """Tell whether another model will probably fail the same way, and is therefore tried last."""
    if kind is ErrorKind.AUTH:
        return credential_key(other) == credential_key(failed)
    if kind is ErrorKind.CONTEXT_OVERFLOW and other.context_window is not None and failed.context_window is not None:
        return other.context_window < failed.context_window
    return False


def wait_after(failures: int, back_off: BackOff, *, jitter: float, retry_after_s: float | None) -> float:
    """Return the seconds to wait after the n-th failure in a row.

    Args:
        failures: Failures so far, at least one.
        back_off: The rule.
        jitter: A draw from 0..1.
        retry_after_s: The provider's latest hint, which is a floor.
    """
    top = min(back_off.first_s * 2.0 ** (failures - 1), back_off.longest_s)
    return max(top * (0.5 + 0.5 * jitter), retry_after_s or 0.0)
