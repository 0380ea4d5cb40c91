"""Answers that are usable although they are not written as they should be: they are read, and handed on as they were meant.

JSON behind a fence, a thinking trace or a sentence; numbers and booleans written as texts where the schema says what they are; a
tool's name with the namespace that a model puts before it; no arguments written as ``null``. What needs guessing is left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, cast

from crew_router.execute.json_schema import Schema, problems, resolved
from crew_router.types.outcome import ToolCall
from crew_router.types.transport import Payload, Reply

_FENCE: Final = re.compile(r"```[ \t]*(?:json|jsonc|json5|JSON)?[ \t]*\r?\n?(.*?)```", re.DOTALL)
_TRACE: Final = re.compile(r"<(think|thinking|thought|reasoning|reflection|analysis)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_TRACE_END: Final = re.compile(r"^.*?</(?:think|thinking|thought|reasoning|analysis)>", re.DOTALL | re.IGNORECASE)
_NOTHING: Final = frozenset({"", "null", "none", "undefined", "{}", '""'})
_MOST_STARTS: Final = 200
_DEEPEST: Final = 32
_MISSING: Final = object()


def usable(reply: Reply, payload: Payload) -> Reply:
    """Return the reply as it was meant: the same object where nothing had to be read into it."""
    calls = tuple(_call(call, payload) for call in reply.tool_calls)
    changed = calls != reply.tool_calls
    text = reply.text if reply.tool_calls else _text(reply.text, payload)
    if text == reply.text and not changed:
        return reply
    return replace(reply, text=text, tool_calls=calls)


def schemas_of(payload: Payload) -> dict[str, Schema]:
    """Return the schema of each tool that was offered by its name; tools that a provider runs itself have none."""
    found: dict[str, Schema] = {}
    for tool in payload.tools:
        function = cast("Mapping[str, object]", tool.get("function", tool))
        name, schema = function.get("name"), function.get("parameters")
        if isinstance(name, str):
            found[name] = cast("Schema", schema) if isinstance(schema, Mapping) else {}
    return found


def wanted_schema(payload: Payload) -> Schema | None:
    """Return the schema of the JSON that was asked for, an empty one for any JSON, ``None`` where none was."""
    wanted = payload.response_format or {}
    if wanted.get("type") not in {"json_object", "json_schema"}:
        return None
    described = wanted.get("json_schema")
    schema = cast("Mapping[str, object]", described).get("schema") if isinstance(described, Mapping) else None
    return cast("Schema", schema) if isinstance(schema, Mapping) else {}


def _call(call: ToolCall, payload: Payload) -> ToolCall:
    offered = schemas_of(payload)
    name = _name(call.name, offered)
    arguments = _arguments(call.arguments, offered.get(name, {}))
    return call if (name, arguments) == (call.name, call.arguments) else replace(call, name=name, arguments=arguments)


def _name(name: str, offered: Mapping[str, Schema]) -> str:
    """Return the name of the offered tool that is meant: without a namespace before it, or what a model's template left behind it."""
    if name in offered or not offered:
        return name
    plain = re.split(r"<\||\s*\(|:\d+$", name.strip(), maxsplit=1)[0].strip().strip("\"'`")
    spelled = [plain, *(re.split(r"[.:/]|__", plain)[-1:]), plain.replace("-", "_"), plain.replace("_", "-")]
    found = [one for one in dict.fromkeys(spelled) if one in offered]
    if found:
        return found[0]
    same = [one for one in offered if one.lower() == plain.lower()]
    return same[0] if len(same) == 1 else name


def _arguments(written: str, schema: Schema) -> str:
    if written.strip().lower() in _NOTHING:
        return "{}"
    value = _loaded(written)
    if isinstance(value, str):  # a JSON text inside a JSON text
        value = _loaded(value)
    if value is None:
        return "{}" if isinstance(_loaded(written), str) else written
    if value is _MISSING:
        found = [cast("object", one) for one in _candidates(written) if isinstance(one, dict)]
        value = found[0] if found else _MISSING
    if not isinstance(value, dict):
        return written
    read = coerced(cast("object", value), schema)
    plain = _loaded(written)
    return written if plain == read and isinstance(plain, dict) else json.dumps(read, ensure_ascii=False)


def _text(text: str, payload: Payload) -> str:
    schema = wanted_schema(payload)
    if schema is None or not text.strip():
        return text
    plain = _loaded(text)
    if plain is not _MISSING:
        inner = _loaded(plain) if isinstance(plain, str) else plain
        inner = plain if inner is _MISSING else inner
        read = coerced(inner, schema)
        return text if read is plain or read == plain else json.dumps(read, ensure_ascii=False)
    for found in _candidates(text):
        read = coerced(found, schema)
        if _is_whole(read) and not problems(read, schema):
            return json.dumps(read, ensure_ascii=False)
    return text


