"""Following requests to their end."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from crew_router.types import RoutedChunk, RoutedResponse, RoutingDecision

if TYPE_CHECKING:
    from crew_router.learn.learning import Learning
    from crew_router.record.recorder import Recorder
    from crew_router.types.clock import Clock


class RequestObserver:
    """Times one request and tells the recorder how it ended, whatever that is; a context manager around its execution."""

    def __init__(self, decision: RoutingDecision, *, recorder: Recorder, clock: Clock, learning: Learning | None = None) -> None:
        self._decision, self._recorder, self._learning, self._clock = decision, recorder, learning, clock
        self._began = clock.monotonic()
        self._answered = False

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Take what ended the request early, if anything did."""
        if error is not None:
            self.failed(error)

    def answered(self, response: RoutedResponse) -> RoutedResponse:
        """Take the answer and return it."""
        self._answered = True
        if self._learning is not None:
            self._learning.answered(response.decision, response.model)
        self._recorder.answered(response, latency_s=self._elapsed())
        return response

    def on_chunk(self, chunk: RoutedChunk) -> RoutedChunk:
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
