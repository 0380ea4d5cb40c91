"""What CrewAI says and hears, in the words of the core and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from crewai.llms.base_llm import BaseLLM

from crew_router.types import Attempt, ToolCall, Usage
from crew_router.types.transport import Payload, Reply

if TYPE_CHECKING:
    from pydantic import BaseModel

_KEPT: Final = ("role", "content", "tool_calls", "tool_call_id", "name")


@dataclass(frozen=True, slots=True)
class CallSettings:
    """What an LLM object of CrewAI is set to send with every call."""

    stop: tuple[str, ...]
    parameters: Mapping[str, object]


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
        response_format=None if response_model is None else _response_format(response_model),
        parameters=settings.parameters,
    )


def misfit(response_model: type[BaseModel]) -> Callable[[Reply], str | None]:
    """Return the check that sends a call to the next model when an answer does not fit the response model."""

    def problem(reply: Reply) -> str | None:
        if reply.tool_calls:
            return None
        try:
            BaseLLM._validate_structured_output(reply.text, response_model)  # noqa: SLF001 - CrewAI reads the answer by it, too
        except ValueError as error:
            return str(error)
        return None

    return problem


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


def _response_format(model: type[BaseModel]) -> dict[str, object]:
    schema = {"name": model.__name__, "schema": model.model_json_schema(), "strict": False}
    return {"type": "json_schema", "json_schema": schema}
