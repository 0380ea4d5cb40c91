"""Fitting one request to one LangChain chat model: messages, tools, structured output, parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, convert_to_messages
from langchain_core.runnables import RunnableBinding, RunnableParallel, RunnableSequence

from crew_router.errors import ModelCallError
from crew_router.types.vocabulary import ErrorKind, ModelRef

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from crew_router.types.transport import Payload

# Package of the chat model's class → the name that the package writes into ``response_metadata["model_provider"]``.
_FAMILIES: Final = {
    "langchain_anthropic": "anthropic",
    "langchain_aws": "bedrock_converse",
    "langchain_cohere": "cohere",
    "langchain_deepseek": "deepseek",
    "langchain_google_genai": "google_genai",
    "langchain_mistralai": "mistralai",
    "langchain_ollama": "ollama",
    "langchain_openrouter": "openrouter",
    "langchain_xai": "xai",
    "langchain_openai": "openai",
}
# These put a finish reason on every stream, so a stream without one was cut off.
FINISHING_FAMILIES: Final = frozenset(_FAMILIES.values())
_KEEPS_CACHE_MARKERS: Final = frozenset({"anthropic", "bedrock_converse", "openrouter"})
_PASSES_RESPONSE_FORMAT: Final = frozenset({"openai", "anthropic", "mistralai", "xai", "deepseek", "openrouter", "cohere"})
_TIMEOUT_PER_CALL: Final = frozenset({"openai", "anthropic", "deepseek", "xai", "google_genai"})
_OPENAI_LIKE: Final = frozenset({"openai", "deepseek", "xai", "openrouter"})
_MAX_TOKENS_KEY: Final = {"google_genai": "max_output_tokens", "ollama": "num_predict"}
_MAX_TOKENS_SPELLINGS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")
# Sampling parameters that a provider's client does not take: it would raise, or the provider would refuse the request.
_NOT_TAKEN: Final = {
    "anthropic": frozenset({"seed", "frequency_penalty", "presence_penalty", "n"}),
    "bedrock_converse": frozenset({"seed", "frequency_penalty", "presence_penalty", "n"}),
    "mistralai": frozenset({"frequency_penalty", "presence_penalty", "n"}),
    "ollama": frozenset({"frequency_penalty", "presence_penalty", "n"}),
    "cohere": frozenset({"n"}),
}
_RENAMED: Final = {"mistralai": {"seed": "random_seed"}}
_TOOL_OPTIONS: Final = ("strict", "parallel_tool_calls")
_REASONING_BLOCKS: Final = frozenset({"thinking", "redacted_thinking", "reasoning", "reasoning_content", "non_standard"})
_TOOL_BLOCKS: Final = frozenset({"tool_use", "tool_call", "function_call", "tool_call_chunk", "invalid_tool_call"})


@dataclass(frozen=True, slots=True)
class Fitted:
    """A request as one chat model gets it.

    ``notes`` says in words what this model cannot carry and therefore did not get.
    """

    client: BaseChatModel
    messages: list[BaseMessage]
    stop: list[str] | None
    kwargs: dict[str, Any]
    structured: bool
    notes: tuple[str, ...]


def family(client: BaseChatModel) -> str:
    """Return the provider family of a chat model by the package of its class, or ``"other"``."""
    for base in type(client).__mro__:
        name = _FAMILIES.get(base.__module__.partition(".")[0])
        if name is not None:
            return name
    return "other"


def fitted(
    client: BaseChatModel,
    payload: Payload,
    *,
    ref: ModelRef,
    prefix: str = "",
    max_tokens: int | None = None,
    timeout_s: float | None = None,
) -> Fitted:
    """Fit a request to a chat model.

    Args:
        client: The chat model, its own retries off.
        payload: The request as the surface gave it.
        ref: The model, for errors.
        prefix: Text the answer goes on from.
        max_tokens: Upper bound of the answer in tokens, besides the caller's own.
        timeout_s: Seconds the call may take, besides the caller's own.

    Raises:
        ModelCallError: The model cannot take the tools or the response format.
    """
    kind, notes = family(client), list[str]()
    kwargs: dict[str, Any] = dict(payload.parameters)
    options: dict[str, Any] = {name: kwargs.pop(name) for name in _TOOL_OPTIONS if name in kwargs}
    _limit(kwargs, kind, max_tokens=max_tokens, timeout_s=timeout_s)
    _spell(kwargs, kind, ref=ref, notes=notes)
    if kind not in _OPENAI_LIKE:
        kwargs.pop("prompt_cache_key", None)
    if payload.tools:
        kwargs |= _bound(client, payload, ref=ref, options=options, notes=notes)
    if payload.response_format is not None:
        kwargs |= _formatted(client, payload.response_format, ref=ref, kind=kind)
    client, kwargs = _moved_into_fields(client, kwargs, kind)
    messages = for_provider(as_messages(payload.messages), kind)
    if prefix:
        messages.append(AIMessage(prefix, additional_kwargs={"prefix": True} if kind == "mistralai" else {}))
    stop = list(payload.stop) or None
    return Fitted(client, messages, stop, kwargs, structured=payload.response_format is not None, notes=tuple(notes))


def as_messages(given: Sequence[object]) -> list[BaseMessage]:
    """Read a user text, OpenAI-style dictionaries or LangChain messages."""
    messages: list[BaseMessage] = []
    for one in given:
        if isinstance(one, BaseMessage):
            messages.append(one)
        elif isinstance(one, str):
            messages.append(HumanMessage(one))
        else:
            messages.extend(convert_to_messages([one]))  # type: ignore[list-item]  # whatever it cannot read it names in its error
    return messages


def for_provider(messages: Sequence[BaseMessage], kind: str) -> list[BaseMessage]:
    """Return the messages without what only another provider understands: reasoning signatures and cache markers."""
    return [_unmarked(_native(message, kind), kind) for message in messages]


def _native(message: BaseMessage, kind: str) -> BaseMessage:
    """Rewrite an answer of another provider to what every provider reads: its text and its tool calls."""
    if not isinstance(message, AIMessage):
        return message
    author = message.response_metadata.get("model_provider")
    if author is None or author == kind:
        return message
    content: str | list[str | dict[str, Any]] = message.content
    if isinstance(content, list):
        kept = [block for block in content if not _foreign(block)]
        texts = [block if isinstance(block, str) else block.get("text") for block in kept]
        content = "".join(str(text) for text in texts) if all(isinstance(text, str) for text in texts) else kept
    return message.model_copy(update={"content": content, "additional_kwargs": {}, "id": None})


def _foreign(block: object) -> bool:
    return isinstance(block, dict) and block.get("type") in _REASONING_BLOCKS | _TOOL_BLOCKS


def _unmarked(message: BaseMessage, kind: str) -> BaseMessage:
    content = message.content
    if kind in _KEEPS_CACHE_MARKERS or not isinstance(content, list):
        return message
    if not any(isinstance(block, dict) and "cache_control" in block for block in content):
        return message
    return message.model_copy(update={"content": [_without_marker(block) if isinstance(block, dict) else block for block in content]})


def _without_marker(block: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in block.items() if key != "cache_control"}


def _limit(kwargs: dict[str, Any], kind: str, *, max_tokens: int | None, timeout_s: float | None) -> None:
    """Write the tightest bound of tokens and seconds under the provider's own name."""
    bounds = [kwargs.pop(name) for name in _MAX_TOKENS_SPELLINGS if kwargs.get(name) is not None] + [max_tokens]
    for name in _MAX_TOKENS_SPELLINGS:
        kwargs.pop(name, None)
    known = [bound for bound in bounds if bound is not None]
    if known:
        kwargs[_MAX_TOKENS_KEY.get(kind, "max_tokens")] = min(known)
    seconds = [value for value in (kwargs.pop("timeout", None), timeout_s) if value is not None]
    if seconds and kind in _TIMEOUT_PER_CALL:
        kwargs["timeout"] = min(seconds)


