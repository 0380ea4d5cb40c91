"""Reasoning effort in each client's own words, put on a call after everything else that is bound to it.

Bound before tools or structured output it would be lost with every client; here it is the last thing that goes into a call's
arguments. What a client would refuse beside it, or send although the provider refuses it, is taken out and noted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from crew_router_langchain.fitting import Fitted, family

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from crew_router.types.model import ModelDefinition

NO_THINKING: Final = "none"
_SPELLINGS: Final = ("reasoning_effort", "effort", "thinking_level", "reasoning", "thinking")
_OPENAI_ADDRESS: Final = "https://api.openai.com"
_ONLY_RESPONSES: Final = "max"  # chat completions stops at xhigh
_SAMPLING: Final = ("temperature", "top_p", "top_k", "logprobs", "top_logprobs")
_REFUSES_SAMPLING: Final = frozenset({"openai", "anthropic"})

Spell = Callable[[str, "BaseChatModel", Mapping[str, Any]], dict[str, Any]]


def with_effort(request: Fitted, model: ModelDefinition) -> Fitted:
    """Return a fitted call with the effort that the reference of its model names; the call itself where it names none.

    A caller's own spelling of an effort gives way: it chose the candidate already.

    Args:
        request: The call, its tools and its structured output bound.
        model: The model, under the reference of one of its efforts.
    """
    effort = model.ref.effort
    if effort is None:
        return request
    kind, client, notes = family(request.client), request.client, list(request.notes)
    kwargs = {name: value for name, value in request.kwargs.items() if name not in _SPELLINGS}
    if kind == "deepseek" and effort != NO_THINKING and _forces_a_tool(kwargs):
        # Its service refuses a forced tool choice while it thinks.
        notes.append("reasoning effort (a tool is forced, so that it answers without thinking)")
        effort = NO_THINKING
    refused = _SAMPLING if kind in _REFUSES_SAMPLING and effort != NO_THINKING else ()
    notes += [f"{name} (it is refused with reasoning effort {effort})" for name in refused if kwargs.pop(name, None) is not None]
    spell = _SPELL.get(kind, _plain)
    return replace(request, kwargs={**kwargs, **spell(effort, client, kwargs)}, notes=tuple(notes))


def _plain(effort: str, _client: BaseChatModel, _kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """LangChain's standard name, which most clients understand."""
    return {"reasoning_effort": effort}


def _openai(effort: str, client: BaseChatModel, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The spelling of the constructor, for the client refuses both; at OpenAI itself, tools with thinking go to the Responses API."""
    given: object = getattr(client, "reasoning", None)
    if isinstance(given, Mapping):
        return {"reasoning": {**cast("Mapping[str, Any]", given), "effort": effort}}
    address = str(getattr(client, "openai_api_base", None) or _OPENAI_ADDRESS)
    responses: object = getattr(client, "use_responses_api", None)
    moves = effort == _ONLY_RESPONSES or (bool(kwargs.get("tools")) and effort != NO_THINKING)
    if responses is None and moves and address.startswith(_OPENAI_ADDRESS) and getattr(client, "reasoning_effort", None) is None:
        return {"reasoning": {"effort": effort}}
    return {"reasoning_effort": effort}


def _anthropic(effort: str, _client: BaseChatModel, _kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {"thinking": {"type": "disabled"}} if effort == NO_THINKING else {"effort": effort}


def _google(effort: str, _client: BaseChatModel, _kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {"thinking_budget": 0} if effort == NO_THINKING else {"thinking_level": effort}


def _deepseek(effort: str, _client: BaseChatModel, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    if effort != NO_THINKING:
        return {"reasoning_effort": effort}
    body: object = kwargs.get("extra_body")
    return {"extra_body": {**(cast("Mapping[str, Any]", body) if isinstance(body, Mapping) else {}), "thinking": {"type": "disabled"}}}


def _ollama(effort: str, _client: BaseChatModel, _kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {"reasoning": False if effort == NO_THINKING else effort}


def _openrouter(effort: str, _client: BaseChatModel, _kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {"reasoning": {"effort": effort}}


def _bedrock(effort: str, _client: BaseChatModel, _kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Without thinking is how its models answer when nothing is sent; the client would refuse the word."""
    return {} if effort == NO_THINKING else {"reasoning_effort": effort}


def _cohere(effort: str, _client: BaseChatModel, _kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {"thinking": {"type": "disabled" if effort == NO_THINKING else "enabled"}}


def _forces_a_tool(kwargs: Mapping[str, Any]) -> bool:
    choice: object = kwargs.get("tool_choice")
    return bool(kwargs.get("tools")) and choice not in (None, "auto", "none")


_SPELL: Final[Mapping[str, Spell]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "google_genai": _google,
    "deepseek": _deepseek,
    "ollama": _ollama,
    "openrouter": _openrouter,
    "bedrock_converse": _bedrock,
    "cohere": _cohere,
}
