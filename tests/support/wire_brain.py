"""What a fake model on loopback says: deterministic answers that satisfy schemas, tool choices and stop words."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One request, whatever wire format it came in."""

    model: str
    messages: list[dict[str, Any]]
    tools: dict[str, dict[str, Any]]
    forced: str | None = None  # name of a tool, or "any"
    silent: bool = False  # tool_choice "none"
    schema: dict[str, Any] | None = None
    json_mode: bool = False
    stop: tuple[str, ...] = ()
    wants_usage: bool = False


@dataclass(frozen=True)
class Said:
    """One answer: text, or calls as (name, arguments)."""

    text: str
    calls: tuple[tuple[str, dict[str, Any]], ...]
    input_tokens: int
    output_tokens: int


def say(asked: Asked) -> Said:
    """Answer a request: a tool call where one is wanted, JSON where a schema is given, an echo otherwise."""
    user = " ".join(text_of(message.get("content")) for message in asked.messages if message.get("role") == "user")
    calls = tuple(_calls(asked, user))
    text = "" if calls else _text(asked, user)
    spent = sum(len(text_of(message.get("content"))) for message in asked.messages)
    written = len(text) + sum(len(json.dumps(arguments)) for _, arguments in calls)
    return Said(text, calls, max(1, spent // 4), max(1, written // 4))


def text_of(content: object) -> str:
    """Return the text of a content that is a string or a list of blocks."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return " ".join(str(block.get("text") or block.get("content") or "") for block in blocks if isinstance(block, dict))


def _calls(asked: Asked, user: str) -> list[tuple[str, dict[str, Any]]]:
    last_is_user = bool(asked.messages) and asked.messages[-1].get("role") == "user"
    if not asked.tools or asked.silent or asked.schema or not (asked.forced or last_is_user):
        return []
    name = asked.forced if asked.forced in asked.tools else next(iter(asked.tools))
    schema = asked.tools[name]
    return [(name, sample(schema, schema.get("$defs", {}), text=user))]


def _text(asked: Asked, user: str) -> str:
    if asked.schema is not None:
        return json.dumps(sample(asked.schema, asked.schema.get("$defs", {}), text=user), ensure_ascii=False)
    if asked.json_mode:
        return json.dumps({"setup": "why", "punchline": "because"})
    text = f"Hello from {asked.model}, and you asked: {user[:60]}"
    for word in asked.stop:
        text = text.split(word, maxsplit=1)[0]
    return text


def sample(schema: dict[str, Any], defs: dict[str, Any], *, text: str, key: str = "") -> Any:
    """Return a value that satisfies a JSON schema, with numbers and names taken from the text."""
    if "$ref" in schema:
        return sample(defs[schema["$ref"].split("/")[-1]], defs, text=text, key=key)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            options = [option for option in schema[union] if option.get("type") != "null"]
            return sample((options or schema[union])[0], defs, text=text, key=key)
    return _plain_sample(schema, defs, text=text, key=key)


def _plain_sample(schema: dict[str, Any], defs: dict[str, Any], *, text: str, key: str) -> Any:
    kind = schema.get("type")
    kind = next(one for one in kind if one != "null") if isinstance(kind, list) else kind
    if kind == "object" or "properties" in schema:
        return {name: sample(inner, defs, text=text, key=name) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [sample(schema.get("items", {}), defs, text=text, key=key)]
    if kind in {"integer", "number"}:
        numbers = re.findall(r"-?\d+", text)
        return int(numbers[-1]) if numbers else 3
    named = re.search(r"named '([^']+)'", text)
    scalars: dict[object, object] = {"boolean": True, "null": None}
    return scalars.get(kind, named[1] if named and "name" in key else f"sample {key or 'text'}")
