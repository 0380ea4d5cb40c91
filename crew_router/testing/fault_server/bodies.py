"""The answers of the server: texts that can be checked, tool calls, structured output, and their numbers of tokens."""

# pyright: basic
# JSON of any shape comes from clients, so strict typing would only add casts.

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_CHARS_PER_TOKEN: Final = 4
_RESTATE_SHARE: Final = 0.5
_WORDS: Final = (
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "juniper", "kelp", "larch",
    "meadow", "north", "ochre", "pine", "quartz", "ridge", "spruce", "thyme", "umber", "vale", "willow", "yarrow",
)  # fmt: skip


def answer_to(prompt: str, *, words: int = 24) -> str:
    """Return the right answer to a prompt: words that depend on it, each once, so that mixed or repeated text is noticed."""
    rng = random.Random(hashlib.sha256(prompt.encode()).hexdigest())  # noqa: S311 - a repeatable text, no secret
    return " ".join(f"{word}{rng.randrange(1000)}" for word in rng.sample(_WORDS, words)) + "."


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: text, or the name and arguments of a tool call; and the tokens of prompt and answer."""

    text: str
    tool: tuple[str, str] | None
    input_tokens: int
    output_tokens: int


def reply_to(body: Mapping[str, Any], *, restate: random.Random) -> Reply:
    """Return the answer to a request. The beginning of an answer is continued; at random its last words are repeated first.

    Args:
        body: The request.
        restate: Decides whether, and how far, words are repeated.
    """
    messages = body.get("messages", [])
    user_text = "\n".join(_text(message) for message in messages if message.get("role") == "user")
    input_tokens = tokens_of("".join(_text(message) for message in messages))
    response_format = body.get("response_format") or {}
    if body.get("tools") and messages[-1].get("role") != "tool":
        function = body["tools"][0]["function"]
        arguments = json.dumps(sample(function.get("parameters") or {}))
        return Reply("", (function["name"], arguments), input_tokens, tokens_of(arguments))
    text = answer_to(user_text)
    if response_format.get("type") == "json_schema":
        text = json.dumps(sample(response_format["json_schema"].get("schema") or {}))
    if messages and messages[-1].get("role") == "assistant":
        text = _continuation(text, _text(messages[-1]), restate)
    return Reply(text, None, input_tokens, tokens_of(text))


def tokens_of(text: str) -> int:
    """Return the tokens of a text as this server counts them."""
    return (len(text) + _CHARS_PER_TOKEN - 1) // _CHARS_PER_TOKEN


def sample(schema: Mapping[str, Any]) -> Any:
    """Return a value that fits a simple JSON Schema."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type", "object"):
        case "object":
            return {name: sample(inner) for name, inner in schema.get("properties", {}).items()}
        case "array":
            return [sample(schema.get("items", {"type": "string"}))]
        case "integer" | "number":
            return 3
        case "boolean":
            return True
        case _:
            return "Bonn"


def _continuation(text: str, prefix: str, rng: random.Random) -> str:
    if not text.startswith(prefix.strip()):
        return text
    continuation = text[len(prefix) :] if text.startswith(prefix) else text[len(prefix.strip()) :]
    if rng.random() >= _RESTATE_SHARE:
        return continuation
    already_sent = text[: len(text) - len(continuation)]
    start = already_sent.rstrip().rfind(" ", 0, max(len(already_sent) - rng.randint(1, 20), 1)) + 1
    return already_sent[start:] + continuation


def last_user_text(body: Mapping[str, Any]) -> str:
    """Return the text of the last message of the user."""
    return next((_text(message) for message in reversed(body.get("messages", [])) if message.get("role") == "user"), "")


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or [] if isinstance(part, dict))
