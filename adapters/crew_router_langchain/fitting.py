"""Fitting one request to one LangChain chat model: messages, tools, structured output, parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, convert_to_messages
from langchain_core.runnables import RunnableBinding, RunnableParallel, RunnableSequence
from langchain_core.utils.function_calling import convert_to_openai_function

from crew_router.errors import ModelCallError
from crew_router.execute.validation import demands_a_tool
from crew_router.types.vocabulary import ErrorKind, ModelRef
from crew_router_langchain.histories import Target, UnsendableError, crossed
from crew_router_langchain.parameter_rules import OPENAI_REASONING
from crew_router_langchain.parameters import (
    base_url,
    for_a_forced_tool,
    model_name,
    refused_by_rule,
    taken,
    thinking_after,
    thinks,
    without_fields,
)
from crew_router_langchain.refusals import NOTHING_LEARNED, Learned

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
    "langchain_groq": "groq",
    "langchain_mistralai": "mistralai",
    "langchain_ollama": "ollama",
    "langchain_openrouter": "openrouter",
    "langchain_xai": "xai",
    "langchain_openai": "openai",
}
# These put a finish reason on every stream, so a stream without one was cut off.
FINISHING_FAMILIES: Final = frozenset(_FAMILIES.values())
_KEEPS_CACHE_MARKERS: Final = frozenset({"anthropic", "bedrock_converse", "openrouter"})
_PASSES_RESPONSE_FORMAT: Final = frozenset({"openai", "anthropic", "mistralai", "xai", "deepseek", "openrouter", "cohere", "groq"})
_CHECKS_STRICTNESS: Final = frozenset({"openai", "deepseek", "xai"})
_TIMEOUT_PER_CALL: Final = frozenset({"openai", "anthropic", "deepseek", "xai", "google_genai"})
_MAX_TOKENS_KEY: Final = {"google_genai": "max_output_tokens", "ollama": "num_predict"}
_MAX_TOKENS_SPELLINGS: Final = (
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "num_predict",
    "max_new_tokens",
    "max_tokens_to_sample",
)
_MAX_TOKENS_FIELDS: Final = ("max_tokens", "max_output_tokens", "num_predict")
_TIMEOUT_FIELDS: Final = ("request_timeout", "default_request_timeout", "timeout", "timeout_seconds")
_TOOL_OPTIONS: Final = ("strict", "parallel_tool_calls")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A request as one chat model gets it.

    ``notes`` says in words what this model cannot carry and therefore did not get. ``cut_at`` are the caller's stop words: the answer
    ends before the first of them, whether the wire carries them or not.
    """

    client: BaseChatModel
    messages: list[BaseMessage]
    stop: list[str] | None
    kwargs: dict[str, Any]
    structured: bool
    notes: tuple[str, ...]
    cut_at: tuple[str, ...] = ()


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
    learned: Learned = NOTHING_LEARNED,
    account: str = "",
    sees: bool | None = None,
) -> Fitted:
    """Fit a request to a chat model.

    Args:
        client: The chat model, its own retries off.
        payload: The request as the surface gave it.
        ref: The model, for errors.
        prefix: Text the answer goes on from.
        max_tokens: Upper bound of the answer in tokens, besides the caller's own.
        timeout_s: Seconds the call may take, besides the caller's own.
        learned: What the model was seen to refuse.
        account: Name of the model's credential: sealed reasoning goes back to the account that gave it, and to no other.
        sees: Whether the model takes pictures; ``None`` when nobody knows.

    Raises:
        ModelCallError: The model cannot take the tools or the response format.
    """
    kind, notes = family(client), list[str]()
    given: dict[str, Any] = dict(payload.parameters)
    options: dict[str, Any] = {name: given.pop(name) for name in _TOOL_OPTIONS if name in given}
    bounds = _bounds(given, client, max_tokens=max_tokens, learned=learned)
    timeouts = [given.pop("timeout", None), timeout_s]
    kwargs = taken(given, client, kind, refused=learned.refused, notes=notes)
    options = {name: value for name, value in options.items() if name not in learned.refused}
    forced = bool(payload.tools) and demands_a_tool(payload.tool_choice)
    if forced:
        client, takes_it = for_a_forced_tool(client, kind, kwargs, notes=notes)
        payload = payload if takes_it else replace(payload, tool_choice=None)
    effort = _effort(client, kwargs) if ref.effort is None else ref.effort
    thinking = thinks(client, kind, kwargs) if ref.effort is None else ref.effort != "none"
    by_rule = refused_by_rule(client, kind, effort=effort, thinking=thinking, sent=kwargs)
    notes.extend(f"{model_name(client)} refuses {name}; it was left out" for name in by_rule if name in kwargs)
    kwargs = {name: value for name, value in kwargs.items() if name not in by_rule}
    client = without_fields(client, by_rule | learned.refused, notes)
    if payload.tools:
        kwargs |= _bound(client, payload, ref=ref, options=options, notes=notes)
    if payload.response_format is not None:
        kwargs |= _formatted(
            client, payload.response_format, ref=ref, kind=kind, responses=speaks_responses(client, kwargs), extra=kwargs.get("extra_body")
        )
    _limit(kwargs, client, kind, bounds=bounds, timeouts=timeouts)
    client, kwargs = _moved_into_fields(client, kwargs, kind)
    # Reasoning effort is to be applied here, last: what ``bind_tools`` and structured output return would lose it.
    responses = speaks_responses(client, kwargs)
    target = Target("openai_responses" if responses and kind == "openai" else kind, account=account, sees=sees)
    try:
        messages = crossed(as_messages(payload.messages), target, notes)
    except UnsendableError as unsendable:
        raise ModelCallError(ref, ErrorKind.REFUSED, str(unsendable)) from unsendable
    client, kwargs = thinking_after(messages, client, kind, kwargs, notes=notes)
    if prefix:
        messages.append(AIMessage(prefix, additional_kwargs={"prefix": True} if kind == "mistralai" else {}))
    carried = not responses and "stop" not in by_rule | learned.refused
    sent_stop = list(payload.stop) or None if carried else None
    return Fitted(
        client, messages, sent_stop, kwargs, structured=payload.response_format is not None, notes=tuple(notes),
        cut_at=() if payload.response_format is not None else tuple(payload.stop),
    )  # fmt: skip


