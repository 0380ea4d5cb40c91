"""Failures of local models in a row, by session or run (requirement C1)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from crew_router.record.recorder import RecordObserver

if TYPE_CHECKING:
    from crew_router.learn.feedback import Answered
    from crew_router.types import Attempt, ModelRef, RoutingDecision, RoutingRequest

_KEEP: Final = 4096
_HALF: Final = 0.5


@dataclass
class ConsecutiveFailures(RecordObserver):
    """Counts calls to local models that failed since the last one that did not; the newest sessions and runs of this process.

    A call that went through and whose answer is then reported as a failure counts as failed.
    """

    is_local: Callable[[ModelRef], bool] = lambda _ref: False
    _counts: OrderedDict[str, int] = field(default_factory=OrderedDict[str, int])
    _before: OrderedDict[str, int] = field(default_factory=OrderedDict[str, int])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of_models(self, is_local: Callable[[ModelRef], bool]) -> ConsecutiveFailures:
        """Return the same counts for another registry.

        Args:
            is_local: Tells whether a model runs on a local server.
        """
        return replace(self, is_local=is_local)

    def attempted(self, decision: RoutingDecision, attempt: Attempt) -> None:
        """Take the end of a call."""
        key = decision.request.session_id or decision.request.run_id
        if key is None or not self.is_local(attempt.model):
            return
        with self._lock:
            before = self._counts.pop(key, 0)
            if attempt.ok:
                _keep(self._before, key, before)
            else:
                _keep(self._counts, key, before + 1)

    def heard(self, subject: Answered, reward: float, previous: float | None) -> None:
        """Take what was said of an answer, by feedback or as an outcome; a correction of an earlier word changes nothing.

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
                _keep(self._counts, key, before + 1)

    def count(self, request: RoutingRequest) -> int:
        """Return how many failed in a row in the request's session or run."""
        key = (request.session_id or request.run_id) if self._counts else None
        return 0 if key is None else self._counts.get(key, 0)


def _keep(counts: OrderedDict[str, int], key: str, count: int) -> None:
    counts[key] = count
    counts.move_to_end(key)
    while len(counts) > _KEEP:
        counts.popitem(last=False)
