"""Answers of the router as LangChain's results and chunks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from crew_router.types.codec import encode
from crew_router.types.decision import RoutingDecision
from crew_router.types.explain import money
from crew_router.types.outcome import Attempt, ToolCall, Usage
from crew_router.types.response import RoutedChunk, RoutedResponse

KEY: Final = "crew_router"
_ONCE: Final = ("model_name", KEY)  # texts of several chunks would be joined


def result_of(response: RoutedResponse) -> ChatResult:
    """Return a whole answer."""
    message = message_of(response)
    return ChatResult(generations=[ChatGeneration(message=message, generation_info={"finish_reason": response.finish_reason})])


def message_of(response: RoutedResponse) -> AIMessage:
    """Return the answer as a message that says which model gave it and how it came to it."""
    message = response.message if isinstance(response.message, AIMessage) else _plain(response)
    return message.model_copy(update={"response_metadata": {**message.response_metadata, **told(response, message)}})


def told(response: RoutedResponse, message: AIMessage | None = None) -> dict[str, Any]:
    """Return the metadata of an answer: the real model's name, and the routing under ``crew_router``."""
    own = message.response_metadata if message is not None else {}
    noted = own.get(KEY)
    notes = noted.get("notes", []) if isinstance(noted, Mapping) else []
    name = own.get("model_name") or own.get("model") or response.model.name
    return {
        "model_name": str(name),
        KEY: {
            **_routing(response),
            "notes": notes,
            **({"account": noted["account"]} if isinstance(noted, Mapping) and noted.get("account") else {}),
        },
    }


def _routing(response: RoutedResponse) -> dict[str, Any]:
    decision = response.decision
    return {
        "decision_id": decision.id,
        "model": str(response.model),
        "selected_model": str(decision.selected_model),
        "effort": decision.effort,
        "mode": decision.mode.value,
        "strategy": decision.strategy,
        "task_type": decision.profile.task_type.value.value,
        "estimated_cost_usd": decision.estimated_cost,
        "cost_usd": response.cost_usd,
        "attempts": [_attempt(attempt) for attempt in response.attempts],
        "answered_at": response.decision.at,
        "input_tokens": None if response.usage is None else response.usage.input_tokens,
        "rationale": reason(decision),
        **({} if decision.trade_off is None else {"trade_off": encode(decision.trade_off)}),
    }


def reason(decision: RoutingDecision) -> str:
    """Return one sentence on the choice; unlike ``decision.rationale`` it does not build the table of all models.

    ``router.explain(decision_id)`` tells the runner-up and what removed the others.
    """
    task, complexity = decision.profile.task_type.value, decision.profile.complexity.value
    return (
        f"{decision.candidate} for {task} (complexity {complexity}): {decision.score:.1f} of 100 points by "
        f"{decision.strategy}; expected cost {money(decision.estimated_cost)}."
    )


def _attempt(attempt: Attempt) -> dict[str, Any]:
    usage = attempt.usage
    return {
        "model": str(attempt.model),
        "role": attempt.role,
        "error": None if attempt.error is None else attempt.error.value,
        "status_code": attempt.status_code,
        "latency_s": attempt.latency_s,
        "input_tokens": None if usage is None else usage.input_tokens,
        "output_tokens": None if usage is None else usage.output_tokens,
        "cost_usd": attempt.cost_usd,
    }


def _plain(response: RoutedResponse) -> AIMessage:
    """Return a message for an answer that no LangChain model gave."""
    good, bad = [], []
    for call in response.tool_calls:
        arguments = _arguments(call)
        if arguments is None:
            bad.append(invalid_tool_call(name=call.name, args=call.arguments, id=call.id, error="the arguments are no JSON object"))
        else:
            good.append(tool_call(name=call.name, args=arguments, id=call.id))
    return AIMessage(response.text, tool_calls=good, invalid_tool_calls=bad, usage_metadata=_usage(response.usage))


def _arguments(call: ToolCall) -> dict[str, Any] | None:
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        return None
    return arguments if isinstance(arguments, dict) else None


def _usage(usage: Usage | None) -> UsageMetadata | None:
    if usage is None:
        return None
    total = usage.input_tokens + usage.output_tokens
    return UsageMetadata(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, total_tokens=total)


class ChunkReader:
    """Turns the pieces of one streamed answer into LangChain's chunks."""

    def __init__(self) -> None:
        self._native = False

    def chunk(self, piece: RoutedChunk) -> ChatGenerationChunk | None:
        """Return the chunk for a piece, or ``None`` when there is nothing in it.

        The last chunk carries what is known only then: the model's name and the routing. Identifiers are left to
        LangChain, or they would change when another model goes on with the answer.
        """
        if piece.response is not None:
            return self._last(piece.response)
        if isinstance(piece.message, ChatGenerationChunk):
            self._native = True
            return _anonymous(piece.message)
        return ChatGenerationChunk(message=AIMessageChunk(content=piece.text)) if piece.text else None

    def _last(self, response: RoutedResponse) -> ChatGenerationChunk:
        native = response.message if isinstance(response.message, AIMessage) else None
        metadata = told(response, native)
        if self._native:
            return ChatGenerationChunk(message=AIMessageChunk(content="", response_metadata=metadata, chunk_position="last"))
        calls = [tool_call_chunk(name=call.name, args=call.arguments, id=call.id, index=at) for at, call in enumerate(response.tool_calls)]
        metadata["finish_reason"] = response.finish_reason
        return ChatGenerationChunk(
            message=AIMessageChunk(
                content="", response_metadata=metadata, tool_call_chunks=calls, usage_metadata=_usage(response.usage), chunk_position="last"
            )
        )


def _anonymous(chunk: ChatGenerationChunk) -> ChatGenerationChunk:
    """Return a copy without what is told once for the whole answer; a copy, because the transport joins its own chunks."""
    message = chunk.message
    metadata = {key: value for key, value in message.response_metadata.items() if key not in _ONCE}
    info = {key: value for key, value in (chunk.generation_info or {}).items() if key not in _ONCE}
    update: dict[str, Any] = {"id": None, "response_metadata": metadata}
    if isinstance(message, AIMessageChunk):
        update["chunk_position"] = None
    return chunk.model_copy(update={"message": message.model_copy(update=update), "generation_info": info or None})