def speaks_responses(client: BaseChatModel, kwargs: Mapping[str, Any]) -> bool:
    """Tell whether a client of OpenAI's sends a call to the Responses API."""
    decide = getattr(client, "_use_responses_api", None)
    return bool(decide is not None and decide({**getattr(client, "model_kwargs", {}), **kwargs}))


def _effort(client: BaseChatModel, kwargs: Mapping[str, Any]) -> object:
    reasoning = kwargs.get("reasoning") or getattr(client, "reasoning", None)
    told = reasoning.get("effort") if isinstance(reasoning, Mapping) else None
    return kwargs.get("reasoning_effort") or told or getattr(client, "reasoning_effort", None)


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


def _without_marker(block: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in block.items() if key != "cache_control"}


def _bounds(given: dict[str, Any], client: BaseChatModel, *, max_tokens: int | None, learned: Learned) -> list[int]:
    """Take every bound of the answer off the parameters, under whichever name it was given."""
    told = [
        bound
        for bound in (given.pop(name, None) for name in _MAX_TOKENS_SPELLINGS)
        if isinstance(bound, int) and not isinstance(bound, bool)
    ]
    limits = [bound for bound in (max_tokens, learned.max_tokens) if bound is not None]
    own = next((value for value in (getattr(client, name, None) for name in _MAX_TOKENS_FIELDS) if isinstance(value, int)), None)
    # What a call asks for stands instead of what its client was made with; a limit never does.
    return told + limits if told or own is None or not limits else [own, *limits]


def _limit(kwargs: dict[str, Any], client: BaseChatModel, kind: str, *, bounds: Sequence[int], timeouts: Sequence[float | None]) -> None:
    """Write the tightest bound of tokens and seconds under the provider's own name."""
    if kind in _TIMEOUT_PER_CALL:
        seconds = [value for value in (*timeouts, own_timeout_s(client)) if value is not None]
        if seconds:
            kwargs["timeout"] = min(seconds)
    if not bounds:
        return
    if kind == "openai" and base_url(client) and not OPENAI_REASONING.search(model_name(client)) and not speaks_responses(client, kwargs):
        # OpenAI's client renames the bound to what LM Studio, Ollama, llama.cpp and older vLLM do not read.
        kwargs["extra_body"] = {**(kwargs.get("extra_body") or {}), "max_tokens": min(bounds)}
        return
    kwargs[_MAX_TOKENS_KEY.get(kind, "max_tokens")] = min(bounds)


