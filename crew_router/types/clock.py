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
    """The clock of the machine; its readings are the interpreter's own functions, without a call of Python around them."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.perf_counter)
