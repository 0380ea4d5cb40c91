"""Replies that look like successes and are not (rule of execution E4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, cast

from crew_router.execute.json_schema import problems
from crew_router.execute.usable import schemas_of, wanted_schema
from crew_router.types.outcome import ToolCall
from crew_router.types.transport import Fault, Payload, Reply
from crew_router.types.vocabulary import ErrorKind

# Finish reasons in lower case, as OpenAI and its likes, Anthropic, Google, Amazon and Cohere word them.
_FILTERED: Final = frozenset({
    "content_filter", "content_filtered", "guardrail_intervened", "refusal", "safety", "image_safety", "prohibited_content", "blocklist",
    "spii", "recitation", "error_toxic",
})  # fmt: skip
_BROKEN_OFF: Final = frozenset({"error", "timeout"})
_MISCALLED: Final = frozenset({"malformed_function_call", "unexpected_tool_call", "malformed_tool_use", "malformed_model_output"})
_FULL: Final = "model_context_window_exceeded"


def fault_of(
    reply: Reply, payload: Payload, *, streamed: bool = False, prefix: str = "", read_by_caller: bool = False
) -> Fault | None:
    """Return what is wrong with a reply, or ``None`` for a sound one.

    Args:
        reply: What the model gave.
        payload: What it was asked.
        streamed: Whether the reply came as a stream, which must end with a finish reason.
        prefix: Text the reply goes on from.
        read_by_caller: The caller brings a check of its own, which may read JSON in a code fence, for example.
    """
    if streamed and reply.finish_reason is None:
        return Fault(ErrorKind.TRUNCATED, "the stream ended without a finish reason")
    reason = (reply.finish_reason or "").lower()
    if reason in _BROKEN_OFF:
        return Fault(ErrorKind.TRUNCATED, f"the provider broke the answer off, finish reason {reply.finish_reason!r}")
    if reason in _MISCALLED:
        return Fault(ErrorKind.MALFORMED, f"the provider could not read the call of a tool, finish reason {reply.finish_reason!r}")
    if not reply.text.strip() and not reply.tool_calls:
        return _empty(reply, reason)
    if not reply.tool_calls and payload.tools and demands_a_tool(payload.tool_choice):
        return Fault(ErrorKind.MALFORMED, "the tool that was demanded was not called")
    for call in reply.tool_calls:
        if fault := _tool_fault(call, payload):
            return fault
    if payload.response_format is not None and not reply.tool_calls and not read_by_caller:
        return _format_fault(prefix + reply.text, payload)
    return None


def demands_a_tool(choice: object) -> bool:
    """Tell whether a tool choice demands the call of a tool, in whichever form it was given."""
    if isinstance(choice, Mapping):
        return cast("Mapping[str, object]", choice).get("type") not in {"auto", "none"}
    return choice is True or (isinstance(choice, str) and choice not in {"auto", "none"})


def _empty(reply: Reply, reason: str) -> Fault:
    if reason in _FILTERED:
        return Fault(ErrorKind.CONTENT_POLICY, f"no text, finish reason {reply.finish_reason!r}")
    if reason == _FULL:
        return Fault(ErrorKind.CONTEXT_OVERFLOW, f"no text, finish reason {reply.finish_reason!r}")
    return Fault(ErrorKind.EMPTY, f"no text and no tool call, finish reason {reply.finish_reason!r}")


def _tool_fault(call: ToolCall, payload: Payload) -> Fault | None:
    offered = schemas_of(payload)
    if offered and len(offered) == len(payload.tools) and call.name not in offered:
        return Fault(ErrorKind.MALFORMED, f"tool {call.name!r} was not offered")
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return Fault(ErrorKind.MALFORMED, f"arguments of tool {call.name!r} are not JSON")
    if not isinstance(arguments, dict):
        return Fault(ErrorKind.MALFORMED, f"arguments of tool {call.name!r} are not an object")
    wrong = problems(cast("object", arguments), offered.get(call.name, {}))
    return Fault(ErrorKind.MALFORMED, f"arguments of tool {call.name!r}: {wrong[0]}") if wrong else None


def _format_fault(text: str, payload: Payload) -> Fault | None:
    schema = wanted_schema(payload)
    if schema is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return Fault(ErrorKind.MALFORMED, "the answer is not the JSON that was asked for")
    wrong = problems(value, schema)
    return Fault(ErrorKind.MALFORMED, f"the answer does not fit its schema: {wrong[0]}") if wrong else None
