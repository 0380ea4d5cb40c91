"""What a caller gets back."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from crew_router.types.decision import RoutingDecision
from crew_router.types.outcome import Attempt, ToolCall, Usage
from crew_router.types.vocabulary import ModelRef


@dataclass(frozen=True, slots=True)
class RoutedResponse:
    """The answer to one request.

    ``message`` is the answer in the surface's own type (an ``AIMessage`` for LangChain models), ``cost_usd`` the price of
    all attempts together, ``None`` when one of them is unknown; ``usage`` is that of the answering call. ``decision`` carries the
    trade-off of a parallel run or cascade.
    """

    text: str
    message: object
    _: KW_ONLY
    model: ModelRef
    attempts: tuple[Attempt, ...]
    decision: RoutingDecision
    cost_usd: float | None
    usage: Usage | None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class RoutedChunk:
    """One piece of a streamed answer; the last one carries the whole response.

    ``reset`` is true on the piece that tells a consumer to forget what it got (stream policy ``restart``).
    """

    text: str = ""
    _: KW_ONLY
    model: ModelRef | None = None
    reset: bool = False
    message: object = None
    response: RoutedResponse | None = None
