"""The seam between the core and whatever speaks to models.

What is sent is opaque to the core. A transport fits a payload to one model, opens a call, classifies what its client
library raises, and counts tokens. Transports are found by entry point (``crew_router.transports``) for registry entries,
and for instances given in code by the module names in their ``__mro__``, so that nothing heavy is imported to look.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Protocol

from crew_router.types.outcome import ToolCall, Usage
from crew_router.types.vocabulary import ErrorKind

if TYPE_CHECKING:
    from crew_router.types.model import ModelDefinition


@dataclass(frozen=True, slots=True)
class Payload:
    """One request as the surface gave it.

    ``messages`` are the surface's own (LangChain messages, OpenAI dictionaries) or one user text; ``tools`` are
    provider-neutral OpenAI-style function dictionaries; ``response_format`` an OpenAI-style one; ``parameters`` what the
    caller set (``temperature``, ``max_tokens``, …), resolved for each model by :meth:`Transport.fit`.
    """

    messages: tuple[object, ...]
    _: KW_ONLY
    tools: tuple[Mapping[str, object], ...] = ()
    tool_choice: object = None
    stop: tuple[str, ...] = ()
    response_format: Mapping[str, object] | None = None
    parameters: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a streamed answer.

    ``raw`` is the client's own chunk. ``structured`` marks pieces of tool calls or structured output, which are held
    until they are whole (rule 10). ``raw`` is ``None`` on a piece that was cut to fit a continuation.
    ``cost_usd`` is the price as the provider (or a recording) states it; it counts where there is no usage to price.
    ``retry_after_s`` is as in :class:`Reply`.
    """

    text: str = ""
    _: KW_ONLY
    structured: bool = False
    usage: Usage | None = None
    cost_usd: float | None = None
    finish_reason: str | None = None
    raw: object = None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; ``raw`` is the client's own message, ``cost_usd`` as in :class:`Piece`.

    ``retry_after_s`` are the seconds until which the provider takes no more calls, where the answer says that a window is used up.
    """

    text: str
    _: KW_ONLY
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    cost_usd: float | None = None
    finish_reason: str | None = None
    raw: object = None
    logprobs: tuple[float, ...] | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What a client library's exception means."""

    kind: ErrorKind
    message: str = ""
    retry_after_s: float | None = None
    status_code: int | None = None


class Call(Protocol):
    """One opened call. Exactly one of the four methods is used, once."""

    def complete(self) -> Reply:
        """Return the whole answer, blocking."""
        ...

    async def acomplete(self) -> Reply:
        """Return the whole answer."""
        ...

    def stream(self) -> Iterator[Piece]:
        """Yield the answer piece by piece, blocking."""
        ...

    def astream(self) -> AsyncIterator[Piece]:
        """Yield the answer piece by piece."""
        ...


class Transport(Protocol):
    """Speaks to models of one kind of client.

    One whose answers have a type of their own may have a method ``mended(reply, text=…)``, which writes a reply whose text or calls were
    read into into that type again, and returns it with the piece that stands for it in a stream.

    One whose first call of a model takes long to prepare may have a method ``warm(model)``, which builds what such calls need
    before their time runs.
    """

    def fit(
        self,
        payload: Payload,
        model: ModelDefinition,
        *,
        prefix: str = "",
        max_tokens: int | None = None,
        timeout_s: float | None = None,
    ) -> Call:
        """Fit the payload to a model and return a call that has not started.

        Args:
            payload: The request as the surface gave it.
            model: The model to call.
            prefix: Text that the answer must go on from, for models with ``prefill``.
            max_tokens: Upper bound of the answer, set when a hard budget needs one.
            timeout_s: Seconds the call may take.

        Raises:
            ModelCallError: The payload cannot be sent to this model at all.
        """
        ...

    def join(self, pieces: tuple[Piece, ...]) -> Reply:
        """Put the pieces of one stream together as the client library would."""
        ...

    def classify(self, error: BaseException) -> Fault:
        """Tell what an exception of the client library means; never raises."""
        ...

    def count(self, payload: Payload) -> int:
        """Return an estimate of the input tokens."""
        ...
