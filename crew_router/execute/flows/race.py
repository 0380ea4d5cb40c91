"""A slow call joined by a second one; the first sound answer wins and the other is cancelled, and still priced."""

from __future__ import annotations

from collections.abc import Generator

from crew_router.execute.flow_context import CandidateQueue, FlowContext, NextCandidate
from crew_router.execute.flows.call import shown
from crew_router.execute.protocol import Cancel, Chunk, Command, Done, Event, Start, Timer, Wait
from crew_router.execute.stream_buffer import StreamBuffer
from crew_router.types.vocabulary import ErrorKind

_Race = Generator[Command, Event | None, list[tuple[NextCandidate, Done]]]


def race(
    context: FlowContext, first: tuple[NextCandidate, Start], *, queue: CandidateQueue, buffer: StreamBuffer | None, hedge_at: float
) -> _Race:
    """Run a call; start the next candidate when nothing came until ``hedge_at``.

    In a stream the first call that gives a piece wins; otherwise the first with a sound answer.

    Returns:
        Every call that ended, the deciding one last.
    """
    candidate, start = first
    running: dict[int, NextCandidate] = {start.call: candidate}
    ended: list[tuple[NextCandidate, Done]] = []
    limit, hedged, winner, taken = context.limit(others=queue.others), False, None, 0
    until = min(limit, hedge_at)
    yield start
    while True:
        event = yield Wait(until)
        if isinstance(event, Chunk):
            if winner is None:
                winner = event.call
                yield from _cancel_others(running, winner, ended)
            taken += 1
            yield from shown(event.call, (event.piece,), buffer)
            until, hedged = min(limit, event.at + context.policy.stall_s), True
            continue
        if isinstance(event, Timer) and not hedged:
            hedged, until = True, limit
            yield from _join(context, queue, running, live=start.live)
            continue
        if isinstance(event, Timer):
            yield from _give_up(running, ended)
            ended.sort(key=lambda each: each[1].reply is not None)
            if ended[-1][1].reply is not None:
                yield from shown(ended[-1][1].call, ended[-1][1].pieces[taken:], buffer)
            return ended
        assert isinstance(event, Done)
        done_turn = running.pop(event.call)
        if event.reply is not None:
            yield from _cancel_others(running, None, ended)
            yield from shown(event.call, event.pieces[taken:], buffer)
            return [*ended, (done_turn, event)]
        ended.append((done_turn, event))
        if not running:
            return ended
        hedged = True


def _join(
    context: FlowContext, queue: CandidateQueue, running: dict[int, NextCandidate], *, live: bool
) -> Generator[Command, Event | None, None]:
    if not queue.others or context.hedge is None or not context.hedge.spend():
        return
    candidate = queue.next()
    if candidate is None:
        return
    limit = context.limit(others=False)
    call = next(context.numbers)
    running[call] = candidate
    yield Start(call, candidate.model.ref, live=live, role="hedge", timeout_s=limit - context.clock.monotonic())


def _cancel_others(
    running: dict[int, NextCandidate], winner: int | None, ended: list[tuple[NextCandidate, Done]]
) -> Generator[Command, Event | None, None]:
    for call in [call for call in running if call != winner]:
        candidate = running.pop(call)
        done = yield Cancel(call)
        assert isinstance(done, Done)
        ended.append((candidate, done))


def _give_up(running: dict[int, NextCandidate], ended: list[tuple[NextCandidate, Done]]) -> Generator[Command, Event | None, None]:
    for call in list(running):
        candidate = running.pop(call)
        done = yield Cancel(call, ErrorKind.TIMEOUT)
        assert isinstance(done, Done)
        ended.append((candidate, done))
