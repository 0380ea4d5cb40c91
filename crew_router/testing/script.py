"""What a scripted call does, step by step, so that real time and the simulator can play the same script."""

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
    """After some seconds a piece arrives or an error is raised."""

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
    """A model of this package: it gives the steps of a call, and passes time."""

    def steps(self, asked: Asked) -> Iterator[Step]:
        """Yield what happens in one call."""
        ...

    def pass_time(self, seconds: float) -> float:
        """Let time pass on the model's own clock and return the seconds that must be slept for real."""
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
        kind: What goes wrong. ``empty`` and ``content_policy`` answer without any text, ``truncated`` ends without a
            finish reason, ``timeout`` gives nothing more until the client's timeout; all others raise.
        after: Pieces that arrive before the fault; 0 is before the first.
        retry_after_s: Seconds the provider asks to wait.
        status_code: HTTP status.
    """

    kind: ErrorKind
    _: KW_ONLY
    after: int = 0
    retry_after_s: float | None = None
    status_code: int | None = None


class ScriptedFaultError(Exception):
    """What a scripted model raises; carries the fault."""

    def __init__(self, fault: ScriptedFault) -> None:
        self.fault = fault
        super().__init__(f"scripted {fault.kind}")


@dataclass(frozen=True, slots=True)
class ToolPart:
    """A part of a tool call in a stream, the raw content of its piece."""

    index: int
    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class LogProbs:
    """Log-probabilities of the tokens of an answer, the raw content of its last piece."""

    values: tuple[float, ...]


def pieces_of(reply: ScriptedReply, usage: Usage | None) -> list[Piece]:
    """Return a reply as a stream: words, parts of tool calls, and a last piece with the finish reason."""
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
    """Split a text after its words; simulations play the same few texts millions of times."""
    return tuple(re.findall(r"\s*\S+\s*", text)) or ((text,) if text else ())


_WITHOUT_TEXT = frozenset({ErrorKind.EMPTY, ErrorKind.CONTENT_POLICY})


def timed(pieces: Sequence[Piece], latency_s: float) -> Iterator[Step]:
    """Spread pieces over a latency: half of it passes before the first, the rest between the others."""
    gap_s = latency_s / 2 / max(len(pieces) - 1, 1)
    for at, piece in enumerate(pieces):
        yield Step(gap_s if at else latency_s / (2 if len(pieces) > 1 else 1), piece)


def faulty(pieces: Sequence[Piece], fault: ScriptedFault, *, latency_s: float, timeout_s: float | None) -> Iterator[Step]:
    """Play a script that a fault ends."""
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
