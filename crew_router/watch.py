"""Following requests to their end."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING

from crew_router.types import RoutedChunk, RoutedResponse, RoutingDecision

if TYPE_CHECKING:
    from crew_router.clock import Clock
    from crew_router.learn.learning import Learning
    from crew_router.recording import Recorder


class Watch:
    """Times one request and tells the recorder how it ended."""

    def __init__(self, decision: RoutingDecision, *, recorder: Recorder, learning: Learning, clock: Clock) -> None:
        self._decision, self._recorder, self._learning, self._clock = decision, recorder, learning, clock
        self._began = clock.monotonic()
        self._answered = False

    def answered(self, response: RoutedResponse) -> RoutedResponse:
        """Take the answer and return it."""
        self._answered = True
        self._learning.answered(response.decision, response.model)
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
def watching(decision: RoutingDecision, *, recorder: Recorder, learning: Learning, clock: Clock) -> Generator[Watch, None, None]:
    """Watch one request to its end, whatever that is."""
    watch = Watch(decision, recorder=recorder, learning=learning, clock=clock)
    try:
        yield watch
    except BaseException as error:
        watch.failed(error)
        raise