def _candidates(text: str) -> Iterator[object]:
    """Yield the JSON values in a text, those after a thinking trace and in fences first."""
    after = _TRACE_END.sub("", _TRACE.sub("", text), count=1)
    for slot in dict.fromkeys((after, text)):
        whole = _loaded(slot)
        if whole is not _MISSING:
            yield whole
        for fenced in reversed(_FENCE.findall(slot)):
            value = _loaded(fenced)
            if value is not _MISSING:
                yield value
        yield from _embedded(slot)


def _embedded(text: str) -> Iterator[object]:
    """Yield the objects and arrays that begin somewhere in a text, each whole, none inside another."""
    decoder, at = json.JSONDecoder(), 0
    for _ in range(_MOST_STARTS):
        start = re.compile(r"[{\[]").search(text, at)
        if start is None:
            return
        try:
            value, at = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            at = start.start() + 1
            continue
        yield value


def _loaded(text: object) -> object:
    if not isinstance(text, str):
        return _MISSING
    try:
        return cast("object", json.loads(text))
    except (ValueError, RecursionError):
        return _MISSING


def _is_whole(value: object) -> bool:
    return isinstance(value, (dict, list))


def _inside(value: object, schema: Schema, root: Schema, depth: int) -> object:
    """Return an object or a list with its members read; everything else stays as it is."""
    if isinstance(value, dict):
        return _object(cast("dict[str, object]", value), schema, root, depth)
    items = schema.get("items")
    if not isinstance(value, list) or not isinstance(items, Mapping):
        same: object = value
        return same
    members: list[object] = [coerced(item, cast("Schema", items), root, depth=depth + 1) for item in cast("list[object]", value)]
    return members


def coerced(value: object, schema: Schema, root: Schema | None = None, *, depth: int = 0) -> object:
    """Return a value with texts read as the numbers, booleans and objects that the schema says they are; what fits stays as it is."""
    root = schema if root is None else root
    if depth > _DEEPEST or not schema:
        return value
    if "$ref" in schema:
        target = resolved(str(schema["$ref"]), root)
        return value if target is None else coerced(value, target, root, depth=depth + 1)
    read = _inside(_typed(value, schema.get("type")), schema, root, depth)
    for part in _parts(schema.get("allOf")):
        read = coerced(read, part, root, depth=depth + 1)
    return _chosen(read, [*_parts(schema.get("anyOf")), *_parts(schema.get("oneOf"))], root, depth)


def _chosen(value: object, parts: Sequence[Schema], root: Schema, depth: int) -> object:
    if not parts or any(not problems(value, part, root) for part in parts):
        return value
    read = [coerced(value, part, root, depth=depth + 1) for part in parts]
    return next((one for one, part in zip(read, parts, strict=True) if not problems(one, part, root)), value)


def _object(value: dict[str, object], schema: Schema, root: Schema, depth: int) -> dict[str, object]:
    properties, others = schema.get("properties"), schema.get("additionalProperties")
    known: Mapping[str, Schema] = cast("Mapping[str, Schema]", properties) if isinstance(properties, Mapping) else {}
    rest: Schema = cast("Schema", others) if isinstance(others, Mapping) else {}
    return {name: coerced(item, known.get(name, rest), root, depth=depth + 1) for name, item in value.items()}


def _typed(value: object, wanted: object) -> object:
    """Return a text as the type that is wanted; a text stays one where a text is allowed."""
    names = (
        [wanted]
        if isinstance(wanted, str)
        else [str(name) for name in cast("Sequence[object]", wanted)]
        if isinstance(wanted, Sequence)
        else []
    )
    if not isinstance(value, str) or not names or "string" in names:
        return value
    plain = value.strip()
    if plain.lower() in {"true", "false"} and "boolean" in names:
        return plain.lower() == "true"
    if plain.lower() in {"null", "none", ""} and "null" in names:
        return None
    read = _loaded(plain)
    if isinstance(read, bool) or read is _MISSING:
        return value
    if isinstance(read, int) and {"integer", "number"} & {*names}:
        return read
    if isinstance(read, float):
        return int(read) if read.is_integer() and "number" not in names and "integer" in names else read if "number" in names else value
    fits = (isinstance(read, dict) and "object" in names) or (isinstance(read, list) and "array" in names)
    whole: object = _loaded(plain) if fits else value
    return whole


def _parts(parts: object) -> list[Schema]:
    return [cast("Schema", part) for part in cast("list[object]", parts) if isinstance(part, Mapping)] if isinstance(parts, list) else []