def own_timeout_s(client: BaseChatModel) -> float | None:
    """Return the seconds that a client was told to wait by whoever made it."""
    for name in _TIMEOUT_FIELDS:
        told = getattr(client, name, None)
        seconds = told if isinstance(told, (int, float)) else getattr(told, "read", None)
        if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds > 0:
            return float(seconds)
    return None


def _bound(client: BaseChatModel, payload: Payload, *, ref: ModelRef, options: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """Let the provider's own ``bind_tools`` write the tools in its wire format."""
    kind, accepted = family(client), signature(client.bind_tools).parameters
    given = {name: value for name, value in options.items() if value is not None}
    wanted = {name: value for name, value in given.items() if name in accepted or _passes(name, kind)}
    notes.extend(f"{ref} takes no {name}; it was left out" for name in given if name not in wanted)
    if payload.tool_choice is not None:
        if kind == "ollama":
            notes.append(f"{ref}: Ollama ignores tool_choice, the model may answer in text")
        wanted["tool_choice"] = _choice(payload.tool_choice)
    tools = [dict(tool) if kind in _KEEPS_CACHE_MARKERS else _without_marker(tool) for tool in payload.tools]
    if kind == "cohere":  # its client reads no tools in OpenAI's format, its wire does
        return _for_cohere(tools, payload.tool_choice)
    if wanted.get("strict") and kind in _CHECKS_STRICTNESS | {"groq"}:
        tools = [_strict(tool) for tool in tools]
    try:
        bound = client.bind_tools(tools, **wanted)
    except NotImplementedError as missing:
        message = f"{type(client).__name__} cannot call tools"
        raise ModelCallError(ref, ErrorKind.UNKNOWN, message) from missing
    except (TypeError, ValueError, KeyError) as refused:
        raise ModelCallError(ref, ErrorKind.UNKNOWN, f"the tools do not fit this model: {refused}") from refused
    return dict(bound.kwargs) if isinstance(bound, RunnableBinding) else {}


def _for_cohere(tools: Sequence[Mapping[str, Any]], choice: object) -> dict[str, Any]:
    """Write tools for Cohere's wire, which takes no single tool by name: that one alone is offered then."""
    chosen = None if choice is None else _choice(choice)
    names = [tool.get("function", {}).get("name") for tool in tools]
    if chosen in names:
        tools, chosen = [tool for tool, name in zip(tools, names, strict=True) if name == chosen], "any"
    words = {"any": "REQUIRED", "none": "NONE"}
    return {"tools": list(tools), **({"tool_choice": words[str(chosen)]} if str(chosen) in words else {})}


def _strict(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool whose schema is marked as strict; the client reads the mark of functions and classes only."""
    function = tool.get("function")
    if not isinstance(function, Mapping):
        return dict(tool)
    told = convert_to_openai_function({**function, "strict": True}, strict=True)
    return {**tool, "function": {**told, "strict": True}}


def _passes(name: str, kind: str) -> bool:
    return name == "parallel_tool_calls" and kind == "mistralai"


def _choice(choice: object) -> object:
    """Spell a tool choice so that every provider's ``bind_tools`` reads it: a word or the name of a tool."""
    if isinstance(choice, Mapping):
        function = choice.get("function")
        named = function.get("name") if isinstance(function, Mapping) else choice.get("name")
        choice = named if named is not None else choice.get("type", dict(choice))
    if choice is True or choice == "required":
        choice = "any"
    return choice


def _formatted(
    client: BaseChatModel, wanted: Mapping[str, object], *, ref: ModelRef, kind: str, responses: bool, extra: Any
) -> dict[str, Any]:
    if kind == "anthropic" and wanted.get("type") == "json_object":
        raise ModelCallError(ref, ErrorKind.UNKNOWN, "Anthropic has no JSON mode without a schema; use method='json_schema'")
    if kind in _CHECKS_STRICTNESS and not responses:
        # Given as an argument the client would demand that every tool be strict, and read the answer itself.
        return {"extra_body": {**(extra or {}), "response_format": dict(wanted)}}
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
