"""Scripts of calls as sequences of steps, which can be played in real time or by the simulator."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Protocol, runtime_checkable

from crew_router.types.outcome import ToolCall, Usage
from crew_router.types.transport import Payload, Piece
from crew_router.types.vocabulary import ErrorKind


@dataclass(frozen=True, slots=True)
class Step:
    """One step: after some seconds a piece arrives, or an error is raised."""

    after_s: float
    piece: Piece | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One call as a scripted model sees it."""

    payload: Payload
    _: KW_ONLY
    prefix: str = ""
    max_tokens: int | None = None
    timeout_s: float | None = None


@runtime_checkable
class Scripted(Protocol):
    """A scripted or recorded model: it gives the steps of a call, and decides how their time passes."""

    def steps(self, asked: Asked) -> Iterator[Step]:
        """Yield the steps of one call."""
        ...

    def pass_time(self, seconds: float) -> float:
        """Let time pass on the model's own clock, and return the seconds that have to be slept in real time."""
        ...


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """One answer of a script."""

    text: str = ""
    _: KW_ONLY
    tool_calls: tuple[ToolCall, ...] = ()
    usage: tuple[int, int] | None = None
    finish_reason: str | None = "stop"
    logprobs: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class ScriptedFault:
    """One fault of a script.

    Args:
        kind: The kind of error. ``empty`` and ``content_policy`` answer without any text, ``truncated`` ends without a
            finish reason, ``timeout`` sends nothing until the client's timeout; all others raise an error.
        after: Number of pieces that arrive before the fault.
        retry_after_s: Seconds that the provider asks to wait.
        status_code: HTTP status.
    """

    kind: ErrorKind
    _: KW_ONLY
    after: int = 0
    retry_after_s: float | None = None
    status_code: int | None = None


class ScriptedFaultError(Exception):
    """The error that a scripted model raises for a fault."""

    def __init__(self, fault: ScriptedFault) -> None:
        self.fault = fault
        super().__init__(f"scripted {fault.kind}")


@dataclass(frozen=True, slots=True)
class ToolPart:
    """A part of a tool call in a stream; stands in ``Piece.raw``."""

    index: int
    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class LogProbs:
    """Log-probabilities of the tokens of an answer; stands in ``Piece.raw`` of the last piece."""

    values: tuple[float, ...]


def pieces_of(reply: ScriptedReply, usage: Usage | None) -> list[Piece]:
    """Return the pieces of a stream: words, parts of tool calls, and a last piece with usage and finish reason."""
    pieces = [Piece(word) for word in _words(reply.text)]
    for index, call in enumerate(reply.tool_calls):
        half = len(call.arguments) // 2
        pieces += [
            Piece(structured=True, raw=ToolPart(index, call.id, call.name, call.arguments[:half])),
            Piece(structured=True, raw=ToolPart(index, "", "", call.arguments[half:])),
        ]
    return [
        *pieces,
        Piece(usage=usage, finish_reason=reply.finish_reason, raw=None if reply.logprobs is None else LogProbs(reply.logprobs)),
    ]


@functools.lru_cache(maxsize=1024)
def _words(text: str) -> tuple[str, ...]:
    """Split a text after its words; cached, because simulations play the same few texts millions of times."""
    return tuple(re.findall(r"\s*\S+\s*", text)) or ((text,) if text else ())


_WITHOUT_TEXT = frozenset({ErrorKind.EMPTY, ErrorKind.CONTENT_POLICY})


def timed(pieces: Sequence[Piece], latency_s: float) -> Iterator[Step]:
    """Yield pieces spread over a latency in seconds: half of it before the first piece, the rest between the others."""
    gap_s = latency_s / 2 / max(len(pieces) - 1, 1)
    for index, piece in enumerate(pieces):
        yield Step(gap_s if index else latency_s / (2 if len(pieces) > 1 else 1), piece)


def faulty(pieces: Sequence[Piece], fault: ScriptedFault, *, latency_s: float, timeout_s: float | None) -> Iterator[Step]:
    """Yield the steps of a script that ends with a fault."""
    last = pieces[-1]
    before = [] if fault.kind in _WITHOUT_TEXT else [*pieces[:-1]][: fault.after]
    yield from timed(before, latency_s) if before else ()
    wait_s = 0.0 if before else latency_s
    match fault.kind:
        case ErrorKind.EMPTY:
            yield Step(wait_s, Piece(usage=last.usage, finish_reason="stop"))
        case ErrorKind.CONTENT_POLICY:
            yield Step(wait_s, Piece(usage=last.usage, finish_reason="content_filter"))
        case ErrorKind.TRUNCATED:
            yield Step(wait_s, Piece())
        case ErrorKind.TIMEOUT:
            yield Step(3600.0 if timeout_s is None else timeout_s, error=ScriptedFaultError(fault))
        case _:
            yield Step(wait_s, error=ScriptedFaultError(fault))
