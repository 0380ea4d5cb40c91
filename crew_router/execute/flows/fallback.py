"""One model, and others when it fails or is slow (the modes ``single`` and forced)."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import TypeAlias

from crew_router.execute.flow_context import CandidateQueue, FlowContext, NextCandidate
from crew_router.execute.flows.call import one_call
from crew_router.execute.flows.race import race
from crew_router.execute.policy import StreamPolicy
from crew_router.execute.protocol import Answer, Command, Done, Emit, Event, Failure, Flow, Start, Wait
from crew_router.execute.stream_buffer import StreamBuffer
from crew_router.types.error_policy import ERROR_POLICIES
from crew_router.types.transport import Piece, Reply
from crew_router.types.vocabulary import ErrorKind

Ended: TypeAlias = tuple[NextCandidate, Done]


def fallback(context: FlowContext) -> Flow:
    """Call the candidates one after the other until one gives a sound answer.

    A fault moves on at once while an untried model is left; only then a model is called again, after its back-off.
    A model that is slower than its own 95th percentile is joined by the next one, within the hedge budget.
    """
    queue = CandidateQueue(context)
    buffer = StreamBuffer(context.policy.stream, hold_chars=context.policy.hold_chars, whole=context.whole)
    continued, empty = False, 0
    if context.hedge is not None:
        context.hedge.request()
    while (candidate := queue.next(prefill=buffer.open and context.policy.stream is StreamPolicy.CONTINUE)) is not None:
        *_, (candidate, done) = yield from _turn(context, candidate, queue=queue, buffer=buffer)
        if done.reply is not None:
            if context.late and not buffer.open:
                break
            for piece in buffer.end(done.instead):
                yield Emit(done.call, piece)
            return Answer(done.call, candidate.model.ref, done.reply, shown=tuple(buffer.shown) if continued else ())
        empty += continued and done.error is not None and done.error.kind is ErrorKind.EMPTY
        if empty > 1:
            # One empty continuation may be a fault; two say that the text was whole when its stream broke.
            return Answer(done.call, candidate.model.ref, Reply("", finish_reason="stop"), shown=tuple(buffer.shown))
        verdict = _after(done, candidate, queue=queue, buffer=buffer, policy=context.policy.stream)
        if verdict is not None:
            return verdict
        if context.late:
            break
        yield from _reopen(done, buffer, policy=context.policy.stream)
        continued = buffer.open
    return _nobody_left(context, queue, buffer)


def _turn(
    context: FlowContext, candidate: NextCandidate, *, queue: CandidateQueue, buffer: StreamBuffer
) -> Generator[Command, Event | None, list[Ended]]:
    """Let a candidate try; with it, if it is slow, the next one. The last of the list decides."""
    if candidate.at > context.clock.monotonic():
        yield Wait(candidate.at)
    limit = context.limit(others=queue.others)
    start = Start(
        next(context.numbers), candidate.model.ref,
        live=context.live, prefix=buffer.text.rstrip(), role="continue" if buffer.open else "answer",
        timeout_s=limit - context.clock.monotonic(), force=candidate.force, queue=candidate.queue,
    )  # fmt: skip
    after_s = None if buffer.open or not queue.others else context.slow_after_s(candidate.model)
    if after_s is None:
        done = yield from one_call(context, start, limit=limit, buffer=buffer if context.live else None)
        return [(candidate, done)]
    ended = yield from race(
        context, (candidate, start), queue=queue, buffer=buffer if context.live else None, hedge_at=context.clock.monotonic() + after_s
    )
    for loser, done in ended[:-1]:
        if done.error is not None and done.error.kind is ErrorKind.CANCELLED:
            queue.put_back(loser.model)
        elif done.error is not None:
            queue.failed(loser.model, done.error)
        elif done.refusal is not None:
            queue.refused(loser.model, done.refusal)
    return ended


def _after(done: Done, candidate: NextCandidate, *, queue: CandidateQueue, buffer: StreamBuffer, policy: StreamPolicy) -> Failure | None:
    """Take a call without an answer; return what ends the request at once, if anything does."""
    if done.refusal is not None:
        queue.refused(candidate.model, done.refusal)
        return None
    error = done.error
    assert error is not None
    queue.failed(candidate.model, error)
    error.partial = buffer.text
    if not ERROR_POLICIES[error.kind].fall_back:
        return Failure(tuple(queue.errors), tuple(queue.refusals), fatal=error)
    broken = buffer.open and policy in {StreamPolicy.BUFFER, StreamPolicy.RAISE}
    return Failure(tuple(queue.errors), tuple(queue.refusals), fatal=error) if broken else None


def _reopen(done: Done, buffer: StreamBuffer, *, policy: StreamPolicy) -> Generator[Command, Event | None, None]:
    """Make the stage ready for the next call."""
    if buffer.open and policy is StreamPolicy.RESTART:
        buffer.forget()
        yield Emit(done.call, Piece(), reset=True)
        return
    buffer.begin(go_on=buffer.open)


def _nobody_left(context: FlowContext, queue: CandidateQueue, buffer: StreamBuffer) -> Failure:
    failure = Failure(tuple(queue.errors), tuple(queue.refusals), deadline=context.late)
    if buffer.open and queue.errors:
        # A stream that was shown and could not be gone on with ends in the error of its break, with the text.
        return dataclasses.replace(failure, fatal=queue.errors[-1])
    if len(queue.errors) == 1 and queue.errors[0].kind is ErrorKind.REFUSED and not queue.refusals:
        # Nobody else could be asked, so the refusal is the answer that the caller gets.
        return dataclasses.replace(failure, fatal=queue.errors[0])
    return failure
