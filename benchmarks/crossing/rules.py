# ruff: noqa: C901 - one rule a branch, as the provider words it
"""What each provider documents as valid in a conversation, as far as these 41 answers can break it; read on 2026-12-01."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

_PLAIN_ID: Final = re.compile(r"[a-zA-Z0-9_-]+")


def problems(kind: str, body: dict[str, Any]) -> list[str]:
    """Return what a provider would refuse in the body of a request."""
    return list(_CHECKS[kind](body))


def _chat(
    body: dict[str, Any],
    *,
    longest: int = 40,
    shape: str | None = None,
    parts: frozenset[str] = frozenset({"text", "refusal"}),
    results: frozenset[str] = frozenset({"text"}),
    either: bool = False,
) -> Iterator[str]:
    waiting: list[str] = []
    before = ""
    for message in body["messages"]:
        role, content = message["role"], message.get("content")
        if role != "tool" and waiting:
            yield f"calls without a result: {waiting}"
            waiting = []
        if role == "assistant":
            calls = message.get("tool_calls") or []
            if not calls and not _has_text(content):
                yield "an assistant's turn without content"
            yield from _part_types(content, parts)
            if either and calls and _has_text(content):
                yield "an answer with text and calls"
            for call in calls:
                yield from _call_id(call.get("id"), longest, shape)
                yield from _arguments(call["function"]["arguments"])
                waiting.append(call.get("id"))
        elif role == "tool":
            if message.get("tool_call_id") not in waiting:
                yield f"a result without its call: {message.get('tool_call_id')!r}"
            else:
                waiting.remove(message["tool_call_id"])
            yield from _part_types(content, results)
        elif role == "user":
            if either and before == "tool":
                yield "a user right after the result of a tool"
            yield from _part_types(content, frozenset({"text", "image_url", "input_audio", "file"}))
        before = role
    if waiting:
        yield f"calls without a result: {waiting}"


def _has_text(content: Any) -> bool:
    if isinstance(content, str):
        return bool(content.strip())
    return any(isinstance(part, str) or part.get("text") or part.get("refusal") for part in content or [])


def _part_types(content: Any, allowed: frozenset[str]) -> Iterator[str]:
    for part in content if isinstance(content, list) else []:
        if isinstance(part, dict) and part.get("type") not in allowed:
            yield f"a part of type {part.get('type')!r}"


def _call_id(given: Any, longest: int, shape: str | None) -> Iterator[str]:
    if not given:
        yield "an empty id"
    elif len(given) > longest or (shape is not None and not re.fullmatch(shape, given)):
        yield f"an id that is not taken: {given!r}"


def _arguments(given: Any) -> Iterator[str]:
    try:
        read = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        read = None
    if not isinstance(read, dict):
        yield f"arguments that are no object: {given!r}"


def _responses(body: dict[str, Any]) -> Iterator[str]:
    waiting: list[str] = []
    for item in body["input"]:
        kind = item.get("type", "message")
        if kind == "function_call":
            yield from _call_id(item.get("call_id"), 64, None)
            yield from _arguments(item["arguments"])
            waiting.append(item.get("call_id"))
        elif kind == "function_call_output":
            if item.get("call_id") not in waiting:
                yield f"a result without its call: {item.get('call_id')!r}"
            else:
                waiting.remove(item["call_id"])
        elif kind == "message":
            allowed = {"output_text", "refusal"} if item["role"] == "assistant" else {"input_text", "input_image", "input_file"}
            yield from _part_types(item.get("content"), frozenset(allowed))
            if item["role"] == "assistant" and not _has_text(item.get("content")):
                yield "an assistant's turn without content"
        elif kind == "reasoning" and not item.get("encrypted_content") and not str(item.get("id", "")).startswith("rs_"):
            yield "reasoning of somebody else"
        elif kind not in {"reasoning", "web_search_call", "code_interpreter_call", "image_generation_call"}:
            yield f"an item of type {kind!r}"
    if waiting:
        yield f"calls without a result: {waiting}"


def _claude(body: dict[str, Any]) -> Iterator[str]:
    allowed = {
        "user": {"text", "image", "document", "tool_result"},
        "assistant": {"text", "tool_use", "thinking", "redacted_thinking", "server_tool_use", "web_search_tool_result"},
    }
    waiting: set[str] = set()
    for message in body["messages"]:
        blocks = message["content"] if isinstance(message["content"], list) else [{"type": "text", "text": message["content"]}]
        if message["role"] not in allowed:
            yield f"a message of {message['role']!r}"
            continue
        if not blocks:
            yield "a turn without content"
        results = {block.get("tool_use_id") for block in blocks if block.get("type") == "tool_result"}
        if waiting - results or results - waiting:
            yield f"calls {sorted(waiting)} and results {sorted(results)}"
        waiting = set()
        for block in blocks:
            kind = block.get("type")
            if kind not in allowed[message["role"]]:
                yield f"a block of type {kind!r}"
            if kind == "text" and not block["text"].strip():
                yield "an empty text"
            if kind == "thinking" and not block.get("signature"):
                yield "thinking without a signature"
            if kind == "tool_use":
                if not _PLAIN_ID.fullmatch(block["id"]) or not isinstance(block["input"], dict):
                    yield f"a call that is not taken: {block}"
                waiting.add(block["id"])
    if waiting:
        yield f"calls without a result: {sorted(waiting)}"


def _google(body: dict[str, Any]) -> Iterator[str]:
    known = {
        "text",
        "inlineData",
        "inline_data",
        "fileData",
        "functionCall",
        "functionResponse",
        "thought",
        "thoughtSignature",
        "thought_signature",
        "executableCode",
        "codeExecutionResult",
    }
    waiting = 0
    for content in body["contents"]:
        parts = content.get("parts") or []
        if not parts or all(not part or (set(part) == {"text"} and not part["text"]) for part in parts):
            yield "a turn without content"
        for part in parts:
            if set(part) - known:
                yield f"a part {sorted(set(part) - known)}"
        made = sum("functionCall" in part for part in parts)
        answered = sum("functionResponse" in part for part in parts)
        if answered and not waiting:
            yield "results without calls"
        waiting = max(waiting - answered, 0) + made
    if waiting:
        yield f"{waiting} calls without a result"


def _cohere(body: dict[str, Any]) -> Iterator[str]:
    yield from _chat(body, longest=200, parts=frozenset({"text"}), results=frozenset({"text", "document"}))


def _bedrock(body: dict[str, Any]) -> Iterator[str]:
    waiting: set[str] = set()
    for message in body["messages"]:
        blocks = message["content"]
        if not blocks:
            yield "a turn without content"
        results = {block["toolResult"]["toolUseId"] for block in blocks if "toolResult" in block}
        if waiting - results or results - waiting:
            yield f"calls {sorted(waiting)} and results {sorted(results)}"
        waiting = set()
        for block in blocks:
            if set(block) - {"text", "image", "document", "toolUse", "toolResult", "reasoningContent", "cachePoint"}:
                yield f"a block {sorted(block)}"
            if "text" in block and not block["text"].strip():
                yield "an empty text"
            if "toolUse" in block:
                used = block["toolUse"]
                if not re.fullmatch(r"[a-zA-Z0-9_.:-]{1,64}", used["toolUseId"]) or not isinstance(used["input"], dict):
                    yield f"a call that is not taken: {used}"
                waiting.add(used["toolUseId"])
    if waiting:
        yield f"calls without a result: {sorted(waiting)}"


def _ollama(body: dict[str, Any]) -> Iterator[str]:
    for message in body["messages"]:
        if message["role"] == "assistant" and not message.get("tool_calls") and not str(message.get("content") or "").strip():
            yield "an assistant's turn without content"
        for call in message.get("tool_calls") or []:
            yield from _arguments(call["function"]["arguments"])
        if not isinstance(message.get("content"), (str, type(None))):
            yield "content that is no text"


def _mistral(body: dict[str, Any]) -> Iterator[str]:
    yield from _chat(body, shape=r"[a-zA-Z0-9]{9}", parts=frozenset({"text", "thinking"}), either=True)


_CHECKS: Final = {
    "openai": _chat, "responses": _responses, "anthropic": _claude, "google_genai": _google, "mistralai": _mistral, "cohere": _cohere,
    "bedrock": _bedrock, "ollama": _ollama, "groq": _chat, "deepseek": _chat, "xai": _chat, "openrouter": _chat,
}  # fmt: skip
