"""Shared numbers over any store: decides from memory, tells the store in the background, survives without it."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from crew_router.record.state import breakers
from crew_router.record.state.breaker import CLOSED, HARMLESS, BreakerPolicy, abandoned, probing
from crew_router.record.state.breakers import Change
from crew_router.record.state.snapshot_builder import SnapshotBuilder
from crew_router.record.state.state_sync import SKEW_S, StateSync
from crew_router.record.state.store import Document, StoreError
from crew_router.types import exit_hooks, fork_hooks
from crew_router.types.redaction import logger

if TYPE_CHECKING:
    from crew_router.record.state.observation import Observation
    from crew_router.record.state.statistics import Vector
    from crew_router.record.state.store import Key, Store
    from crew_router.record.state.windows import Claim
    from crew_router.types.clock import Clock
    from crew_router.types.outcome import CircuitBreakerState, PerformanceMetrics, Snapshot
    from crew_router.types.vocabulary import ModelRef, TaskType

_T = TypeVar("_T")
_log = logger(__name__)
ALPHA: Final = 0.1  # of the learned weight, requirement A12
_IDLE_CYCLES: Final = 10


@dataclass(frozen=True, slots=True)
class Refresh:
    """How fresh the snapshot is kept.

    Args:
        max_age_s: Age above which a snapshot that is read is renewed; while it is being read it is renewed twice as often.
        wait_s: Most seconds that a reader waits for a renewal after a pause; a store that is slower is not waited for again.
    """

    max_age_s: float = 1.0
    wait_s: float = 0.1


class SharedState:
    """Implements :class:`crew_router.record.state.protocol.State` over a store.

    Args:
        store: Where the numbers are shared.
        clock: Time.
        url: The store's address without credentials, for people.
        refresh: How fresh the snapshot is kept.
        policy: When breakers open.
        rng: Jitter of breakers.
        alpha: Weight, 0..1, of the newest reward in the learned weight (requirement A12).
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        url: str = "memory://",
        refresh: Refresh = Refresh(),
        policy: BreakerPolicy = BreakerPolicy(),  # noqa: B008 - frozen
        rng: random.Random | None = None,
        alpha: float = ALPHA,
    ) -> None:
        self._alpha = alpha
        self._store, self._clock, self._url = store, clock, url
        self._refresh, self._policy, self._rng = refresh, policy, rng or random.Random()  # noqa: S311 - jitter is no secret
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._wake, self._renewed = threading.Event(), threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = self._sleeps = False
        self._view = SnapshotBuilder()
        self._exchange = StateSync(store, self._view, self._lock, clock)
        self._asked_at = clock.monotonic()
        self._problem: str | None = None
        self._alone: Store | None = None
        if not store.exclusive:
            fork_hooks.watch(self)
            exit_hooks.watch(self)
            self.sync()
        else:
            fork_hooks.free_in_child(self)
            fork_hooks.free_in_child(self, "_turn")

    # What decisions read --------------------------------------------------------------------------------------------

    @property
    def asks(self) -> bool:
        """Whether the numbers lie in a store that has to be asked for some of them."""
        return not self._store.exclusive

    @property
    def fresh(self) -> bool:
        """Whether :meth:`snapshot` would not wait for a renewal."""
        return self._store.exclusive or self._problem is not None or self._age_s() <= self._refresh.max_age_s

    def snapshot(self) -> Snapshot:
        """Return the numbers to decide with, without I/O; a stale one starts a renewal, which only an event loop does not wait for."""
        if not self._store.exclusive and self._clock.monotonic() - self._exchange.read_at > self._refresh.max_age_s / 2:
            self._ask_for_renewal()
        return self._view.snapshot

    def breaker(self, key: str) -> CircuitBreakerState:
        """Return the state of a breaker as this process knows it, at most the age of the snapshot old."""
        with self._lock:
            return self._view.breakers.get(key, CLOSED).state(key)

    def performance(self, model: ModelRef, task_type: TaskType | None) -> PerformanceMetrics | None:
        """Return the decayed figures of a model, over all task types when ``task_type`` is ``None``."""
        self.snapshot()
        with self._lock:
            return self._view.performance(model, task_type, now=self._now())

    # What outcomes change -------------------------------------------------------------------------------------------

    def observe(self, observation: Observation) -> None:
        """Take an outcome into the performance figures and breakers; a caller's own mistake changes no figure."""
        if abs(self._exchange.offset_s) > SKEW_S:
            observation = replace(observation, at=observation.at + self._exchange.offset_s)
        with self._lock:
            if observation.error not in HARMLESS:
                self._owe(self._view.observe(observation))
            changed = breakers.changes_of(self._view.breakers, observation, policy=self._policy, jitter=self._rng.random())
            for key, after in changed.items():
                before = self._view.breakers.get(key, CLOSED)
                self._view.set_breaker(key, after)
                if after.phase != before.phase or after.openings != before.openings:
                    self._exchange.transitions.append(Change(key, before, after))
        self._hand_over(urgent=bool(self._exchange.transitions))

    def decided(self, model: ModelRef) -> None:
        """Count a decision for the provider shares (A5, diversity)."""
        with self._lock:
            self._view.decided(model.provider)
            if not self._store.exclusive:
                self._exchange.owe_decision(model.provider)
        self._hand_over()

    def learn(self, model: ModelRef, task_type: TaskType | None, *, reward: float) -> None:
        """Move the learned weight of a model on a task type towards a reward 0..1 (A12)."""
        with self._lock:
            self._owe(self._view.learn(model, task_type, step=(1 - self._alpha, self._alpha * reward, 1.0)))
        self._hand_over()

    def count(self, name: str, values: Vector) -> None:
        """Add numbers to named sums that all processes share, as experiments count by arm."""
        with self._lock:
            self._owe([self._view.count(name, values)])
        self._hand_over()

    def counts(self, name: str) -> Vector:
        """Return named sums as far as this process knows them; empty when nothing was added."""
        self.snapshot()
        with self._lock:
            return self._view.vectors.get(("sum", name), ())

    def mark_reachable(self, model: ModelRef, *, reachable: bool) -> None:
        """Note whether a model answered at its last check (rule 1); each process sees its own network."""
        with self._lock:
            known = self._view.snapshot.unreachable
            self._view.replace(unreachable=known - {model} if reachable else known | {model})

    # What goes to the store at once ---------------------------------------------------------------------------------

    def begin_probe(self, key: str, *, lease_s: float) -> bool:
        """Claim the one half-open probe of a breaker over all processes; without the store, of this process."""
        if self._store.exclusive or self._problem is not None:
            return self._probe_alone(key, lease_s=lease_s)
        try:
            if any(change.key == key for change in tuple(self._exchange.transitions)):
                self._exchange.tell()
            own = self._view.breakers.get(key, CLOSED)
            got, record = breakers.claim(self._store, key, own, at=self._now(), lease_s=lease_s)
        except StoreError as error:
            self._lost(error)
            return self._probe_alone(key, lease_s=lease_s)
        with self._lock:
            self._view.set_breaker(key, replace(record, failures=own.failures))
        return got

    def give_probe_back(self, key: str) -> None:
        """Give back a probe that was claimed for a call which was not made, so that the next call may claim it at once."""
        with self._lock:
            before = self._view.breakers.get(key, CLOSED)
            after = abandoned(before, at=self._now())
            if after is before:
                return
            self._view.set_breaker(key, after)
            self._exchange.transitions.append(Change(key, before, after))
        self._hand_over(urgent=True)

    def take(self, claims: Sequence[Claim], *, window_s: float) -> tuple[float, ...]:
        """Take amounts from rate windows that all processes share, all or none; return for each 0, or seconds until there is room.

        Without the store each process counts by itself, so that the limit may be passed by a factor of their number.
        """
        return self._or_alone(lambda store: store.take(claims, window_s=window_s, at=self._now()))

    def acquire(self, name: str, token: str, *, limit: int, lease_s: float) -> bool:
        """Take one of ``limit`` places for at most ``lease_s`` seconds."""
        return self._or_alone(lambda store: store.acquire(name, token, limit=limit, lease_s=lease_s, at=self._now()))

    def give_back(self, name: str, token: str) -> None:
        """Free a place."""
        self._or_alone(lambda store: store.give_back(name, token))

    def document(self, name: str) -> Document:
        """Read a text that processes share, as the state of a bandit.

        Raises:
            StoreError: The store does not answer.
        """
        return self._store.document(f"learned:{name}")

    def swap(self, name: str, text: str, *, expected: int) -> bool:
        """Write such a text if nobody else did since it was read.

        Raises:
            StoreError: The store does not answer.
        """
        return self._store.swap(f"learned:{name}", text, expected=expected)

    # Life -----------------------------------------------------------------------------------------------------------

    def adjust(self, *, policy: BreakerPolicy, alpha: float) -> None:
        """Go on by other settings: when breakers open, and the weight of the newest reward."""
        self._policy, self._alpha = policy, alpha

    def reset(self) -> None:
        """Start a new statistics epoch; breakers and shared texts stay (rule 8)."""
        with self._turn:
            self._exchange.restart()

    def health(self) -> Mapping[str, object]:
        """Return url without credentials, reachability, snapshot age in seconds, unsent updates and the last trouble."""
        age_s = 0.0 if self._store.exclusive else self._clock.monotonic() - self._exchange.read_at
        return {
            "url": self._url,
            "reachable": self._problem is None,
            "snapshot_age_s": age_s,
            "unsent": 0 if self._store.exclusive else self._exchange.owes,
            "problem": self._problem,
        }

    def sync(self) -> bool:
        """Send what is pending and renew the snapshot; return whether the store took part."""
        with self._turn:
            try:
                self._exchange.send()
                self._exchange.load()
            except StoreError as error:
                self._lost(error)
                return False
            finally:
                with self._renewed:
                    self._renewed.notify_all()
        if self._problem is not None:
            _log.warning("state %s is back", self._url)
            self._problem = None
        return True

    def close(self) -> None:
        """Send what is pending and release everything; further calls do nothing."""
        if self._closed:
            return
        self._closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        if not self._store.exclusive:
            self.sync()
        self._store.close()

    def at_exit(self) -> None:
        """Send what is pending before the process ends."""
        if not self._closed and self._exchange.owes:
            self.sync()

    def before_fork(self) -> None:
        """Hold still."""
        self._turn.acquire()
        self._exchange.telling.acquire()
        self._lock.acquire()

    def after_fork(self, *, child: bool) -> None:
        """Go on; the child forgets what is the parent's to send, and opens its own connection."""
        self._lock.release()
        self._exchange.telling.release()
        self._turn.release()
        if child:
            self._wake, self._renewed, self._thread = threading.Event(), threading.Condition(), None
            self._exchange.begin()
            self._store.reopen()

    # Inside ---------------------------------------------------------------------------------------------------------

    def _age_s(self) -> float:
        return self._clock.monotonic() - self._exchange.read_at

    def _now(self) -> float:
        return self._clock.now() + self._exchange.offset_s

    def _owe(self, additions: list[tuple[Key, Vector]]) -> None:
        if not self._store.exclusive:
            self._exchange.owe(additions)

    def _hand_over(self, *, urgent: bool = False) -> None:
        if self._store.exclusive:
            self._exchange.transitions.clear()
            return
        self._ensure_thread()
        if urgent or self._sleeps:
            self._wake.set()

    def _ask_for_renewal(self) -> None:
        self._asked_at = self._clock.monotonic()
        self._ensure_thread()
        if self._asked_at - self._exchange.read_at <= self._refresh.max_age_s or self._problem is not None:
            return
        if _on_a_loop():
            self._wake.set()
            return
        with self._renewed:
            self._wake.set()
            if not self._renewed.wait(self._refresh.wait_s):
                self._problem = f"slower than {self._refresh.wait_s} s"

    def _ensure_thread(self) -> None:
        if self._thread is None and not self._closed:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="crew-router-state", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while not self._closed:
            self._sleeps = True  # said first: whoever adds something after the look below wakes this thread
            self._sleeps = not (self._exchange.owes or self._problem or self._was_asked())
            self._wake.wait(None if self._sleeps else self._refresh.max_age_s / 2)
            self._sleeps = False
            self._wake.clear()
            if not self._closed:
                self.sync()

    def _was_asked(self) -> bool:
        return self._clock.monotonic() - self._asked_at < _IDLE_CYCLES * self._refresh.max_age_s

    def _probe_alone(self, key: str, *, lease_s: float) -> bool:
        with self._lock:
            probe = probing(self._view.breakers.get(key, CLOSED), at=self._now(), lease_s=lease_s)
            if probe is not None:
                self._view.set_breaker(key, probe)
            return probe is not None

    def _or_alone(self, ask: Callable[[Store], _T]) -> _T:
        if self._problem is None:
            try:
                return ask(self._store)
            except StoreError as error:
                self._lost(error)
        self._ensure_thread()
        return ask(self._stand_in())

    def _stand_in(self) -> Store:
        from crew_router.record.state.memory import MemoryStore  # only needed when the store is away

        self._alone = self._alone or MemoryStore()
        return self._alone

    def _lost(self, error: StoreError) -> None:
        if self._problem is None:
            _log.warning("state %s does not answer, going on from what is known here: %s", self._url, error)
        self._problem = str(error)


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
