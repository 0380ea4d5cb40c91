# ruff: noqa: E501 - rows of data and sentences as providers write them stay on a line
"""41 answers as their providers write them, each parsed by its author's own client from the body of an answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

PNG: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+M8AAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
SAID: Final = "Bonn is sunny."
URL: Final = "https://example.com/bonn"
ARGS: Final = {"q": "Bonn"}


@dataclass(frozen=True)
class Author:
    """One answer.

    Args:
        name: What it shows.
        provider: Package of the author's client.
        body: Body of the provider's answer.
        text: What the next model must be told of it; empty where it has no text.
        calls: Whether tools were called, so that results follow.
        picture: Whether a picture was made.
        cites: Whether it names a source.
        more: Arguments of the author's client.
    """

    name: str
    provider: str
    body: dict[str, Any]
    text: str = SAID
    calls: bool = False
    picture: bool = False
    cites: bool = False
    more: tuple[tuple[str, Any], ...] = ()


def _chat(message: dict[str, Any], finish: str = "stop", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}
    usage = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "fast",
        "choices": [choice],
        "usage": usage,
        "system_fingerprint": "f",
        **more,
    }


def _calls(*ids: str, arguments: str | None = None) -> list[dict[str, Any]]:
    written = json.dumps(ARGS) if arguments is None else arguments
    return [
        {"id": one, "type": "function", "function": {"name": name, "arguments": written if at == 0 else json.dumps(ARGS)}}
        for at, (one, name) in enumerate(zip(ids, ("find", "look"), strict=False))
    ]


def _responses(*items: dict[str, Any]) -> dict[str, Any]:
    usage = {
        "input_tokens": 5,
        "output_tokens": 5,
        "total_tokens": 10,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "fast", "output": list(items), "parallel_tool_calls": True,
        "tool_choice": "auto", "tools": [], "error": None, "incomplete_details": None, "instructions": None, "metadata": {}, "temperature": 1, "top_p": 1, "usage": usage,
    }  # fmt: skip


def _said(*, annotations: list[dict[str, Any]] | None = None, refusal: str = "") -> dict[str, Any]:
    content = (
        {"type": "refusal", "refusal": refusal} if refusal else {"type": "output_text", "text": SAID, "annotations": annotations or []}
    )
    return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [content]}


def _called(at: int, name: str) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{at}",
        "call_id": f"call_{at}",
        "name": name,
        "arguments": json.dumps(ARGS),
        "status": "completed",
    }


CITED: Final = {"type": "url_citation", "url": URL, "title": "Bonn", "start_index": 0, "end_index": 4}
SEALED: Final = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "gAAAAsealed"}
SEARCHED: Final = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "Bonn weather"}}
CODED: Final = {
    "type": "code_interpreter_call",
    "id": "ci_1",
    "status": "completed",
    "code": "print(1)",
    "container_id": "cntr_1",
    "outputs": [{"type": "logs", "logs": "1"}],
}
MADE: Final = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PNG, "output_format": "png"}


def _claude(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "msg_01", "type": "message", "role": "assistant", "model": "fast", "content": list(blocks), "stop_reason": "tool_use" if any(b["type"] == "tool_use" for b in blocks) else "end_turn",
        "stop_sequence": None, "usage": {"input_tokens": 5, "output_tokens": 5},
    }  # fmt: skip


THOUGHT: Final = {"type": "thinking", "thinking": "hm", "signature": "sealed="}
HIDDEN: Final = {"type": "redacted_thinking", "data": "sealed="}
USES: Final = (
    {"type": "tool_use", "id": "toolu_01", "name": "find", "input": ARGS},
    {"type": "tool_use", "id": "toolu_02", "name": "look", "input": ARGS},
)
CLAUDE_SEARCH: Final = (
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "Bonn weather"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result", "url": URL, "title": "Bonn", "encrypted_content": "x", "page_age": None}]},
    {"type": "text", "text": SAID, "citations": [{"type": "web_search_result_location", "url": URL, "title": "Bonn", "encrypted_index": "x", "cited_text": "sunny"}]},
)  # fmt: skip
CLAUDE_CITED: Final = {
    "type": "text",
    "text": SAID,
    "citations": [
        {
            "type": "char_location",
            "cited_text": "sunny",
            "document_index": 0,
            "document_title": "Report",
            "start_char_index": 0,
            "end_char_index": 5,
            "file_id": None,
        }
    ],
}


def _gemini(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP", "index": 0, **more}
    return {
        "candidates": [candidate],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 5, "totalTokenCount": 10},
        "modelVersion": "fast",
        "responseId": "r",
    }


THINKS: Final = {"text": "hm", "thought": True}
GEMINI_CALLS: Final = (
    {"functionCall": {"name": "find", "args": ARGS}, "thoughtSignature": "c2VhbGVk"},
    {"functionCall": {"name": "look", "args": ARGS}},
)
GROUNDED: Final = {
    "groundingMetadata": {
        "groundingChunks": [{"web": {"uri": URL, "title": "Bonn"}}],
        "webSearchQueries": ["Bonn"],
        "groundingSupports": [],
    }
}


def _bedrock(*blocks: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": list(blocks)}},
        "stopReason": stop,
        "metrics": {"latencyMs": 1},
        "usage": {"inputTokens": 5, "outputTokens": 5, "totalTokens": 10},
    }


def _cohere(message: dict[str, Any], finish: str = "COMPLETE") -> dict[str, Any]:
    tokens = {"input_tokens": 5, "output_tokens": 5}
    return {
        "id": "c",
        "finish_reason": finish,
        "message": {"role": "assistant", **message},
        "usage": {"billed_units": tokens, "tokens": tokens},
    }


def _ollama(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": "fast",
        "created_at": "2026-12-01T00:00:00Z",
        "message": {"role": "assistant", **message},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 5,
        "eval_count": 5,
    }


V1: Final = (("output_version", "v1"),)
OVER: Final = (("use_responses_api", True),)
_LONG: Final = "call_" + "x" * 60
AUTHORS: Final = (
    Author("OpenAI chat: text + 2 calls", "openai", _chat({"content": SAID, "tool_calls": _calls("call_1", "call_2")}, "tool_calls"), calls=True),
    Author("OpenAI chat: text", "openai", _chat({"content": SAID})),
    Author("OpenAI chat: refusal", "openai", _chat({"content": None, "refusal": "I can't do that."}), text="I can't do that."),
    Author("OpenAI chat: audio", "openai", _chat({"content": None, "audio": {"id": "a", "data": "QUJD", "expires_at": 9, "transcript": SAID}})),
    Author("OpenAI chat: arguments are no JSON", "openai", _chat({"content": None, "tool_calls": _calls("call_1", "call_2", arguments='{"q": ')}, "tool_calls"), text="", calls=True),
    Author("OpenAI chat: empty ids", "openai", _chat({"content": None, "tool_calls": _calls("", "")}, "tool_calls"), text="", calls=True),
    Author("OpenAI chat: long ids", "openai", _chat({"content": None, "tool_calls": _calls(_LONG, _LONG + "y")}, "tool_calls"), text="", calls=True),
    Author("OpenAI chat: ids as functions.f:0", "openai", _chat({"content": None, "tool_calls": _calls("functions.find:0", "functions.look:1")}, "tool_calls"), text="", calls=True),
    Author("Responses: sealed reasoning, calls", "openai", _responses(SEALED, _said(), _called(1, "find"), _called(2, "look")), calls=True, more=OVER),
    Author("Responses: web search", "openai", _responses(SEARCHED, _said(annotations=[CITED])), cites=True, more=OVER),
    Author("Responses: refusal", "openai", _responses(_said(refusal="I can't do that.")), text="I can't do that.", more=OVER),
    Author("Responses: picture made", "openai", _responses(MADE, _said()), picture=True, more=OVER),
    Author("Responses: code interpreter", "openai", _responses(CODED, _said()), more=OVER),
    Author("Responses v1: calls", "openai", _responses(SEALED, _said(), _called(1, "find"), _called(2, "look")), calls=True, more=OVER + V1),
    Author("Responses v1: web search", "openai", _responses(SEARCHED, _said(annotations=[CITED])), cites=True, more=OVER + V1),
    Author("Claude: thinking, redacted, calls", "anthropic", _claude(THOUGHT, HIDDEN, {"type": "text", "text": SAID}, *USES), calls=True),
    Author("Claude: text", "anthropic", _claude({"type": "text", "text": SAID})),
    Author("Claude: web search", "anthropic", _claude(*CLAUDE_SEARCH), cites=True),
    Author("Claude: citations of documents", "anthropic", _claude(CLAUDE_CITED)),
    Author("Claude: empty turn", "anthropic", _claude(), text=""),
    Author("Claude v1: thinking, calls", "anthropic", _claude(THOUGHT, {"type": "text", "text": SAID}, *USES), calls=True, more=V1),
    Author("Claude v1: web search", "anthropic", _claude(*CLAUDE_SEARCH), cites=True, more=V1),
    Author("Gemini: thoughts, signature, calls", "google_genai", _gemini(THINKS, {"text": SAID}, *GEMINI_CALLS), calls=True),
    Author("Gemini: grounding", "google_genai", _gemini({"text": SAID}, **GROUNDED), cites=True),
    Author("Gemini: picture", "google_genai", _gemini({"text": SAID}, {"inlineData": {"mimeType": "image/png", "data": PNG}}), picture=True),
    Author("Gemini: code execution", "google_genai", _gemini({"executableCode": {"language": "PYTHON", "code": "print(1)"}}, {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}, {"text": SAID})),
    Author("Gemini v1: calls", "google_genai", _gemini(THINKS, {"text": SAID}, *GEMINI_CALLS), calls=True, more=V1),
    Author("Mistral: thinking chunks, calls", "mistralai", _chat({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": SAID}], "tool_calls": _calls("abcdefgh1", "abcdefgh2")}, "tool_calls"), calls=True),
    Author("Mistral: text", "mistralai", _chat({"content": SAID})),
    Author("Cohere: plan, calls", "cohere", _cohere({"tool_plan": SAID, "tool_calls": _calls("find_1", "look_2")}, "TOOL_CALL"), text="", calls=True),
    Author("Cohere: citations", "cohere", _cohere({"content": [{"type": "text", "text": SAID}], "citations": [{"start": 0, "end": 4, "text": "Bonn", "sources": [{"type": "document", "id": "d1", "document": {"title": "Report"}}]}]})),
    Author("Cohere: thinking", "cohere", _cohere({"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": SAID}]})),
    Author("Bedrock: reasoningContent, calls", "bedrock_converse", _bedrock({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sealed="}}}, {"text": SAID}, {"toolUse": {"toolUseId": "tooluse_1", "name": "find", "input": ARGS}}, {"toolUse": {"toolUseId": "tooluse_2", "name": "look", "input": ARGS}}, stop="tool_use"), calls=True),
    Author("Bedrock: text", "bedrock_converse", _bedrock({"text": SAID})),
    Author("Ollama: reasoning, calls", "ollama", _ollama({"content": SAID, "thinking": "hm", "tool_calls": [{"function": {"name": name, "arguments": ARGS}} for name in ("find", "look")]}), calls=True, more=(("reasoning", True),)),
    Author("Groq: reasoning, calls", "groq", _chat({"content": SAID, "reasoning": "hm", "tool_calls": _calls("call_1", "call_2")}, "tool_calls"), calls=True),
    Author("DeepSeek: reasoning, calls", "deepseek", _chat({"content": SAID, "reasoning_content": "hm", "tool_calls": _calls("call_1", "call_2")}, "tool_calls"), calls=True),
    Author("DeepSeek: reasoning", "deepseek", _chat({"content": SAID, "reasoning_content": "hm"})),
    Author("xAI: reasoning, calls", "xai", _chat({"content": SAID, "reasoning_content": "hm", "tool_calls": _calls("call_1", "call_2")}, "tool_calls"), calls=True),
    Author("xAI: citations", "xai", _chat({"content": SAID}, citations=[URL]), cites=True),
    Author("OpenRouter: reasoning, calls", "openrouter", _chat({"content": SAID, "reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1", "index": 0}], "tool_calls": _calls("call_1", "call_2")}, "tool_calls"), calls=True),
)  # fmt: skip
Make = Callable[..., Any]
