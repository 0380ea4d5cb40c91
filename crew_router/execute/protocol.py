"""What flows ask of an engine, what an engine tells them, and what a flow comes to.

A flow is a generator without I/O. It yields commands and is sent events; the engines in :mod:`crew_router.execute.engine`
and the simulator in :mod:`crew_router.testing.simulator` carry the commands out. All times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import KW_ONLY, dataclass
from typing import Literal, TypeAlias

from crew_router.errors import CrewRouterError, ModelCallError
from crew_router.types.transport import Payload, Piece, Reply
from crew_router.types.vocabulary import ErrorKind, ModelRef

Role: TypeAlias = Literal["answer", "draft", "vote", "judge", "hedge", "continue"]
RefusalReason: TypeAlias = Literal["breaker", "budget", "capacity", "sla", "context", "capability", "payload", "transport", "limit"]


@dataclass(frozen=True, slots=True)
class Start:
    """Call a model; its events come with the next :class:`Wait`.

    Args:
        call: Number of the call, unique in the request.
        model: Which model.
        live: Whether pieces are wanted; otherwise only the end is reported.
        prefix: Text that the answer must go on from.
        role: What the call is for; it stands in the record of the attempt.
        timeout_s: Most seconds the client may wait for the next byte.
        payload: What to send instead of the request itself (a judge's question, for example).
        force: Call even if a breaker is open, because nothing better is left.
        queue: Wait for capacity instead of being refused for the lack of it.
    """

    call: int
    model: ModelRef
    _: KW_ONLY
    live: bool = False
    prefix: str = ""
    role: Role = "answer"
    timeout_s: float | None = None
    payload: Payload | None = None
    force: bool = False
    queue: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask for the next event of any running call, or a :class:`Timer` at ``until``."""

    until: float | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """End a call; answered by its :class:`Done`. ``kind`` says whose fault it was: a timeout is the model's."""

    call: int
    kind: ErrorKind = ErrorKind.CANCELLED


@dataclass(frozen=True, slots=True)
class Emit:
    """Show a piece to the consumer; ``reset`` tells it to forget everything before."""

    call: int
    piece: Piece
    reset: bool = False


Command: TypeAlias = Start | Wait | Cancel | Emit


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call was not made.

    Args:
        model: The model that was not called.
        reason: What stood in the way.
        detail: One sentence for people.
        retry_at: When the call could be made, where that is known.
        error: What the caller gets when nothing but this stood in the way of every model.
    """

    model: ModelRef
    reason: RefusalReason
    detail: str
    retry_at: float | None = None
    error: CrewRouterError | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece arrived."""

    call: int
    piece: Piece
    at: float


@dataclass(frozen=True, slots=True)
class Done:
    """A call ended: with a sound reply, with an error, or refused before it was made.

    ``pieces`` are all pieces of a live call, those too that were not reported because it was cancelled as it ended; ``instead`` stand
    for its structured ones, where they had to be written anew.
    """

    call: int
    at: float
    _: KW_ONLY
    reply: Reply | None = None
    error: ModelCallError | None = None
    refusal: Refusal | None = None
    pieces: tuple[Piece, ...] = ()
    instead: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Timer:
    """The time a flow waited for has come."""

    at: float


Event: TypeAlias = Chunk | Done | Timer


@dataclass(frozen=True, slots=True)
class Answer:
    """A flow found an answer.

    Args:
        call: The call that answered.
        model: Its model.
        reply: The answer.
        confidence: Its probability of being right, where a flow estimates one.
        shown: The pieces that make the answer, when several calls gave them.
        said: What each call answered, equal for equal answers, when several models were asked.
    """

    call: int
    model: ModelRef
    reply: Reply
    confidence: float | None = None
    shown: tuple[Piece, ...] = ()
    said: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A flow found none.

    Args:
        errors: What each failed call came to, in order.
        refusals: Calls that were not made.
        fatal: The error that ended the request at once: a caller's mistake or a stream broken after it was shown.
        deadline: Whether the deadline ended it.
    """

    errors: tuple[ModelCallError, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    fatal: ModelCallError | None = None
    deadline: bool = False


Result: TypeAlias = Answer | Failure
Flow: TypeAlias = Generator[Command, Event | None, Result]
CallFlow: TypeAlias = Generator[Command, Event | None, Done]
