"""What CrewAI says and hears, in the words of the core and back."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from crewai.agents.parser import OutputParserError, parse
from crewai.utilities.pydantic_schema_utils import generate_model_description

from crew_router.types import Attempt, ToolCall, Usage
from crew_router.types.transport import Payload, Reply
from crew_router_crewai.reading import read_as

if TYPE_CHECKING:
    from pydantic import BaseModel

_ACTION: Final = re.compile(r"^\s*Action(?: Input)?\s*:", re.MULTILINE)
_KEPT: Final = ("role", "content", "tool_calls", "tool_call_id", "name")


@dataclass(frozen=True, slots=True)
class CallSettings:
    """What an LLM object of CrewAI is set to send with a call; ``strict`` has the provider enforce the schema of a structured answer."""

    stop: tuple[str, ...]
    parameters: Mapping[str, object]
    strict: bool = True


def payload_of(
    messages: Iterable[Mapping[str, Any]],
    settings: CallSettings,
    *,
    tools: Sequence[Mapping[str, Any]] | None,
    response_model: type[BaseModel] | None,
) -> Payload:
    """Return a call as the core sends it.

    Keys of a message that only one provider understands (raw parts, thinking blocks) are left out, so that another
    provider can go on with the conversation.
    """
    return Payload(
        tuple(_neutral(message) for message in messages),
        tools=tuple(tools or ()),
        stop=settings.stop,
        response_format=None if response_model is None else response_format(response_model, strict=settings.strict),
        parameters=settings.parameters,
    )


def check_of(response_model: type[BaseModel] | None, *, tools_in_text: bool) -> Callable[[Reply], str | None] | None:
    """Return the check that sends a call to the next model when CrewAI could not go on with an answer.

    Args:
        response_model: What the answer is read as.
        tools_in_text: The model calls tools in its text. CrewAI takes a call that it cannot parse for the final answer.
    """
    if response_model is not None:
        return functools.partial(_misfit, response_model)
    return _unparsable if tools_in_text else None


def _misfit(response_model: type[BaseModel], reply: Reply) -> str | None:
    if reply.tool_calls:
        return None
    try:
        read_as(reply.text, response_model)
    except ValueError as error:
        return str(error)
    return None


def _unparsable(reply: Reply) -> str | None:
    if not _ACTION.search(reply.text):
        return None  # a plain answer
    try:
        parse(reply.text)
    except OutputParserError as error:
        return str(error.error)
    return None


def tool_call_dict(call: ToolCall) -> dict[str, object]:
    """Return a tool call in the OpenAI form, which CrewAI's executor runs for every model."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def spent(attempts: Iterable[Attempt]) -> Usage | None:
    """Return the tokens of all attempts together; ``None`` when none of them reported any."""
    total: Usage | None = None
    for attempt in attempts:
        if attempt.usage is not None:
            total = attempt.usage if total is None else total + attempt.usage
    return total


def usage_dict(usage: Usage) -> dict[str, int]:
    """Return tokens in CrewAI's words."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "cached_prompt_tokens": usage.cached_tokens,
    }


def _neutral(message: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: message[key] for key in _KEPT if message.get(key) is not None}
    return {**kept, "content": message.get("content") or ""}


def response_format(model: type[BaseModel], *, strict: bool) -> dict[str, object]:
    """Return the schema as CrewAI's own LLM sends it, or the plain one for a provider that refuses that."""
    if strict:
        return dict(generate_model_description(model))
    return {"type": "json_schema", "json_schema": {"name": model.__name__, "schema": model.model_json_schema(), "strict": False}}


def pictures_and_text(messages: str | Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """Return how many pictures, sounds and films messages hold, and the characters of everything else."""
    if isinstance(messages, str):
        return 0, len(messages)
    media = chars = 0
    for message in messages:
        content = message.get("content")
        blocks = content if isinstance(content, list) else [content]
        kept = [block for block in blocks if not _is_media(block)]
        media += len(blocks) - len(kept) + len(message.get("files") or ())
        chars += sum(len(block) if isinstance(block, str) else len(json.dumps(block, default=str)) for block in kept if block)
        chars += len(json.dumps(message["tool_calls"], default=str)) if message.get("tool_calls") else 0
    return media, chars


def _is_media(block: object) -> bool:
    return isinstance(block, Mapping) and block.get("type") not in {None, "text", "input_text", "tool_result"}


def needed_stop_words(
    own: Sequence[str], effective: Sequence[str], messages: Iterable[Mapping[str, Any]], *, native_tools: bool
) -> tuple[str, ...]:
    """Return the stop words that a model has to be sent.

    CrewAI's executor adds its own to every call. They end an answer before an observation that the model would invent, which only happens
    where tools are called in the text; the prompt then speaks of observations itself.
    """
    added = [word for word in effective if word not in own]
    if native_tools or not added:
        return tuple(own)
    texts = [content for message in messages if isinstance(content := message.get("content"), str)]
    return (*own, *(word for word in added if any(word.strip() in text for text in texts)))


def cut_at(text: str, stop: Iterable[str]) -> str:
    """Return the text before the first stop word, as a model that knows them would have given it."""
    places = [at for word in stop if word and (at := text.find(word)) >= 0]
    return text[: min(places)].strip() if places else text
