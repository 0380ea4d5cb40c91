"""One call inside a flow: started, fed to the stage, given up when it takes too long."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from crew_router.execute.flow_context import FlowContext
from crew_router.execute.protocol import CallFlow, Cancel, Chunk, Command, Done, Emit, Event, Start, Timer, Wait
from crew_router.execute.stream_buffer import StreamBuffer
from crew_router.types.transport import Piece
from crew_router.types.vocabulary import ErrorKind


def one_call(context: FlowContext, start: Start, *, limit: float, buffer: StreamBuffer | None = None) -> CallFlow:
    """Run one call to its end.

    Args:
        context: The request.
        start: The call.
        limit: When the call is given up.
        buffer: Where its pieces go, for a call that is shown.
    """
    yield start
    until, taken = limit, 0
    while True:
        event = yield Wait(until)
        if isinstance(event, Chunk):
            taken += 1
            yield from shown(start.call, (event.piece,), buffer)
            until = min(limit, event.at + context.policy.stall_s)
            continue
        if isinstance(event, Timer):
            event = yield Cancel(start.call, ErrorKind.TIMEOUT)
        assert isinstance(event, Done)
        if event.reply is not None:
            yield from shown(start.call, event.pieces[taken:], buffer)
        return event


def shown(call: int, pieces: Sequence[Piece], buffer: StreamBuffer | None) -> Generator[Command, Event | None, None]:
    """Take pieces to the stage, if there is one, and show what it lets out."""
    if buffer is not None:
        for piece in pieces:
            for out in buffer.take(piece):
                yield Emit(call, out)
