"""Failures of local models in a row, by session or run (requirement C1)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from cachetools import LRUCache

from crew_router.record.recorder import RecordObserver
from crew_router.types.fork_hooks import free_in_child

if TYPE_CHECKING:
    from crew_router.learn.feedback import Answered
    from crew_router.types import Attempt, ModelRef, RoutingDecision, RoutingRequest

_MAX_KEYS: Final = 4096
_HALF: Final = 0.5


def _newest() -> LRUCache[str, int]:
    return LRUCache(_MAX_KEYS)


@dataclass
class ConsecutiveFailures(RecordObserver):
    """Counts the calls to local models that failed since the last good one, for the newest sessions and runs of this process.

    A call that went through and whose answer is then reported as a failure counts as failed.

    Args:
        is_local: Tells whether a model runs on a local server.
    """

    is_local: Callable[[ModelRef], bool] = lambda _ref: False
    _counts: LRUCache[str, int] = field(default_factory=_newest)
    _before: LRUCache[str, int] = field(default_factory=_newest)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Be free in a forked child."""
        free_in_child(self)

    def of_models(self, is_local: Callable[[ModelRef], bool]) -> ConsecutiveFailures:
        """Return the same counts for another registry, as after a reload.

        Args:
            is_local: Tells whether a model runs on a local server.
        """
        return replace(self, is_local=is_local)

    def attempted(self, decision: RoutingDecision, attempt: Attempt) -> None:
        """Count the end of a call."""
        key = _key(decision.request)
        if key is None or not self.is_local(attempt.model):
            return
        with self._lock:
            before = self._counts.pop(key, 0)
            if attempt.ok:
                self._before[key] = before
            else:
                self._counts[key] = before + 1

    def heard(self, subject: Answered, reward: float, previous: float | None) -> None:
        """Take what feedback or an outcome says of an answer; a correction of an earlier one changes nothing.

        Args:
            subject: Who answered, and in which session or run.
            reward: The reward 0..1 of it; under a half is a failure.
            previous: The reward that was known before.
        """
        key = subject.session
        if key is None or previous is not None or not self.is_local(subject.model):
            return
        with self._lock:
            before = self._before.pop(key, self._counts.get(key, 0))
            self._counts.pop(key, None)
            if reward < _HALF:
                self._counts[key] = before + 1

    def count(self, request: RoutingRequest) -> int:
        """Return the number of consecutive failures in the request's session or run."""
        key = _key(request) if self._counts else None
        if key is None:
            return 0
        with self._lock:  # reading moves the key to the end
            return self._counts.get(key, 0)


def _key(request: RoutingRequest) -> str | None:
    return request.session_id or request.run_id
