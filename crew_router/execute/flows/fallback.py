"""One model, and others when it fails or is slow (the modes ``single`` and forced)."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import TypeAlias

from crew_router.execute.flows.call import one_call
from crew_router.execute.flows.race import race
from crew_router.execute.job import Job, Line, Turn
from crew_router.execute.policy import StreamPolicy
from crew_router.execute.protocol import Answer, Command, Done, Emit, Event, Failure, Flow, Start, Wait
from crew_router.execute.stream_buffer import Stage
from crew_router.types.error_policy import TREATMENTS
from crew_router.types.transport import Piece, Reply
from crew_router.types.vocabulary import ErrorKind

Ended: TypeAlias = tuple[Turn, Done]


def fallback(job: Job) -> Flow:
    """Call the candidates one after the other until one gives a sound answer.

    A fault moves on at once while an untried model is left; only then a model is called again, after its back-off.
    A model that is slower than its own 95th percentile is joined by the next one, within the hedge budget.
    """
    line = Line(job)
    stage = Stage(job.policy.stream, hold_chars=job.policy.hold_chars, whole=job.whole)
    continued, empty = False, 0
    if job.hedge is not None:
        job.hedge.request()
    while (turn := line.next(prefill=stage.open and job.policy.stream is StreamPolicy.CONTINUE)) is not None:
        *_, (turn, done) = yield from _turn(job, turn, line=line, stage=stage)
        if done.reply is not None:
            if job.late and not stage.open:
                break
            for piece in stage.end(done.instead):
                yield Emit(done.call, piece)
            return Answer(done.call, turn.model.ref, done.reply, shown=tuple(stage.shown) if continued else ())
        empty += continued and done.error is not None and done.error.kind is ErrorKind.EMPTY
        if empty > 1:
            # One empty continuation may be a fault; two say that the text was whole when its stream broke.
            return Answer(done.call, turn.model.ref, Reply("", finish_reason="stop"), shown=tuple(stage.shown))
        verdict = _after(done, turn, line=line, stage=stage, policy=job.policy.stream)
        if verdict is not None:
            return verdict
        if job.late:
            break
        yield from _reopen(done, stage, policy=job.policy.stream)
        continued = stage.open
    return _nobody_left(job, line, stage)


def _turn(job: Job, turn: Turn, *, line: Line, stage: Stage) -> Generator[Command, Event | None, list[Ended]]:
    """Let a candidate try; with it, if it is slow, the next one. The last of the list decides."""
    if turn.at > job.clock.monotonic():
        yield Wait(turn.at)
    limit = job.limit(others=line.others)
    start = Start(
        next(job.numbers), turn.model.ref,
        live=job.live, prefix=stage.text.rstrip(), role="continue" if stage.open else "answer",
        timeout_s=limit - job.clock.monotonic(), force=turn.force, queue=turn.queue,
    )  # fmt: skip
    after_s = None if stage.open or not line.others else job.slow_after_s(turn.model)
    if after_s is None:
        done = yield from one_call(job, start, limit=limit, stage=stage if job.live else None)
        return [(turn, done)]
    ended = yield from race(job, (turn, start), line=line, stage=stage if job.live else None, hedge_at=job.clock.monotonic() + after_s)
    for loser, done in ended[:-1]:
        if done.error is not None and done.error.kind is ErrorKind.CANCELLED:
            line.put_back(loser.model)
        elif done.error is not None:
            line.failed(loser.model, done.error)
        elif done.refusal is not None:
            line.refused(loser.model, done.refusal)
    return ended


def _after(done: Done, turn: Turn, *, line: Line, stage: Stage, policy: StreamPolicy) -> Failure | None:
    """Take a call without an answer; return what ends the request at once, if anything does."""
    if done.refusal is not None:
        line.refused(turn.model, done.refusal)
        return None
    error = done.error
    assert error is not None
    line.failed(turn.model, error)
    error.partial = stage.text
    if not TREATMENTS[error.kind].fall_back:
        return Failure(tuple(line.errors), tuple(line.refusals), fatal=error)
    broken = stage.open and policy in {StreamPolicy.BUFFER, StreamPolicy.RAISE}
    return Failure(tuple(line.errors), tuple(line.refusals), fatal=error) if broken else None


def _reopen(done: Done, stage: Stage, *, policy: StreamPolicy) -> Generator[Command, Event | None, None]:
    """Make the stage ready for the next call."""
    if stage.open and policy is StreamPolicy.RESTART:
        stage.forget()
        yield Emit(done.call, Piece(), reset=True)
        return
    stage.begin(go_on=stage.open)


def _nobody_left(job: Job, line: Line, stage: Stage) -> Failure:
    failure = Failure(tuple(line.errors), tuple(line.refusals), deadline=job.late)
    if stage.open and line.errors:
        # A stream that was shown and could not be gone on with ends in the error of its break, with the text.
        return dataclasses.replace(failure, fatal=line.errors[-1])
    if len(line.errors) == 1 and line.errors[0].kind is ErrorKind.REFUSED and not line.refusals:
        # Nobody else could be asked, so the refusal is the answer that the caller gets.
        return dataclasses.replace(failure, fatal=line.errors[0])
    return failure
