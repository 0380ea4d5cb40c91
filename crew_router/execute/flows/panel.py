"""Several calls at once: started together, gathered until enough is known, the rest cancelled."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from crew_router.errors import ModelCallError
from crew_router.execute.job import Job
from crew_router.execute.protocol import Cancel, Chunk, Command, Done, Emit, Event, Refusal, Start, Timer, Wait
from crew_router.types.model import ModelDefinition
from crew_router.types.transport import Piece, Reply
from crew_router.types.vocabulary import ErrorKind


@dataclass(frozen=True, slots=True)
class Said:
    """A sound answer of one member; ``pieces`` are its stream, when the request is live."""

    call: int
    model: ModelDefinition
    reply: Reply
    pieces: tuple[Piece, ...] = ()


@dataclass(slots=True)
class Gathered:
    """What the members gave, in the order in which it came."""

    said: list[Said] = field(default_factory=list[Said])
    errors: list[ModelCallError] = field(default_factory=list[ModelCallError])
    refusals: list[Refusal] = field(default_factory=list[Refusal])


Gathering: TypeAlias = Generator[Command, Event | None, Gathered]


def gather(
    job: Job, starts: Sequence[tuple[ModelDefinition, Start]], *, until: float, enough: Callable[[list[Said], int], bool]
) -> Gathering:
    """Run calls at once.

    Args:
        job: The request.
        starts: The calls with their models.
        until: When calls that still run are given up.
        enough: Whether the answers so far settle the matter, given how many calls still run; the rest is then cancelled.
    """
    running = {start.call: model for model, start in starts}
    found = Gathered()
    for _, start in starts:
        yield start
    while running:
        event = yield Wait(until)
        if isinstance(event, Chunk):
            continue
        if isinstance(event, Done):
            model = running.pop(event.call)
            _take(found, event, model)
            if event.reply is not None and enough(found.said, len(running)):
                yield from _end(running, found, kind=ErrorKind.CANCELLED)
        elif isinstance(event, Timer):
            yield from _end(running, found, kind=ErrorKind.CANCELLED if job.late else ErrorKind.TIMEOUT)
    return found


def show(said: Said) -> Generator[Command, Event | None, None]:
    """Show a whole answer to the consumer of a stream."""
    for piece in said.pieces:
        yield Emit(said.call, piece)


def _take(found: Gathered, done: Done, model: ModelDefinition) -> None:
    if done.reply is not None:
        found.said.append(Said(done.call, model, done.reply, done.pieces))
    elif done.error is not None:
        found.errors.append(done.error)
    elif done.refusal is not None:
        found.refusals.append(done.refusal)


def _end(running: dict[int, ModelDefinition], found: Gathered, *, kind: ErrorKind) -> Generator[Command, Event | None, None]:
    for call in list(running):
        model = running.pop(call)
        done = yield Cancel(call, kind)
        assert isinstance(done, Done)
        if done.error is None or done.error.kind is not ErrorKind.CANCELLED:
            _take(found, done, model)
