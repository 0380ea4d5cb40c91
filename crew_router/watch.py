"""Following requests to their end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from typing import TYPE_CHECKING

from crew_router.types import ModelRef, RoutedChunk, RoutedResponse, RoutingDecision, TaskType

if TYPE_CHECKING:
    from crew_router.clock import Clock
    from crew_router.recording import Recorder


class Recent:
    """Who answered for which task type, for the newest decisions, so that an outcome reported at once needs no read.

    Args:
        keep: How many decisions are remembered.
    """

    def __init__(self, keep: int = 4096) -> None:
        self._keep = keep
        self._answered: dict[str, tuple[ModelRef, TaskType]] = {}
        self._lock = threading.Lock()

    def put(self, decision_id: str, model: ModelRef, task: TaskType) -> None:
        """Remember a decision, and forget the oldest beyond the limit."""
        with self._lock:
            self._answered[decision_id] = model, task
            while len(self._answered) > self._keep:
                del self._answered[next(iter(self._answered))]

    def get(self, decision_id: str) -> tuple[ModelRef, TaskType] | None:
        """Return who answered and for what, or ``None`` when the decision is older or another process's."""
        return self._answered.get(decision_id)


class Watch:
    """Times one request and tells the recorder how it ended."""

    def __init__(self, decision: RoutingDecision, *, recorder: Recorder, recent: Recent, clock: Clock) -> None:
        self._decision, self._recorder, self._recent, self._clock = decision, recorder, recent, clock
        self._began = clock.monotonic()
        self._answered = False

    def answered(self, response: RoutedResponse) -> RoutedResponse:
        """Take the answer and return it."""
        self._answered = True
        self._recent.put(response.decision.id, response.model, response.decision.profile.task_type.value)
        self._recorder.answered(response, latency_s=self._elapsed())
        return response

    def seen(self, chunk: RoutedChunk) -> RoutedChunk:
        """Take a piece and return it; the last one carries the answer."""
        if chunk.response is not None:
            self.answered(chunk.response)
        return chunk

    def failed(self, error: BaseException) -> None:
        """Take the end without an answer; a consumer that stops reading after the answer has not failed."""
        if not self._answered:
            self._recorder.failed(self._decision, error, latency_s=self._elapsed())

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._began


@contextlib.contextmanager
def watching(decision: RoutingDecision, *, recorder: Recorder, recent: Recent, clock: Clock) -> Generator[Watch, None, None]:
    """Watch one request to its end, whatever that is."""
    watch = Watch(decision, recorder=recorder, recent=recent, clock=clock)
    try:
        yield watch
    except BaseException as error:
        watch.failed(error)
        raise
