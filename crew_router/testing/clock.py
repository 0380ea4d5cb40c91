"""A clock whose time passes only when a test says so."""

from __future__ import annotations

import threading


class FrozenClock:
    """A clock that only :meth:`advance` moves; waits of the engine and latencies of recorded models use it without sleeping.

    Args:
        at: Seconds since the epoch at which it starts.

    Example:
        >>> clock = FrozenClock(at=100.0)
        >>> clock.advance(2.5)
        >>> clock.now()
        102.5
    """

    def __init__(self, at: float = 1_700_000_000.0) -> None:
        self._start = at
        self._passed = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self._start + self._passed

    def monotonic(self) -> float:
        """Return the seconds that have passed since the start."""
        return self._passed

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: The seconds are negative.
        """
        if seconds < 0:
            msg = f"time does not run backwards: {seconds!r} seconds; give 0 or more."
            raise ValueError(msg)
        with self._lock:
            self._passed += seconds
