"""Time, injected, so that nothing reads the system clock by itself."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of time; both readings are in seconds."""

    def now(self) -> float:
        """Return seconds since the epoch, for what is stored and compared between machines."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards, for durations and deadlines inside one process."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return monotonic seconds."""
        return time.perf_counter()
