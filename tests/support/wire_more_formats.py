# ruff: noqa: E501 - rows of data and sentences as providers write them stay on a line
# ruff: noqa: D102 - the classes have the same five methods as those of wire_formats, named by what they do
"""More wire formats of the fake provider: OpenAI's Responses API, Google's, Cohere's and Ollama's. Tool calls are not made up here."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from wire_brain import Asked, Said

_ids = itertools.count(1)


class Responses:
    """``/v1/responses``."""

    stream_type = "text/event-stream"

    @staticmethod
    def read(body: dict[str, Any], path: str) -> Asked:  # noqa: ARG004 - other formats read the path
        given = body.get("input")
        messages = [{"role": "user", "content": given}] if isinstance(given, str) else given or []
        return Asked(body.get("model", "?"), [item for item in messages if "role" in item], {})

    @staticmethod
    def streams(body: dict[str, Any], path: str) -> bool:  # noqa: ARG004 - as above
        return bool(body.get("stream"))

    @staticmethod
    def error(code: str, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": "error", "code": code, "param": None}}

    @staticmethod
    def whole(asked: Asked, said: Said) -> dict[str, Any]:
        text = {"type": "output_text", "text": said.text, "annotations": []}
        item = {"type": "message", "id": f"msg_{next(_ids)}", "status": "completed", "role": "assistant", "content": [text]}
        return {
            "id": f"resp_{next(_ids)}", "object": "response", "created_at": 1, "status": "completed", "model": asked.model, "output": [item],
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None, "incomplete_details": None,
            "instructions": None, "metadata": {}, "temperature": 1.0, "top_p": 1.0,
            "usage": {
                "input_tokens": said.input_tokens, "output_tokens": said.output_tokens, "total_tokens": said.input_tokens + said.output_tokens,
                "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
            },
        }  # fmt: skip

    @classmethod
    def events(cls, asked: Asked, said: Said) -> Iterator[bytes]:
        whole = cls.whole(asked, said)
        item = whole["output"][0]
        begun = {**whole, "status": "in_progress", "output": [], "usage": None}
        numbers = itertools.count()
        at = {"output_index": 0, "content_index": 0, "item_id": item["id"]}

        def event(kind: str, **data: Any) -> bytes:
            return f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': next(numbers), **data}, ensure_ascii=False)}\n\n".encode()

        yield event("response.created", response=begun)
        yield event("response.output_item.added", output_index=0, item={**item, "content": [], "status": "in_progress"})
        yield event("response.content_part.added", **at, part={**item["content"][0], "text": ""})
        for start in range(0, len(said.text), 8):
            yield event("response.output_text.delta", **at, delta=said.text[start : start + 8], logprobs=[])
        yield event("response.output_text.done", **at, text=said.text, logprobs=[])
        yield event("response.output_item.done", output_index=0, item=item)
        yield event("response.completed", response=whole)


class Google:
    """``/v1beta/models/{model}:generateContent`` and ``:streamGenerateContent``."""

    stream_type = "text/event-stream"

    @staticmethod
    def read(body: dict[str, Any], path: str) -> Asked:
        model = path.rpartition("/models/")[2].rpartition(":")[0]
        messages = [
            {
                "role": "user" if content.get("role") == "user" else "assistant",
                "content": [{"text": part.get("text", "")} for part in content["parts"]],
            }
            for content in body.get("contents", [])
        ]
        return Asked(model, messages, {})

    @staticmethod
    def streams(body: dict[str, Any], path: str) -> bool:  # noqa: ARG004 - other formats tell by the body
        return path.endswith(":streamGenerateContent")

    @staticmethod
    def error(code: str, message: str) -> dict[str, Any]:
        return {"error": {"code": 400, "message": message, "status": code}}

    @staticmethod
    def whole(asked: Asked, said: Said) -> dict[str, Any]:
        candidate = {"content": {"role": "model", "parts": [{"text": said.text}]}, "finishReason": "STOP", "index": 0}
        usage = {
            "promptTokenCount": said.input_tokens, "candidatesTokenCount": said.output_tokens,
            "totalTokenCount": said.input_tokens + said.output_tokens,
        }  # fmt: skip
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": asked.model, "responseId": f"r{next(_ids)}"}

    @classmethod
    def events(cls, asked: Asked, said: Said) -> Iterator[bytes]:
        yield b"data: " + json.dumps(cls.whole(asked, said)).encode() + b"\n\n"


class Cohere:
    """``/v2/chat``, which streams as events, and ``/v1/chat``, which streams as lines."""

    stream_type = "text/event-stream"

    @staticmethod
    def read(body: dict[str, Any], path: str) -> Asked:  # noqa: ARG004 - as above
        messages = body.get("messages") or [{"role": "user", "content": body.get("message", "")}]
        return Asked(body.get("model", "?"), messages, {})

    @staticmethod
    def streams(body: dict[str, Any], path: str) -> bool:  # noqa: ARG004 - as above
        return bool(body.get("stream"))

    @staticmethod
    def error(code: str, message: str) -> dict[str, Any]:
        return {"message": message, "code": code}

    @staticmethod
    def whole(asked: Asked, said: Said) -> dict[str, Any]:  # noqa: ARG004 - other formats name the model
        tokens = {"input_tokens": said.input_tokens, "output_tokens": said.output_tokens}
        return {
            "id": f"c{next(_ids)}", "finish_reason": "COMPLETE", "text": said.text, "generation_id": "g", "response_id": "r",
            "message": {"role": "assistant", "content": [{"type": "text", "text": said.text}]},
            "usage": {"billed_units": tokens, "tokens": tokens}, "meta": {"tokens": tokens, "billed_units": tokens},
        }  # fmt: skip

    @classmethod
    def events(cls, asked: Asked, said: Said) -> Iterator[bytes]:
        whole = cls.whole(asked, said)
        end = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": whole["usage"]}}
        text = {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": said.text}}}}
        for event in ({"type": "message-start", "id": "c"}, text, end):
            yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


class Ollama:
    """``/api/chat``."""

    stream_type = "application/x-ndjson"

    @staticmethod
    def read(body: dict[str, Any], path: str) -> Asked:  # noqa: ARG004 - as above
        return Asked(body.get("model", "?"), body.get("messages", []), {})

    @staticmethod
    def streams(body: dict[str, Any], path: str) -> bool:  # noqa: ARG004 - as above
        return bool(body.get("stream", True))

    @staticmethod
    def error(code: str, message: str) -> dict[str, Any]:  # noqa: ARG004 - Ollama has no codes
        return {"error": message}

    @staticmethod
    def whole(asked: Asked, said: Said) -> dict[str, Any]:
        return {
            "model": asked.model, "created_at": "2026-12-01T00:00:00Z", "message": {"role": "assistant", "content": said.text}, "done": True,
            "done_reason": "stop", "prompt_eval_count": said.input_tokens, "eval_count": said.output_tokens, "total_duration": 1,
        }  # fmt: skip

    @classmethod
    def events(cls, asked: Asked, said: Said) -> Iterator[bytes]:
        whole = cls.whole(asked, said)
        for text in (said.text[at : at + 8] for at in range(0, len(said.text), 8)):
            yield (
                json.dumps(
                    {
                        "model": asked.model,
                        "created_at": whole["created_at"],
                        "message": {"role": "assistant", "content": text},
                        "done": False,
                    }
                ).encode()
                + b"\n"
            )
        yield json.dumps({**whole, "message": {"role": "assistant", "content": ""}}).encode() + b"\n"


def format_of(path: str) -> Any:
    """Return the format that is spoken at a path, ``None`` where it is none of these."""
    endings = {
        "/responses": Responses,
        ":generateContent": Google,
        ":streamGenerateContent": Google,
        "/v2/chat": Cohere,
        "/v1/chat": Cohere,
        "/api/chat": Ollama,
    }
    return next((kind for ending, kind in endings.items() if path.endswith(ending)), None)
