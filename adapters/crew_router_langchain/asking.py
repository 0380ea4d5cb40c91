"""What a LangChain call asks of the router: a payload and a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from crew_router.errors import InvalidRequestError
from crew_router.types.keywords import refuse_routing_keys
from crew_router.types.request import RoutingRequest
from crew_router.types.transport import Payload

if TYPE_CHECKING:
    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.messages import BaseMessage

AUTO: Final = "auto"
# Who names a model wants its answer, not that of a cascade or a vote that it takes part in.
_PINNED: Final[dict[str, object]] = {"parallel": False}
_LANGCHAINS_OWN: Final = ("ls_", "lc_")
_PROVIDERS_TOO: Final = ("metadata",)  # an argument of OpenAI's calls by the same name
_TRACING_ONLY: Final = ("ls_structured_output_format", "structured_output_format", "stream", "streaming")


@dataclass(frozen=True, slots=True)
class Run:
    """What is known of the run that a call belongs to: its tags and its metadata without LangChain's own."""

    tags: frozenset[str] = frozenset()
    metadata: Mapping[str, object] | None = None

    @classmethod
    def of(cls, manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None) -> Run:
        """Read a run manager."""
        return NO_RUN if manager is None else cls.read(manager.tags, manager.metadata)

    @classmethod
    def read(cls, tags: Sequence[str] | None, metadata: Mapping[str, object] | None) -> Run:
        """Read the tags and metadata of a configuration."""
        told = {key: value for key, value in (metadata or {}).items() if not key.startswith(_LANGCHAINS_OWN)}
        return cls(frozenset(tags or ()), told or None) if tags or told else NO_RUN


NO_RUN: Final = Run()


@dataclass(frozen=True, slots=True)
class Standing:
    """What a chat model asks in every call.

    ``routing`` are the keys of :class:`RoutingRequest`, ``parameters`` what every model is sent.
    """

    request: RoutingRequest
    routing: Mapping[str, object]
    parameters: Mapping[str, object]
    stop: tuple[str, ...]
    timeout_s: float | None
    max_retries: int | None


@dataclass(frozen=True, slots=True)
class Question:
    """One call as the router takes it.

    ``attempts`` bounds the calls of the whole request; ``approved_by`` names who agreed to what a policy asks a person about.
    """

    payload: Payload
    request: RoutingRequest
    attempts: int | None
    approved_by: str = ""


def standing(
    *, model: str, routing: Mapping[str, object], parameters: Mapping[str, object], stop: Sequence[str] | None, timeout: float | None,
    max_retries: int | None,
) -> Standing:  # fmt: skip
    """Return what a chat model asks in every call.

    Raises:
        InvalidRequestError: A key of ``routing`` is unknown or has a value that means nothing.
    """
    keys = dict(routing)
    if model != AUTO:
        keys = _PINNED | {"force_model": model} | keys
    if timeout is not None:
        keys.setdefault("deadline_s", timeout)
    return Standing(
        RoutingRequest.from_mapping(keys), keys, {key: value for key, value in parameters.items() if value is not None},
        tuple(stop or ()), timeout, max_retries,
    )  # fmt: skip


def question(
    always: Standing, messages: Sequence[BaseMessage], *, stop: Sequence[str] | None, kwargs: Mapping[str, Any], run: Run
) -> Question:
    """Return what one call asks.

    Args:
        always: What the chat model asks in every call.
        messages: The chat.
        stop: Stop words of this call, instead of the chat model's own.
        kwargs: The arguments of the call: ``tools``, ``model``, ``routing``, ``temperature``, …
        run: Tags and metadata that policies may read.

    Raises:
        InvalidRequestError: There is nothing to send, or a key of ``routing`` is unknown, has a value that means
            nothing, or stands outside of ``routing``.
    """
    if not any(message.content or getattr(message, "tool_calls", None) for message in messages):
        raise InvalidRequestError("messages", "" if messages else [], expected="a text or at least one message")
    refuse_routing_keys(kwargs, but=_PROVIDERS_TOO)
    given = {key: value for key, value in kwargs.items() if key not in _TRACING_ONLY}
    routing, model = given.pop("routing", None), given.pop("model", None)
    timeout, retries = given.pop("timeout", None), given.pop("max_retries", always.max_retries)
    response_format, approved_by = given.pop("response_format", None), str(given.pop("approved_by", None) or "")
    payload = Payload(
        tuple(messages),
        tools=tuple(given.pop("tools", None) or ()),
        tool_choice=given.pop("tool_choice", None),
        stop=tuple(stop) if stop else always.stop,
        response_format=response_format,
        parameters={**always.parameters, **given},
    )
    request = _with_run(_request(always, routing=routing, model=model, timeout=timeout), run)
    return Question(payload, request, None if retries is None else retries + 1, approved_by)


def _request(always: Standing, *, routing: Mapping[str, object] | None, model: str | None, timeout: float | None) -> RoutingRequest:
    if not routing and model is None and timeout is None:
        return always.request
    if routing is not None and not isinstance(routing, Mapping):
        raise InvalidRequestError("routing", routing, expected="a mapping of the keys of RoutingRequest")
    keys = {**always.routing, **(routing or {})}
    if model is not None:
        keys |= {"force_model": None, "parallel": None} if model == AUTO else _PINNED | {"force_model": model}
    if timeout is not None:
        keys["deadline_s"] = timeout
    return RoutingRequest.from_mapping(keys)


def _with_run(request: RoutingRequest, run: Run) -> RoutingRequest:
    """Add the tags and metadata of the run; a LangGraph thread is a session unless one is named."""
    if run is NO_RUN:
        return request
    metadata = {**(run.metadata or {}), **request.metadata}
    session = request.session_id or metadata.get("session_id") or metadata.get("thread_id")
    return replace(request, tags=request.tags | run.tags, metadata=metadata, session_id=None if session is None else str(session))
