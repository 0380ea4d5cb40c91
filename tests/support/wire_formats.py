# ruff: noqa: D102 - the three classes have the same five methods, named by what they do
"""The wire formats of the fake provider: OpenAI's (also Azure, OpenRouter, Mistral, vLLM), Anthropic's, Amazon Bedrock's."""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Iterator
from typing import Any

import wire_more_formats
from wire_brain import Asked, Said, text_of

_ids = itertools.count(1)


def format_of(path: str) -> Any:
    """Return the format that is spoken at a path."""
    more = wire_more_formats.format_of(path)
    if more is not None:
        return more
    if path.endswith("/messages"):
        return Anthropic
    if path.startswith("/mistral/"):
        return Mistral
    return Bedrock if path.startswith("/model/") else OpenAI


class OpenAI:
    """``/v1/chat/completions``, and the same under Azure's deployment paths."""

    stream_type = "text/event-stream"

    @staticmethod
    def read(body: dict[str, Any], path: str) -> Asked:
        choice, wanted = body.get("tool_choice"), body.get("response_format") or {}
        stop = body.get("stop") or ()
        deployment = path.partition("/deployments/")[2].partition("/")[0]
        return Asked(
            deployment or body.get("model", "?"),
            body.get("messages", []),
            {tool["function"]["name"]: tool["function"].get("parameters") or {} for tool in body.get("tools") or []},
            forced=choice["function"]["name"] if isinstance(choice, dict) else "any" if choice in {"any", "required"} else None,
            silent=choice == "none",
            schema=(wanted.get("json_schema") or {}).get("schema"),
            json_mode=wanted.get("type") == "json_object",
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            wants_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        )  # fmt: skip

    @staticmethod
    def streams(body: dict[str, Any], path: str) -> bool:  # noqa: ARG004 - other formats tell by the path
        return bool(body.get("stream"))

    @staticmethod
    def error(code: str, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": "error", "code": code, "param": None}}

    @staticmethod
    def whole(asked: Asked, said: Said) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": said.text or None}
        if said.calls:
            message["tool_calls"] = [_openai_call(name, json.dumps(args, ensure_ascii=False)) for name, args in said.calls]
        finish = "tool_calls" if said.calls else "stop"
        return {
            "id": f"chatcmpl-{next(_ids)}", "object": "chat.completion", "created": 1, "model": asked.model,
            "system_fingerprint": "fp", "usage": _openai_usage(said),
            "choices": [{"index": 0, "finish_reason": finish, "message": message}],
        }  # fmt: skip

    @classmethod
    def events(cls, asked: Asked, said: Said) -> Iterator[bytes]:
        head = {"id": f"chatcmpl-{next(_ids)}", "object": "chat.completion.chunk", "created": 1, "model": asked.model}
        head["system_fingerprint"] = "fp"  # OpenRouter's client demands it
        for delta in cls.deltas(said):
            yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        finish = "tool_calls" if said.calls else "stop"
        yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        if asked.wants_usage:
            yield _event({**head, "choices": [], "usage": _openai_usage(said)})
        yield b"data: [DONE]\n\n"

    @classmethod
    def deltas(cls, said: Said) -> Iterator[dict[str, Any]]:
        yield {"role": "assistant", "content": ""}
        for part in _parts(said.text):
            yield {"content": part}
        for index, (name, args) in enumerate(said.calls):
            yield {"tool_calls": [{"index": index, **_openai_call(name, "")}]}
            for part in _parts(json.dumps(args, ensure_ascii=False)):
                yield {"tool_calls": [{"index": index, "function": {"arguments": part}}]}


class Mistral(OpenAI):
    """``/mistral/v1/chat/completions``: as OpenAI's, but usage comes unasked with the finish reason, and tool calls come whole."""

    @classmethod
    def deltas(cls, said: Said) -> Iterator[dict[str, Any]]:
        if not said.calls:
            yield from super().deltas(said)
            return
        yield {"role": "assistant", "content": ""}
        yield {"tool_calls": [_openai_call(name, json.dumps(args, ensure_ascii=False)) for name, args in said.calls]}

    @classmethod
    def events(cls, asked: Asked, said: Said) -> Iterator[bytes]:
        for event in super().events(asked, said):
            data = json.loads(event[6:]) if event.startswith(b"data: {") else {}
            ends = bool(data) and data["choices"][0]["finish_reason"] is not None
            yield _event({**data, "usage": _openai_usage(said)}) if ends else event


def _openai_call(name: str, arguments: str) -> dict[str, Any]:
    # Nine letters and digits, as Mistral demands.
    return {"id": f"call{next(_ids):05d}", "type": "function", "function": {"name": name, "arguments": arguments}}


def _openai_usage(said: Said) -> dict[str, Any]:
    return {
        "prompt_tokens": said.input_tokens, "completion_tokens": said.output_tokens,
        "total_tokens": said.input_tokens + said.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0},
    }  # fmt: skip