def _spell(kwargs: dict[str, Any], kind: str, *, ref: ModelRef, notes: list[str]) -> None:
    """Leave out sampling parameters that a provider does not take, with a note, and spell the others its way."""
    for name in sorted(_NOT_TAKEN.get(kind, frozenset()) & kwargs.keys()):
        del kwargs[name]
        notes.append(f"{ref} takes no {name}; it was left out")
    for name, theirs in _RENAMED.get(kind, {}).items():
        if name in kwargs:
            kwargs[theirs] = kwargs.pop(name)


def _bound(client: BaseChatModel, payload: Payload, *, ref: ModelRef, options: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """Let the provider's own ``bind_tools`` write the tools in its wire format."""
    kind, accepted = family(client), signature(client.bind_tools).parameters
    given = {name: value for name, value in options.items() if value is not None}
    wanted = {name: value for name, value in given.items() if name in accepted or _passes(name, kind)}
    notes.extend(f"{ref} takes no {name}; it was left out" for name in given if name not in wanted)
    if payload.tool_choice is not None:
        if kind == "ollama":
            notes.append(f"{ref}: Ollama ignores tool_choice, the model may answer in text")
        wanted["tool_choice"] = _choice(payload.tool_choice, kind)
    tools = [dict(tool) if kind in _KEEPS_CACHE_MARKERS else _without_marker(tool) for tool in payload.tools]
    try:
        bound = client.bind_tools(tools, **wanted)
    except NotImplementedError as missing:
        message = f"{type(client).__name__} cannot call tools"
        raise ModelCallError(ref, ErrorKind.UNKNOWN, message) from missing
    except (TypeError, ValueError, KeyError) as refused:
        raise ModelCallError(ref, ErrorKind.UNKNOWN, f"the tools do not fit this model: {refused}") from refused
    return dict(bound.kwargs) if isinstance(bound, RunnableBinding) else {}


def _passes(name: str, kind: str) -> bool:
    return name == "parallel_tool_calls" and kind == "mistralai"


def _choice(choice: object, kind: str) -> object:
    """Spell a tool choice so that every provider's ``bind_tools`` reads it: a word or the name of a tool."""
    if isinstance(choice, Mapping):
        function = choice.get("function")
        named = function.get("name") if isinstance(function, Mapping) else choice.get("name")
        choice = named if named is not None else choice.get("type", dict(choice))
    if choice is True or choice == "required":
        choice = "any"
    if kind == "cohere":
        return "NONE" if choice == "none" else "REQUIRED"
    return choice


def _formatted(client: BaseChatModel, wanted: Mapping[str, object], *, ref: ModelRef, kind: str) -> dict[str, Any]:
    if kind == "anthropic" and wanted.get("type") == "json_object":
        raise ModelCallError(ref, ErrorKind.UNKNOWN, "Anthropic has no JSON mode without a schema; use method='json_schema'")
    if kind in _PASSES_RESPONSE_FORMAT:
        return {"response_format": dict(wanted)}
    schema, method = _schema(wanted)
    try:
        chain = client.with_structured_output(schema, method=method, include_raw=True)
    except (NotImplementedError, ValueError, TypeError) as missing:
        raise ModelCallError(ref, ErrorKind.UNKNOWN, f"{type(client).__name__} has no {method} output") from missing
    return _kwargs_of(chain)


def _schema(wanted: Mapping[str, object]) -> tuple[dict[str, Any], str]:
    inner = wanted.get("json_schema")
    if not isinstance(inner, Mapping):
        return {"title": "answer", "type": "object"}, "json_mode"
    body = inner.get("schema")
    schema = dict(body) if isinstance(body, Mapping) else {}
    schema.setdefault("title", inner.get("name", "answer"))
    schema.setdefault("description", inner.get("description", "The answer."))
    return schema, "json_schema"


def _kwargs_of(chain: object) -> dict[str, Any]:
    """Read the call arguments out of the chain that ``with_structured_output(include_raw=True)`` makes."""
    first = chain.first if isinstance(chain, RunnableSequence) else chain
    raw = first.steps__.get("raw") if isinstance(first, RunnableParallel) else None
    kwargs = dict(raw.kwargs) if isinstance(raw, RunnableBinding) else {}
    kwargs.pop("ls_structured_output_format", None)
    return kwargs


def _moved_into_fields(client: BaseChatModel, kwargs: dict[str, Any], kind: str) -> tuple[BaseChatModel, dict[str, Any]]:
    """Set Ollama's options on a copy: given in a call, one of them replaces all that were set on the model."""
    fields = {key: value for key, value in kwargs.items() if kind == "ollama" and key in type(client).model_fields}
    if not fields:
        return client, kwargs
    return client.model_copy(update=fields), {key: value for key, value in kwargs.items() if key not in fields}
