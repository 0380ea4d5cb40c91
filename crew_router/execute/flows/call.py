"""One call inside a flow: started, fed to the stage, given up when it takes too long."""

from __future__ import annotations

from crew_router.execute.commands import CallFlow, Cancel, Chunk, Done, Emit, Start, Timer, Wait
from crew_router.execute.job import Job
from crew_router.execute.stage import Stage
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
    until = limit
    while True:
        event = yield Wait(until)
        if isinstance(event, Chunk):
            if stage is not None:
                for piece in stage.take(event.piece):
                    yield Emit(start.call, piece)
            until = min(limit, event.at + job.policy.stall_s)
            continue
        if isinstance(event, Timer):
            event = yield Cancel(start.call, ErrorKind.TIMEOUT)
        assert isinstance(event, Done)
        return event
