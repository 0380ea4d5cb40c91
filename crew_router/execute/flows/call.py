"""One call inside a flow: started, fed to the stage, given up when it takes too long."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from crew_router.execute.job import Job
from crew_router.execute.protocol import CallFlow, Cancel, Chunk, Command, Done, Emit, Event, Start, Timer, Wait
from crew_router.execute.stream_buffer import Stage
from crew_router.types.transport import Piece
from crew_router.types.vocabulary import ErrorKind


def one_call(job: Job, start: Start, *, limit: float, stage: Stage | None = None) -> CallFlow:
    """Run one call to its end.

    Args:
        job: The request.
        start: The call.
        limit: When the call is given up.
        stage: Where its pieces go, for a call that is shown.
    """
    yield start
    until, taken = limit, 0
    while True:
        event = yield Wait(until)
        if isinstance(event, Chunk):
            taken += 1
            yield from shown(start.call, (event.piece,), stage)
            until = min(limit, event.at + job.policy.stall_s)
            continue
        if isinstance(event, Timer):
            event = yield Cancel(start.call, ErrorKind.TIMEOUT)
        assert isinstance(event, Done)
        if event.reply is not None:
            yield from shown(start.call, event.pieces[taken:], stage)
        return event


def shown(call: int, pieces: Sequence[Piece], stage: Stage | None) -> Generator[Command, Event | None, None]:
    """Take pieces to the stage, if there is one, and show what it lets out."""
    if stage is not None:
        for piece in pieces:
            for out in stage.take(piece):
                yield Emit(call, out)