class Anthropic:
    """``/v1/messages``."""

    stream_type = "text/event-stream"

    @staticmethod
    def read(body: dict[str, Any], path: str) -> Asked:  # noqa: ARG004 - other formats read the path
        choice = body.get("tool_choice") or {}
        wanted = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
        return Asked(
            body.get("model", "?"),
            [_anthropic_message(message) for message in body.get("messages", [])],
            {tool["name"]: tool.get("input_schema") or {} for tool in body.get("tools") or []},
            forced={"any": "any", "tool": choice.get("name")}.get(choice.get("type")),
            silent=choice.get("type") == "none",
            schema=wanted.get("schema"),
            stop=tuple(body.get("stop_sequences") or ()),
        )  # fmt: skip

    @staticmethod
    def streams(body: dict[str, Any], path: str) -> bool:  # noqa: ARG004 - as above
        return bool(body.get("stream"))

    @staticmethod
    def error(code: str, message: str) -> dict[str, Any]:
        return {"type": "error", "error": {"type": code, "message": message}}

    @staticmethod
    def whole(asked: Asked, said: Said) -> dict[str, Any]:
        return {
            "id": f"msg_{next(_ids)}", "type": "message", "role": "assistant", "model": asked.model,
            "content": _anthropic_content(said),
            "stop_reason": "tool_use" if said.calls else "end_turn", "stop_sequence": None,
            "usage": {"input_tokens": said.input_tokens, "output_tokens": said.output_tokens},
        }  # fmt: skip

    @staticmethod
    def events(asked: Asked, said: Said) -> Iterator[bytes]:
        start = {
            "id": f"msg_{next(_ids)}", "type": "message", "role": "assistant", "model": asked.model, "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": said.input_tokens, "output_tokens": 1},
        }  # fmt: skip
        yield _named("message_start", {"message": start})
        for index, block in enumerate(_anthropic_content(said)):
            yield from _anthropic_block(index, block)
        reason = "tool_use" if said.calls else "end_turn"
        usage = {"output_tokens": said.output_tokens}
        yield _named("message_delta", {"delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage})
        yield _named("message_stop", {})


def _anthropic_message(message: dict[str, Any]) -> dict[str, Any]:
    """Read the results of tools, which Anthropic sends as a user's, as the tool's own message."""
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    if any(isinstance(block, dict) and block.get("type") == "tool_result" for block in blocks):
        return {"role": "tool", "content": text_of(content)}
    return message


def _anthropic_content(said: Said) -> list[dict[str, Any]]:
    if said.calls:
        return [{"type": "tool_use", "id": f"toolu_{next(_ids)}", "name": name, "input": args} for name, args in said.calls]
    return [{"type": "text", "text": said.text}]


def _anthropic_block(index: int, block: dict[str, Any]) -> Iterator[bytes]:
    is_text = block["type"] == "text"
    empty = {**block, "text": ""} if is_text else {**block, "input": {}}
    yield _named("content_block_start", {"index": index, "content_block": empty})
    whole = block["text"] if is_text else json.dumps(block["input"], ensure_ascii=False)
    for part in _parts(whole):
        delta = {"type": "text_delta", "text": part} if is_text else {"type": "input_json_delta", "partial_json": part}
        yield _named("content_block_delta", {"index": index, "delta": delta})
    yield _named("content_block_stop", {"index": index})


class Bedrock:
    """``/model/{id}/converse``, and ``/converse-stream`` in Amazon's binary event streams."""

    stream_type = "application/vnd.amazon.eventstream"

    @staticmethod
    def read(body: dict[str, Any], path: str) -> Asked:
        return Asked(path.removeprefix("/model/").rpartition("/")[0], body.get("messages", []), {})

    @staticmethod
    def streams(body: dict[str, Any], path: str) -> bool:  # noqa: ARG004 - other formats tell by the body
        return path.endswith("/converse-stream")

    @staticmethod
    def error(code: str, message: str) -> dict[str, Any]:
        return {"__type": code, "message": message}

    @staticmethod
    def whole(asked: Asked, said: Said) -> dict[str, Any]:  # noqa: ARG004 - other formats name the model
        usage = {"inputTokens": said.input_tokens, "outputTokens": said.output_tokens}
        return {
            "output": {"message": {"role": "assistant", "content": [{"text": said.text}]}},
            "stopReason": "end_turn", "metrics": {"latencyMs": 1},
            "usage": {**usage, "totalTokens": sum(usage.values())},
        }  # fmt: skip

    @classmethod
    def events(cls, asked: Asked, said: Said) -> Iterator[bytes]:
        yield _binary("messageStart", {"role": "assistant"})
        for part in _parts(said.text):
            yield _binary("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": part}})
        yield _binary("contentBlockStop", {"contentBlockIndex": 0})
        yield _binary("messageStop", {"stopReason": "end_turn"})
        yield _binary("metadata", {"usage": cls.whole(asked, said)["usage"], "metrics": {"latencyMs": 1}})


def _binary(kind: str, data: dict[str, Any]) -> bytes:
    """Return an event as Amazon frames it: lengths and their checksum, headers, payload, checksum of all."""
    names = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        len(name).to_bytes(1) + name.encode() + b"\x07" + len(value).to_bytes(2) + value.encode() for name, value in names.items()
    )
    body = json.dumps(data, ensure_ascii=False).encode()
    prelude = (len(headers) + len(body) + 16).to_bytes(4) + len(headers).to_bytes(4)
    framed = prelude + zlib.crc32(prelude).to_bytes(4) + headers + body
    return framed + zlib.crc32(framed).to_bytes(4)


def _parts(text: str) -> Iterator[str]:
    for at in range(0, len(text), 8):
        yield text[at : at + 8]


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def _named(kind: str, data: dict[str, Any]) -> bytes:
    return f"event: {kind}\n".encode() + _event({"type": kind, **data})
