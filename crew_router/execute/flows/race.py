"""A slow call joined by a second one; the first sound answer wins and the other is cancelled, and still priced."""

from __future__ import annotations

from collections.abc import Generator

from crew_router.execute.flows.call import shown
from crew_router.execute.job import Job, Line, Turn
from crew_router.execute.protocol import Cancel, Chunk, Command, Done, Event, Start, Timer, Wait
from crew_router.execute.stream_buffer import Stage
from crew_router.types.vocabulary import ErrorKind

_Race = Generator[Command, Event | None, list[tuple[Turn, Done]]]


def race(job: Job, first: tuple[Turn, Start], *, line: Line, stage: Stage | None, hedge_at: float) -> _Race:
    """Run a call; start the next candidate when nothing came until ``hedge_at``.

    In a stream the first call that gives a piece wins; otherwise the first with a sound answer.

    Returns:
        Every call that ended, the deciding one last.
    """
    turn, start = first
    running: dict[int, Turn] = {start.call: turn}
    ended: list[tuple[Turn, Done]] = []
    limit, hedged, winner, taken = job.limit(others=line.others), False, None, 0
    until = min(limit, hedge_at)
    yield start
    while True:
        event = yield Wait(until)
        if isinstance(event, Chunk):
            if winner is None:
                winner = event.call
                yield from _cancel_others(running, winner, ended)
            taken += 1
            yield from shown(event.call, (event.piece,), stage)
            until, hedged = min(limit, event.at + job.policy.stall_s), True
            continue
        if isinstance(event, Timer) and not hedged:
            hedged, until = True, limit
            yield from _join(job, line, running, live=start.live)
            continue
        if isinstance(event, Timer):
            yield from _give_up(running, ended)
            ended.sort(key=lambda each: each[1].reply is not None)
            if ended[-1][1].reply is not None:
                yield from shown(ended[-1][1].call, ended[-1][1].pieces[taken:], stage)
            return ended
        assert isinstance(event, Done)
        done_turn = running.pop(event.call)
        if event.reply is not None:
            yield from _cancel_others(running, None, ended)
            yield from shown(event.call, event.pieces[taken:], stage)
            return [*ended, (done_turn, event)]
        ended.append((done_turn, event))
        if not running:
            return ended
        hedged = True


def _join(job: Job, line: Line, running: dict[int, Turn], *, live: bool) -> Generator[Command, Event | None, None]:
    if not line.others or job.hedge is None or not job.hedge.spend():
        return
    turn = line.next()
    if turn is None:
        return
    limit = job.limit(others=False)
    call = next(job.numbers)
    running[call] = turn
    yield Start(call, turn.model.ref, live=live, role="hedge", timeout_s=limit - job.clock.monotonic())


def _cancel_others(running: dict[int, Turn], winner: int | None, ended: list[tuple[Turn, Done]]) -> Generator[Command, Event | None, None]:
    for call in [call for call in running if call != winner]:
        turn = running.pop(call)
        done = yield Cancel(call)
        assert isinstance(done, Done)
        ended.append((turn, done))


def _give_up(running: dict[int, Turn], ended: list[tuple[Turn, Done]]) -> Generator[Command, Event | None, None]:
    for call in list(running):
        turn = running.pop(call)
        done = yield Cancel(call, ErrorKind.TIMEOUT)
        assert isinstance(done, Done)
        ended.append((turn, done))
