"""What one process and the store tell each other: additions and transitions one way, everything that changed the other way."""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from crew_router.record.state import breakers
from crew_router.record.state.breaker import CLOSED
from crew_router.record.state.snapshot_builder import Pending, View
from crew_router.record.state.store import Batch, Image

if TYPE_CHECKING:
    from crew_router.record.state.breakers import Change
    from crew_router.record.state.statistics import Vector
    from crew_router.record.state.store import Key, Store
    from crew_router.types.clock import Clock

SKEW_S: Final = 0.5  # clocks of two machines that differ by less are left alone


class Exchange:
    """Holds what the store has not been told, and puts what it says into the view.

    Args:
        store: Where the numbers are shared.
        view: The numbers of this process.
        lock: Held around every change of the view; never while the store is asked.
        clock: Time.
    """

    def __init__(self, store: Store, view: View, lock: threading.Lock, clock: Clock) -> None:
        self._store, self._view, self._lock, self._clock = store, view, lock, clock
        self.offset_s, self.read_at = 0.0, clock.monotonic()
        self.transitions: deque[Change] = deque()
        self.telling = threading.Lock()
        self._epoch: int = 1
        self._version = 0
        self.begin()

    def begin(self) -> None:
        """Owe nothing, under a name of one's own: at the start, and in a forked child, whose parent sends what is the parent's."""
        self._batches, self._process = itertools.count(1), f"{os.getpid():x}-{os.urandom(4).hex()}"
        self._pending = Pending()
        self._sending: Batch | None = None
        self.transitions.clear()

    def owe(self, additions: list[tuple[Key, Vector]]) -> None:
        """Remember additions for the store; the lock is held."""
        for key, added in additions:
            self._pending.add(key, added)

    def owe_decision(self, provider: str) -> None:
        """Remember a decision for the store; the lock is held."""
        self._pending.providers.append(provider)

    @property
    def owes(self) -> int:
        """Count what the store has not been told."""
        return len(self._pending) + len(self.transitions) + (len(self._sending.vectors) if self._sending else 0)

    def tell(self) -> None:
        """Make the transitions of this process in the store, in order."""
        with self.telling:
            while self.transitions:
                change = self.transitions[0]
                record = breakers.share(self._store, change)
                with self._lock:
                    self.transitions.popleft()
                    if not any(later.key == change.key for later in self.transitions):
                        self._view.set_breaker(change.key, replace(record, failures=self._view.breakers[change.key].failures))

    def send(self) -> None:
        """Tell the store what it is owed; a batch whose answer was lost is sent again under its name."""
        self.tell()
        if self._sending is None and self._pending:
            with self._lock:
                self._sending = Batch(
                    f"{self._process}-{next(self._batches)}",
                    epoch=self._epoch,
                    vectors=self._pending.vectors,
                    providers=tuple(self._pending.providers),
                )
                self._pending = Pending()
        if self._sending is None:
            return
        lost = self._store.merge(self._sending)
        with self._lock:
            if lost is None:  # of another epoch: what becomes of it is seen when the store is read
                self._pending = self._pending.after(self._sending.vectors, self._sending.providers)
            known = {key: self._view.vectors[key] for key in lost or ()}
        if known:
            self._store.seed(Image(self._epoch, self._version, vectors=known))
        self._sending = None

    def load(self) -> None:
        """Put what changed in the store into the view."""
        asked_at = self._clock.now()
        image = self._store.load(since=self._version)
        took_s = self._clock.now() - asked_at
        if image.epoch < self._epoch or image.version < self._version:
            image = self._give_again(image)
        now = self._clock.now()
        with self._lock:
            if image.time_s is not None and took_s < SKEW_S:  # a slow answer says little about the time
                self.offset_s = image.time_s - asked_at
            fresh = image.epoch != self._epoch
            if fresh:
                self._pending = Pending()
            self._view.take_over(image, self._pending, fresh=fresh or self._version == 0, now=now)
            self._take_breakers(image)
            self._epoch, self._version = image.epoch, image.version
            self.read_at = self._clock.monotonic()

    def restart(self) -> None:
        """Begin a new epoch in the store, and forget all figures."""
        epoch = self._store.begin_epoch()
        with self._lock:
            self._pending, self._sending = Pending(), None
            self._view.take_over(Image(epoch, 0), self._pending, fresh=True, now=self._clock.now() + self.offset_s)
            self._epoch, self._version = epoch, 0

    def _give_again(self, image: Image) -> Image:
        """Put back what a store has lost that was restarted empty; return it whole.

        What another process put back first does not hold what this one saw meanwhile, so that stays owed.
        """
        with self._lock:
            known = Image(max(self._epoch, image.epoch), image.version, vectors=dict(self._view.vectors))
            own, self._pending = self._pending, Pending()
        there = frozenset(known.vectors)
        try:
            there = frozenset(self._store.seed(known))
        finally:
            with self._lock:
                owed = {key: vector for key, vector in own.vectors.items() if key in there}
                self._pending = self._pending.after(owed, own.providers)
        self._version, self._epoch = 0, known.epoch
        return self._store.load(since=0)

    def _take_breakers(self, image: Image) -> None:
        waiting = {change.key for change in self.transitions}
        for name, document in image.documents.items():
            key = name.removeprefix(breakers.PREFIX)
            if key != name and key not in waiting:
                own = self._view.breakers.get(key, CLOSED)
                shared = breakers.read(document)
                kept = replace(shared, failures=own.failures, window=own.window) if shared.phase == own.phase else shared
                self._view.set_breaker(key, kept)
