"""Shared numbers in the memory of one process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from crew_router.record.state.statistics import Vector
from crew_router.record.state.store import LAST_DECISIONS, Batch, Document, Image, Key, taken_in
from crew_router.record.state.windows import Claim, Windows
from crew_router.types.fork_hooks import free_in_child


class MemoryStore:
    """A store that ends with the process.

    Args:
        exclusive: Whether only one state uses it; otherwise several share it, as processes share the other stores.
    """

    def __init__(self, *, exclusive: bool = True) -> None:
        self._exclusive = exclusive
        self._lock = threading.Lock()
        free_in_child(self)
        self._windows = Windows()
        self._epoch, self._version = 1, 0
        self._vectors: dict[Key, tuple[int, Vector]] = {}
        self._documents: dict[str, tuple[int, Document]] = {}
        self._providers: deque[str] = deque(maxlen=LAST_DECISIONS)
        self._batches: deque[str] = deque(maxlen=1000)

    @property
    def exclusive(self) -> bool:
        """Tell whether nobody else can see the store."""
        return self._exclusive

    def load(self, *, since: int) -> Image:
        """Return what changed after a version."""
        with self._lock:
            return Image(
                self._epoch,
                self._version,
                vectors={key: vector for key, (version, vector) in self._vectors.items() if version > since},
                documents={name: document for name, (version, document) in self._documents.items() if version > since},
                providers=tuple(self._providers),
            )

    def merge(self, batch: Batch) -> tuple[Key, ...] | None:
        """Take a batch in, once, unless it is of another epoch."""
        with self._lock:
            if batch.epoch != self._epoch:
                return None
            if batch.id in self._batches:
                return ()
            self._batches.append(batch.id)
            self._version += 1
            for key, added in batch.vectors.items():
                stored = self._vectors.get(key)
                self._vectors[key] = (self._version, taken_in(key[0], stored[1] if stored else None, added))
            self._providers.extend(batch.providers)
        return ()

    def seed(self, image: Image) -> tuple[Key, ...]:
        """Put lost rows back; return those that are there."""
        with self._lock:
            there = tuple(key for key in image.vectors if key in self._vectors)
            self._version += 1
            for key, vector in image.vectors.items():
                self._vectors.setdefault(key, (self._version, vector))
            return there

    def document(self, name: str) -> Document:
        """Read a document."""
        with self._lock:
            return self._documents.get(name, (0, Document()))[1]

    def swap(self, name: str, text: str, *, expected: int) -> bool:
        """Write a document if its version still is the expected one."""
        with self._lock:
            if self._documents.get(name, (0, Document()))[1].version != expected:
                return False
            self._version += 1
            self._documents[name] = (self._version, Document(expected + 1, text))
            return True

    def take(self, claims: Sequence[Claim], *, window_s: float, at: float) -> tuple[float, ...]:
        """Take amounts from sliding windows."""
        with self._lock:
            return self._windows.take(claims, window_s=window_s, at=at)

    def acquire(self, name: str, token: str, *, limit: int, lease_s: float, at: float) -> bool:
        """Take a place."""
        with self._lock:
            return self._windows.acquire(name, token, limit=limit, lease_s=lease_s, at=at)

    def give_back(self, name: str, token: str) -> None:
        """Free a place."""
        with self._lock:
            self._windows.give_back(name, token)

    def begin_epoch(self) -> int:
        """Forget all vectors and shares."""
        with self._lock:
            self._epoch += 1
            self._version += 1
            self._vectors.clear()
            self._providers.clear()
            return self._epoch

    def reopen(self) -> None:
        """Start with a lock of its own; a forked child keeps a copy of the numbers."""
        self._lock = threading.Lock()

    def close(self) -> None:
        """Do nothing; the memory goes with the object."""
