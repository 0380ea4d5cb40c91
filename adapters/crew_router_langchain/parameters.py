"""A caller's parameters as one model takes them: renamed, bounded, or left out with a note."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from crew_router_langchain.parameter_rules import (
    FORCED_NEVER,
    FORCED_WITH_ADAPTIVE,
    KNOWN_ANYWHERE,
    KNOWN_TO,
    MODEL_RULES,
    OF_SERVERS_OF_ONES_OWN,
    ONE_OF_TWO,
    OPENAI_REASONING,
    RENAMED,
    SAMPLING,
    THINKS_UNASKED,
    WARMEST,
)

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_THINKING_TOP_P: Final = 0.95
_NAMES: Final = ("model_name", "model", "model_id", "deployment_name")
_OFFICIAL: Final = ("api.openai.com", "openai.azure.com", "cognitiveservices.azure.com")


def model_name(client: BaseChatModel) -> str:
    """Return the name under which a client asks for its model."""
    found = (getattr(client, name, None) for name in _NAMES)
    return next((name.removeprefix("models/") for name in found if isinstance(name, str) and name), "")


def base_url(client: BaseChatModel) -> str:
    """Return the address that a client of OpenAI's family sends to, where it is not the provider's own; else an empty text."""
    given = str(getattr(client, "openai_api_base", None) or getattr(getattr(client, "root_client", None), "base_url", "") or "")
    return "" if any(host in given for host in _OFFICIAL) or getattr(client, "azure_endpoint", None) else given


def taken(given: Mapping[str, Any], client: BaseChatModel, kind: str, *, refused: Collection[str], notes: list[str]) -> dict[str, Any]:
    """Return the parameters that a model takes, under the names of its client.

    Args:
        given: The caller's parameters.
        client: The chat model.
        kind: Its family.
        refused: What the model was seen to refuse.
        notes: Takes a sentence for whatever is changed or left out.
    """
    if kind not in KNOWN_TO:
        return dict(given)
    known, renamed, own_server = KNOWN_TO[kind], RENAMED.get(kind, {}), kind == "openai" and bool(base_url(client))
    kept: dict[str, Any] = {}
    for name, value in given.items():
        if value is None and name in KNOWN_ANYWHERE:
            continue
        written = name if name in known else renamed.get(name, name)
        if own_server and written in OF_SERVERS_OF_ONES_OWN:
            kept["extra_body"] = {**(kept.get("extra_body") or given.get("extra_body") or {}), written: value}
        elif _equivalent(name, value, kind, kept):
            continue
        elif written in refused or name in refused:
            notes.append(f"{model_name(client)} refuses {name}; it was left out")
        elif written not in known and name in KNOWN_ANYWHERE:
            notes.append(f"{name} means nothing to {kind}; it was left out")
        elif written != "extra_body" or "extra_body" not in kept:
            kept[written] = value
    _bounded(kept, kind, notes)
    return kept


def _equivalent(name: str, value: Any, kind: str, kept: dict[str, Any]) -> bool:
    """Write a parameter in a place of its own where the provider has one."""
    if kind == "anthropic" and name == "user":
        kept["metadata"] = {**(kept.get("metadata") or {}), "user_id": value}
        return True
    if kind == "bedrock_converse" and name == "top_k":
        kept["additional_model_request_fields"] = {**(kept.get("additional_model_request_fields") or {}), "top_k": value}
        return True
    return False


def _bounded(kept: dict[str, Any], kind: str, notes: list[str]) -> None:
    warmest, told = WARMEST.get(kind), kept.get("temperature")
    if warmest is not None and isinstance(told, (int, float)) and told > warmest:
        kept["temperature"] = warmest
        notes.append(f"temperature {told:g} is more than {kind} takes; it was sent {warmest:g}")


def refused_by_rule(client: BaseChatModel, kind: str, *, effort: object, thinking: bool, sent: Collection[str]) -> frozenset[str]:
    """Return the parameters that a model is documented to refuse, by its own profile or by its provider's rules.

    Args:
        client: The chat model.
        kind: Its family.
        effort: The reasoning effort that the call is sent with, ``None`` where none is set.
        thinking: Whether the model thinks in this call because it was told to.
        sent: What is about to be sent.
    """
    name, found = model_name(client), set[str]()
    if isinstance(client.profile, Mapping) and client.profile.get("temperature") is False:
        efforts = [rule.unless_effort for rule in MODEL_RULES.get(kind, ()) if rule.models.search(name) and rule.unless_effort]
        if not any(effort in allowed for allowed in efforts):
            found.update(SAMPLING)
    for rule in MODEL_RULES.get(kind, ()):
        if rule.models.search(name):
            if not (rule.unless_effort and effort in rule.unless_effort):
                found.update(rule.refused)
            if rule.unless_effort:
                break
    if thinking and kind in {"anthropic", "bedrock_converse"}:
        found.update({"temperature", "top_k"})
    one_of_two = ONE_OF_TWO.get(kind)
    if one_of_two is not None and one_of_two.search(name) and {"temperature", "top_p"} <= {*sent} and "temperature" not in found:
        found.add("top_p")
    if OPENAI_REASONING.search(name) and kind == "openai":
        found.add("stop")
    return frozenset(found)


def thinks(client: BaseChatModel, kind: str, kwargs: Mapping[str, Any]) -> bool:
    """Tell whether a call of Claude is sent with thinking on."""
    if kind not in {"anthropic", "bedrock_converse"}:
        return False
    fields = getattr(client, "additional_model_request_fields", None) or {}
    told = kwargs.get("thinking") or getattr(client, "thinking", None) or fields.get("thinking")
    return isinstance(told, Mapping) and told.get("type") in {"enabled", "adaptive"}


def without_fields(client: BaseChatModel, names: Collection[str], notes: list[str]) -> BaseChatModel:
    """Return a client without what its constructor set and the model refuses."""
    fields = type(client).model_fields
    given = [name for name in names if name in fields and name in client.model_fields_set and getattr(client, name, None) is not None]
    if not given:
        return client
    notes.extend(f"{model_name(client)} refuses {name}; it was left out" for name in given)
    return client.model_copy(update=dict.fromkeys(given))


def for_a_forced_tool(client: BaseChatModel, kind: str, kwargs: dict[str, Any], *, notes: list[str]) -> tuple[BaseChatModel, bool]:
    """Turn thinking down where a model refuses a forced tool beside it; return the client, and whether it takes the choice at all."""
    name = model_name(client)
    if kind in {"anthropic", "bedrock_converse"}:
        if FORCED_NEVER.search(name):
            notes.append(f"{name} takes no forced tool choice; it was asked to decide by itself")
            return client, False
        if kind == "anthropic" and not FORCED_WITH_ADAPTIVE.search(name) and thinks(client, kind, kwargs):
            kwargs.pop("thinking", None)
            notes.append(f"{name} takes no forced tool while it thinks; thinking was turned off for this call")
            return client.model_copy(update={"thinking": None}), True
    if kind == "deepseek" and THINKS_UNASKED.search(name):
        kwargs["extra_body"] = {**(kwargs.get("extra_body") or {}), "thinking": {"type": "disabled"}}
        notes.append(f"{name} takes no forced tool while it thinks; thinking was turned off for this call")
    return client, True


def thinking_after(
    messages: Sequence[BaseMessage], client: BaseChatModel, kind: str, kwargs: dict[str, Any], *, notes: list[str]
) -> tuple[BaseChatModel, dict[str, Any]]:
    """Turn Claude's thinking off for a turn that another model, or Claude without its thinking, has begun with a tool.

    With thinking switched on Anthropic demands the thinking before every call of the turn that is under way.
    """
    told = kwargs.get("thinking") or getattr(client, "thinking", None)
    if (
        kind != "anthropic"
        or not isinstance(told, Mapping)
        or told.get("type") != "enabled"
        or not messages
        or not isinstance(messages[-1], ToolMessage)
    ):
        return client, kwargs
    under_way = [message for message in reversed(messages) if isinstance(message, AIMessage)][:1]
    if not under_way or _shows_thinking(under_way[0]):
        return client, kwargs
    notes.append("the turn under way was begun without Claude's thinking; thinking was turned off for this call")
    kept = {name: value for name, value in kwargs.items() if name != "thinking"}
    return (client.model_copy(update={"thinking": None}) if getattr(client, "thinking", None) else client), kept


def _shows_thinking(message: AIMessage) -> bool:
    blocks = message.content if isinstance(message.content, list) else []
    return any(isinstance(block, Mapping) and block.get("type") in {"thinking", "redacted_thinking", "reasoning"} for block in blocks)
