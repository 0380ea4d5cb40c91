"""Observe one request from its decision to its end."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from crew_router.types import RoutedChunk, RoutedResponse, RoutingDecision
from crew_router.types.exit_hooks import watch

if TYPE_CHECKING:
    from crew_router.learn.learning import Learning
    from crew_router.record.recorder import Recorder
    from crew_router.types.clock import Clock


class RequestObserver:
    """Times one request and tells the recorder how it ended; a context manager around its execution.

    Args:
        decision: The decision that is executed.
        recorder: Records how the request ended.
        clock: Source of the time.
        learning: Remembers which model answered; ``None`` for requests that are not learnt from.
    """

    def __init__(self, decision: RoutingDecision, *, recorder: Recorder, clock: Clock, learning: Learning | None = None) -> None:
        self._decision, self._recorder, self._learning, self._clock = decision, recorder, learning, clock
        self._started_s = clock.monotonic()
        self._answered = self._over = False

    def __enter__(self) -> Self:
        """Return the observer; if the process exits before the request has ended, :meth:`at_exit` records that."""
        watch(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Record the error that ended the request, if any."""
        if error is not None:
            self.failed(error)
        self._over = True

    def at_exit(self) -> None:
        """Record the exit of the process as the end of the request."""
        if not self._over:
            self.failed(SystemExit())
            self._over = True

    def answered(self, response: RoutedResponse) -> RoutedResponse:
        """Record the answer and return it."""
        self._answered = True
        if self._learning is not None:
            self._learning.remember(response.decision, response.model)
        self._recorder.answered(response, latency_s=self._elapsed())
        return response

    def on_chunk(self, chunk: RoutedChunk) -> RoutedChunk:
        """Return a chunk of a stream; the last one carries the whole answer, which is recorded."""
        if chunk.response is not None:
            self.answered(chunk.response)
        return chunk

    def failed(self, error: BaseException) -> None:
        """Record a failure, unless the answer was complete: a consumer that stops reading after it has not failed."""
        if not self._answered and not self._over:
            self._recorder.failed(self._decision, error, latency_s=self._elapsed())

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._started_s
