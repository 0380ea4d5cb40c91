"""The transport of scripted and recorded models."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import cast

from crew_router.errors import ConfigurationError
from crew_router.testing.script import Asked, LogProbs, Scripted, ScriptedFault, ScriptedFaultError, Step, ToolPart
from crew_router.types.model import ModelDefinition
from crew_router.types.outcome import ToolCall
from crew_router.types.prompt import whole_text
from crew_router.types.transport import Fault, Payload, Piece, Reply
from crew_router.types.vocabulary import ErrorKind

_CHARS_PER_TOKEN = 4


class TestingTransport:
    """Plays the scripts of :class:`ScriptedModel` and :class:`RecordedModel`, in real time or on their clock."""

    __test__ = False

    def fit(
        self,
        payload: Payload,
        model: ModelDefinition,
        *,
        prefix: str = "",
        max_tokens: int | None = None,
        timeout_s: float | None = None,
    ) -> ScriptedCall:
        """Return a call that has not started."""
        if not hasattr(model.instance, "steps"):
            raise ConfigurationError("models", model.ref, "it has no script", cure="give a ScriptedModel or a RecordedModel.")
        asked = Asked(payload, prefix=prefix, max_tokens=max_tokens, timeout_s=timeout_s)
        return ScriptedCall(cast("Scripted", model.instance), asked)

    def join(self, pieces: tuple[Piece, ...]) -> Reply:
        """Return the whole answer of a stream."""
        text = "".join(piece.text for piece in pieces)
        calls = _tool_calls(pieces)
        last = next((piece for piece in reversed(pieces) if piece.finish_reason is not None), Piece())
        usage = next((piece.usage for piece in reversed(pieces) if piece.usage is not None), None)
        cost_usd = next((piece.cost_usd for piece in reversed(pieces) if piece.cost_usd is not None), None)
        logprobs = last.raw.values if isinstance(last.raw, LogProbs) else None
        return Reply(
            text,
            tool_calls=calls, usage=usage, cost_usd=cost_usd, finish_reason=last.finish_reason,
            raw={"role": "assistant", "content": text}, logprobs=logprobs,
        )  # fmt: skip

    def classify(self, error: BaseException) -> Fault:
        """Return the fault that a scripted error stands for."""
        if isinstance(error, ScriptedFaultError):
            fault = error.fault
            return Fault(fault.kind, str(error), fault.retry_after_s, fault.status_code)
        return Fault(ErrorKind.UNKNOWN, repr(error))

    def count(self, payload: Payload) -> int:
        """Return characters / 4."""
        return len(whole_text(payload)) // _CHARS_PER_TOKEN


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """One call that plays a script."""

    model: Scripted
    asked: Asked

    def steps(self) -> Iterator[Step]:
        """Yield the steps of the script; the simulator plays them in virtual time."""
        return self.model.steps(self.asked)

    @staticmethod
    def reply_of(pieces: tuple[Piece, ...]) -> Reply:
        """Return the answer that pieces add up to; without a finish reason it counts as a response cut in half.

        Raises:
            ScriptedFaultError: The script ended without a finish reason.
        """
        if not pieces or pieces[-1].finish_reason is None:
            raise ScriptedFaultError(ScriptedFault(ErrorKind.TRUNCATED))
        return TestingTransport().join(pieces)

    def complete(self) -> Reply:
        """Play the script and return the whole answer."""
        return self.reply_of(tuple(self._played(self._in_time(limit_total=True))))

    async def acomplete(self) -> Reply:
        """Play the script and return the whole answer."""
        return self.reply_of(tuple([piece async for piece in self._aplayed(self._in_time(limit_total=True))]))

    def stream(self) -> Iterator[Piece]:
        """Play the script."""
        return self._played(self._in_time())

    def astream(self) -> AsyncIterator[Piece]:
        """Play the script."""
        return self._aplayed(self._in_time())

    def _in_time(self, *, limit_total: bool = False) -> Iterator[Step]:
        """Yield the steps until the client's timeout, which limits a whole answer, or the gap between two pieces of a stream."""
        left_s = limit_s = math.inf if self.asked.timeout_s is None else self.asked.timeout_s
        for step in self.steps():
            if step.after_s > left_s:
                yield Step(left_s, error=ScriptedFaultError(ScriptedFault(ErrorKind.TIMEOUT)))
            yield step
            left_s = left_s - step.after_s if limit_total else limit_s

    def _played(self, steps: Iterator[Step]) -> Iterator[Piece]:
        for step in steps:
            if seconds := self.model.pass_time(step.after_s):
                time.sleep(seconds)
            yield _piece(step)

    async def _aplayed(self, steps: Iterator[Step]) -> AsyncIterator[Piece]:
        for step in steps:
            if seconds := self.model.pass_time(step.after_s):
                await asyncio.sleep(seconds)
            yield _piece(step)


def _piece(step: Step) -> Piece:
    if step.error is not None:
        raise step.error
    return step.piece or Piece()


def _tool_calls(pieces: tuple[Piece, ...]) -> tuple[ToolCall, ...]:
    parts: dict[int, list[ToolPart]] = {}
    for piece in pieces:
        if isinstance(piece.raw, ToolPart):
            parts.setdefault(piece.raw.index, []).append(piece.raw)
    return tuple(
        ToolCall(call_parts[0].id, call_parts[0].name, "".join(part.arguments for part in call_parts))
        for _, call_parts in sorted(parts.items())
    )
