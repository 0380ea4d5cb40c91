"""Overrides that an operator sets at run time: pin a model, set a cost ceiling (requirement D13).

An override is written to the ledger's audit, so that it outlasts the process. A counter in the shared state tells every
process that there is a new one, so that none has to be restarted.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from crew_router.decide.conditions import Override
from crew_router.errors import InvalidRequestError, StorageError
from crew_router.types import ModelRef
from crew_router.types.fork_hooks import free_in_child
from crew_router.types.redaction import logger

if TYPE_CHECKING:
    from crew_router.record.ledger.protocol import Ledger
    from crew_router.record.state.protocol import State
    from crew_router.types import Snapshot
    from crew_router.types.clock import Clock

SET_EVENT: Final = "override"
CLEARED_EVENT: Final = "override cleared"
_COUNTER: Final = "override"
_NEVER: Final = (-1.0,)
NO_OVERRIDE: Final = Override()
_RETRY_S: Final = 5.0
_WAIT_S: Final = 1.0
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A read of the ledger in progress; ``until`` is when waiting for it ends, in monotonic seconds."""

    until: float
    pid: int
    done: threading.Event = field(default_factory=threading.Event)


@dataclass
class OverrideStore:
    """The override in force, as far as this process knows.

    Args:
        ledger: Where overrides are written and read.
        state: Holds the counter.
        clock: Source of the time.
    """

    ledger: Ledger
    state: State
    clock: Clock
    _known: Override = NO_OVERRIDE
    _version: tuple[float, ...] = _NEVER
    _retry_at: float = -math.inf
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _reading: _Reading | None = None
    _failed: bool = False

    def __post_init__(self) -> None:
        """Be free in a forked child."""
        free_in_child(self)

    def current(self, snapshot: Snapshot) -> Override:
        """Return the override in force as far as this process knows, without waiting for I/O; see :meth:`renew`."""
        self._begin(snapshot)
        return self._known

    def settled(self, snapshot: Snapshot) -> bool:
        """Tell whether :meth:`renew` would not wait."""
        return not self._is_stale(snapshot)

    def renew(self, snapshot: Snapshot) -> None:
        """Read the ledger at the start and when the shared counter has changed; wait for it a second at most.

        A thread of its own reads, because the database may be locked for half a minute. While the ledger cannot be read, the
        last known override is used, and reading is tried again some seconds later.
        """
        reading = self._begin(snapshot)
        if reading is not None:
            reading.done.wait(max(reading.until - time.monotonic(), 0.0))

    def _is_stale(self, snapshot: Snapshot) -> bool:
        return _version_of(snapshot) != self._version and self.clock.monotonic() >= self._retry_at

    def _begin(self, snapshot: Snapshot) -> _Reading | None:
        if not self._is_stale(snapshot):
            return None
        with self._lock:
            reading = self._reading
            if reading is None or reading.done.is_set() or reading.pid != os.getpid():  # a forked child has no such thread
                if not self._is_stale(snapshot):  # another thread was faster
                    return None
                reading = self._reading = _Reading(time.monotonic() + _WAIT_S, os.getpid())
                work = threading.Thread(
                    target=self._refresh, args=(_version_of(snapshot), reading.done), name="crew-router-overrides", daemon=True
                )
                work.start()
        return reading

    def _refresh(self, version: tuple[float, ...], done: threading.Event) -> None:
        try:
            known = self._read()
            with self._lock:
                self._known, self._version, self._failed = known, version, False
        except StorageError as error:
            self._retry_at = self.clock.monotonic() + _RETRY_S
            if not self._failed:
                _log.warning("overrides cannot be read, the last known one stays in force: %s", error)
            self._failed = True
        finally:
            done.set()

    def set(self, override: Override, *, by: str) -> None:
        """Set an override, for every process of the project."""
        detail = {"pin": override.pin, "cost_ceiling_usd": override.cost_ceiling_usd, "until": override.until, "by": by}
        self._announce(SET_EVENT, detail)

    def clear(self, *, by: str) -> None:
        """Clear the override, for every process of the project."""
        self._announce(CLEARED_EVENT, {"by": by})

    def _announce(self, event: str, detail: Mapping[str, object]) -> None:
        self.ledger.audited(event, detail, at=self.clock.now())
        # It must be on disk before the counter tells others to read it.
        self.ledger.flush()
        self.state.count(_COUNTER, (1.0,))
        with self._lock:
            self._known, self._version = self._read(), _version_of(self.state.snapshot())

    def _read(self) -> Override:
        last = self.ledger.last_event((SET_EVENT, CLEARED_EVENT))
        if last is None or last[0] != SET_EVENT:
            return NO_OVERRIDE
        detail = last[1]
        pin, ceiling, until = detail.get("pin"), detail.get("cost_ceiling_usd"), detail.get("until")
        return Override(
            None if pin is None else ModelRef(str(pin)),
            None if ceiling is None else float(cast("float", ceiling)),
            None if until is None else float(cast("float", until)),
        )


def _version_of(snapshot: Snapshot) -> tuple[float, ...]:
    return snapshot.sums.get(_COUNTER, {}).get("", ())


def ordered(pin: ModelRef | None, cost_ceiling_usd: float | None, until: float | datetime | None, *, now: float) -> Override:
    """Return an override as a value.

    Raises:
        InvalidRequestError: It has neither a model nor a ceiling, a figure is out of range, or its end has passed.
    """
    if pin is None and cost_ceiling_usd is None:
        raise InvalidRequestError("pin", None, expected="a model to pin, or a cost_ceiling in USD")
    if cost_ceiling_usd is not None and not 0.0 <= cost_ceiling_usd < math.inf:
        raise InvalidRequestError("cost_ceiling", cost_ceiling_usd, expected="a finite number of at least 0")
    if isinstance(until, datetime) and until.tzinfo is None:
        raise InvalidRequestError("until", until, expected="a date with a time zone, or seconds since the epoch")
    end = until.timestamp() if isinstance(until, datetime) else until
    if end is not None and not now < end < math.inf:
        raise InvalidRequestError("until", until, expected="a time that is still to come")
    return Override(pin, cost_ceiling_usd, end)
