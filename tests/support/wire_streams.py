"""Streams as servers were seen to send them, byte by byte, for the fake provider."""

from __future__ import annotations

import json
from typing import Any

from wire_server import Fault


def chunk(
    delta: dict[str, Any] | None = None, *, finish: str | None = None, usage: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """Return one chunk of OpenAI's format."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "fast", "choices": choices, "usage": usage, **more}


def words(*texts: str, **more: Any) -> list[dict[str, Any]]:
    """Return chunks with text."""
    return [chunk({"role": "assistant", "content": text}, **more) for text in texts]


def call(index: int | None = 0, **parts: Any) -> dict[str, Any]:
    """Return a chunk with a piece of a tool call."""
    function = {key: parts.pop(key) for key in ("name", "arguments") if key in parts}
    piece = {"type": "function", "function": function, **parts}
    return chunk({"tool_calls": [piece if index is None else {"index": index, **piece}]})


def used(prompt: Any, completion: Any, **details: Any) -> dict[str, Any]:
    """Return usage in OpenAI's format."""
    total = details.pop("total", prompt + completion if isinstance(prompt, int) and isinstance(completion, int) else None)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total, **details}


def streamed(*chunks: dict[str, Any], done: bool = True, **more: Any) -> Fault:
    """Return a model that answers with these chunks."""
    events = [f"data: {json.dumps(each)}\n\n" for each in chunks] + (["data: [DONE]\n\n"] if done else [])
    return Fault(body="".join(events), kind="text/event-stream", **more)


def completed(message: dict[str, Any], *, finish: str = "stop", usage: dict[str, Any] | None = None, **more: Any) -> Fault:
    """Return a model that answers with this message, whole."""
    choices = [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}]
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "fast", "choices": choices, "usage": usage}
    return Fault(body=json.dumps(body), **more)
