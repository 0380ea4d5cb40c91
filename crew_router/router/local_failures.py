"""Failures of local models in a row, by session or run (requirement C1)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from crew_router.record.recorder import RecordObserver

if TYPE_CHECKING:
    from crew_router.types import Attempt, ModelRef, RoutingDecision, RoutingRequest

_KEEP: Final = 4096


@dataclass
class ConsecutiveFailures(RecordObserver):
    """Counts calls to local models that failed since the last one that did not; the newest sessions and runs of this process."""

    is_local: Callable[[ModelRef], bool] = lambda _ref: False
    _counts: OrderedDict[str, int] = field(default_factory=OrderedDict[str, int])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of_models(self, is_local: Callable[[ModelRef], bool]) -> ConsecutiveFailures:
        """Return the same counts for another registry.

        Args:
            is_local: Tells whether a model runs on a local server.
        """
        return replace(self, is_local=is_local)

    def attempted(self, decision: RoutingDecision, attempt: Attempt) -> None:
        """Take the end of a call."""
        key = _key(decision.request)
        if key is None or (attempt.ok and key not in self._counts) or not self.is_local(attempt.model):
            return
        with self._lock:
            if attempt.ok:
                self._counts.pop(key, None)
                return
            self._counts[key] = self._counts.get(key, 0) + 1
            self._counts.move_to_end(key)
            while len(self._counts) > _KEEP:
                self._counts.popitem(last=False)

    def count(self, request: RoutingRequest) -> int:
        """Return how many failed in a row in the request's session or run."""
        key = _key(request) if self._counts else None
        return 0 if key is None else self._counts.get(key, 0)


def _key(request: RoutingRequest) -> str | None:
    return request.session_id or request.run_id
