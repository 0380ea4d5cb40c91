"""What an operator orders at run time: pin a model, set a cost ceiling (requirement D13).

An order stands in the ledger's audit, so that it outlives the process; a counter in the shared state tells every process that
there is a new one, so that none has to be restarted.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from crew_router.decide.conditions import Override
from crew_router.errors import InvalidRequestError, StorageError
from crew_router.types import ModelRef

if TYPE_CHECKING:
    from crew_router.record.ledger.protocol import Ledger
    from crew_router.record.state.protocol import State
    from crew_router.types import Snapshot
    from crew_router.types.clock import Clock

ORDERED: Final = "override"
TAKEN_BACK: Final = "override cleared"
_COUNTER: Final = "override"
_NEVER: Final = (-1.0,)
NOTHING: Final = Override()
_ASK_AGAIN_S: Final = 5.0
_log = logging.getLogger(__name__)


@dataclass
class OverrideStore:
    """The override that holds, as this process knows it."""

    ledger: Ledger
    state: State
    clock: Clock
    _known: Override = NOTHING
    _version: tuple[float, ...] = _NEVER
    _ask_at: float = -math.inf
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def current(self, snapshot: Snapshot) -> Override:
        """Return the order that holds; the ledger is read only when the shared counter has moved, and once at the start.

        While the ledger cannot be read, what is known here holds, and it is asked again some seconds later.
        """
        version = snapshot.sums.get(_COUNTER, {}).get("", ())
        if version != self._version and self.clock.monotonic() >= self._ask_at:
            with self._lock:
                self._renew(version)
        return self._known

    def _renew(self, version: tuple[float, ...]) -> None:
        if version == self._version or self.clock.monotonic() < self._ask_at:  # another thread was faster
            return
        try:
            self._known, self._version = self._read(), version
        except StorageError as error:
            self._ask_at = self.clock.monotonic() + _ASK_AGAIN_S
            _log.warning("orders of operators cannot be read, the last known one holds: %s", error)

    def set(self, override: Override, *, by: str) -> None:
        """Put an order in force, for every process of the project."""
        detail = {"pin": override.pin, "cost_ceiling_usd": override.cost_ceiling_usd, "until": override.until, "by": by}
        self._announce(ORDERED, detail)

    def clear(self, *, by: str) -> None:
        """End the order, for every process of the project."""
        self._announce(TAKEN_BACK, {"by": by})

    def _announce(self, event: str, detail: Mapping[str, object]) -> None:
        self.ledger.audited(event, detail, at=self.clock.now())
        # On disk before others are told to look.
        self.ledger.flush()
        self.state.count(_COUNTER, (1.0,))
        with self._lock:
            self._known, self._version = self._read(), self.state.snapshot().sums.get(_COUNTER, {}).get("", ())

    def _read(self) -> Override:
        last = self.ledger.last_event((ORDERED, TAKEN_BACK))
        if last is None or last[0] != ORDERED:
            return NOTHING
        detail = last[1]
        pin, ceiling, until = detail.get("pin"), detail.get("cost_ceiling_usd"), detail.get("until")
        return Override(
            None if pin is None else ModelRef(str(pin)),
            None if ceiling is None else float(cast("float", ceiling)),
            None if until is None else float(cast("float", until)),
        )


def ordered(pin: ModelRef | None, cost_ceiling_usd: float | None, until: float | datetime | None, *, now: float) -> Override:
    """Return an order as a value.

    Raises:
        InvalidRequestError: Nothing is ordered, a figure is out of range, or the end has passed.
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
