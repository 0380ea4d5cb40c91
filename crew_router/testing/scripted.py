"""A model that answers from a script."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from crew_router.errors import InvalidRequestError
from crew_router.testing.clock import FrozenClock
from crew_router.testing.script import Asked, ScriptedFault, ScriptedReply, Step, faulty, pieces_of, timed
from crew_router.types.model import Latency, ModelDefinition, Price
from crew_router.types.outcome import Usage
from crew_router.types.prompt import prompt_text
from crew_router.types.vocabulary import ErrorKind, ModelCapability, ModelRef

AnyReply: TypeAlias = str | ScriptedReply
Fault: TypeAlias = ScriptedFault | Exception
AnyFault: TypeAlias = str | Fault
_KINDS = tuple(ErrorKind)
_ALL = frozenset({ModelCapability.TOOLS, ModelCapability.JSON, ModelCapability.STREAMING})


class ScriptedModel:
    """Answers from a script, with planned faults; a fake for tests, examples and dry runs.

    Args:
        replies: One answer for all calls, a list that is repeated, or a function of the prompt.
        usage: (input, output) tokens of every call, or a :class:`Usage`; ``None`` for a model that reports none.
        price: (input, output) in USD per million tokens, or a :class:`Price`; ``None`` for an unknown price.
        latency_s: Seconds of a whole call.
        faults: One fault for all calls, or a list by call number with ``None`` for a good call. A fault is a kind
            (``"rate_limit"``), a :class:`ScriptedFault`, or any exception to raise. ``"kind@2"`` comes after two pieces.
        clock: Advanced by the latency of each call; without it calls take real time.
        quality: Quality 0..1 for the registry.
        context_window: Tokens.
        prefill: Whether the model continues from the beginning of an answer.
        capabilities: What the model can do.

    Raises:
        InvalidRequestError: A fault is of an unknown kind.

    Example:
        >>> ScriptedModel("Hello.", faults=["rate_limit", None]).calls
        0
    """

    def __init__(
        self,
        replies: AnyReply | Sequence[AnyReply] | Callable[[str], AnyReply] = "ok",
        *,
        usage: tuple[int, int] | Usage | None = (10, 5),
        price: tuple[float, float] | Price | None = (1.0, 2.0),
        latency_s: float = 0.0,
        faults: AnyFault | Sequence[AnyFault | None] = (),
        clock: FrozenClock | None = None,
        quality: float | None = 0.8,
        context_window: int | None = 128_000,
        prefill: bool = False,
        capabilities: frozenset[ModelCapability] = _ALL,
    ) -> None:
        self._replies = replies
        self._usage = Usage(*usage) if isinstance(usage, tuple) else usage
        self._price = Price(*price) if isinstance(price, tuple) else price
        self._latency_s, self._clock = latency_s, clock
        self._always: Fault | None = None
        self._faults: tuple[Fault | None, ...] = ()
        if isinstance(faults, (str, ScriptedFault, Exception)):
            self._always = _read_fault(faults)
        else:
            self._faults = tuple(map(_read_fault, faults))
        self._quality, self._context_window, self._prefill, self._capabilities = quality, context_window, prefill, capabilities
        self._lock = threading.Lock()
        self.asked: list[Asked] = []

    @property
    def calls(self) -> int:
        """Number of calls so far."""
        return len(self.asked)

    @property
    def usage_bound(self) -> Usage | None:
        """Highest usage of one call, for budgets."""
        return self._usage

    def describe(self, ref: ModelRef) -> ModelDefinition:
        """Return the registry entry of this model; the output bound of a budget is its ``usage``."""
        return ModelDefinition(
            ref,
            provider=ref.provider, model=ref.name,
            price=self._price,
            quality=self._quality, context_window=self._context_window,
            max_output_tokens=self._usage.output_tokens if self._usage else None,
            capabilities=self._capabilities, latency=Latency(p95_s=self._latency_s or None),
            prefill=self._prefill, source="scripted", instance=self,
        )  # fmt: skip

    def steps(self, asked: Asked) -> Iterator[Step]:
        """Yield the steps of one call."""
        with self._lock:
            number = len(self.asked)
            self.asked.append(asked)
        reply, fault = self._reply(number, prompt_text(asked.payload)), self._fault(number)
        if asked.prefix and reply.text.startswith(asked.prefix):
            reply = ScriptedReply(
                reply.text[len(asked.prefix) :], tool_calls=reply.tool_calls, usage=reply.usage, finish_reason=reply.finish_reason
            )
        pieces = pieces_of(reply, self._usage if reply.usage is None else Usage(*reply.usage))
        if fault is None:
            return timed(pieces, self._latency_s)
        if isinstance(fault, Exception):
            return iter((Step(self._latency_s, error=fault),))
        return faulty(pieces, fault, latency_s=self._latency_s, timeout_s=asked.timeout_s)

    def pass_time(self, seconds: float) -> float:
        """Advance the model's clock and return 0; without a clock, return the seconds to sleep."""
        if self._clock is None:
            return seconds
        self._clock.advance(seconds)
        return 0.0

    def _reply(self, number: int, prompt: str) -> ScriptedReply:
        reply = self._replies
        if callable(reply):
            reply = reply(prompt)
        elif not isinstance(reply, (str, ScriptedReply)):
            reply = reply[number % len(reply)]
        return ScriptedReply(reply) if isinstance(reply, str) else reply

    def _fault(self, number: int) -> Fault | None:
        return self._faults[number] if number < len(self._faults) else self._always


def _read_fault(fault: AnyFault | None) -> Fault | None:
    if not isinstance(fault, str):
        return fault
    kind, _, after = fault.partition("@")
    if kind not in _KINDS or not (after or "0").isdecimal():
        raise InvalidRequestError("faults", fault, expected=f"a kind, or kind@pieces, of {', '.join(_KINDS)}")
    return ScriptedFault(ErrorKind(kind), after=int(after or 0))
