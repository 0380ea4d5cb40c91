"""Replies that look like successes and are not (``DESIGN.md`` section 7, rule 4)."""

from __future__ import annotations

import json

from crew_router.execute.transport import Fault, Payload, Reply
from crew_router.types.outcome import ToolCall
from crew_router.types.vocabulary import ErrorKind


def fault_of(reply: Reply, payload: Payload, *, streamed: bool = False, prefix: str = "") -> Fault | None:
    """Return what is wrong with a reply, or ``None`` for a sound one.

    Args:
        reply: What the model gave.
        payload: What it was asked.
        streamed: Whether the reply came as a stream, which must end with a finish reason.
        prefix: Text the reply goes on from; after it an empty rest is sound.
    """
    if streamed and reply.finish_reason is None:
        return Fault(ErrorKind.TRUNCATED, "the stream ended without a finish reason")
    if not reply.text.strip() and not reply.tool_calls and not (prefix and reply.finish_reason):
        return _empty(reply)
    for call in reply.tool_calls:
        if fault := _tool_fault(call, payload):
            return fault
    if payload.response_format is not None and not reply.tool_calls:
        return _format_fault(prefix + reply.text, payload)
    return None


def _empty(reply: Reply) -> Fault:
    if reply.finish_reason in {"content_filter", "safety", "refusal", "SAFETY"}:
        return Fault(ErrorKind.CONTENT_POLICY, f"no text, finish reason {reply.finish_reason!r}")
    return Fault(ErrorKind.EMPTY, f"no text and no tool call, finish reason {reply.finish_reason!r}")


def _tool_fault(call: ToolCall, payload: Payload) -> Fault | None:
    names = {_name_of(tool) for tool in payload.tools}
    if names and call.name not in names:
        return Fault(ErrorKind.MALFORMED, f"tool {call.name!r} was not offered")
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        return Fault(ErrorKind.MALFORMED, f"arguments of tool {call.name!r} are not JSON")
    if not isinstance(arguments, dict):
        return Fault(ErrorKind.MALFORMED, f"arguments of tool {call.name!r} are not an object")
    return None


def _name_of(tool: object) -> object:
    function = tool.get("function", tool) if isinstance(tool, dict) else {}  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # JSON of the surface
    return function.get("name") if isinstance(function, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # as above


def _format_fault(text: str, payload: Payload) -> Fault | None:
    if (payload.response_format or {}).get("type") not in {"json_object", "json_schema"}:
        return None
    try:
        json.loads(text)
    except ValueError:
        return Fault(ErrorKind.MALFORMED, "the answer is not the JSON that was asked for")
    return None
