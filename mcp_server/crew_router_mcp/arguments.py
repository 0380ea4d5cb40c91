"""Read arguments as clients send them: JSON text for an object or a list, numbers and booleans as text, empty text for absent.

The schema that the client was shown is what is read by, so that a refusal is one sentence of ours and no validator behind it
ever sees (and logs) a value that it would refuse.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

from crew_router.errors import shown

Schema: TypeAlias = Mapping[str, Any]

_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})
_MOST: Final = 1e15  # above it a number of tokens, seconds or dollars is a mistake, and a float no longer counts in ones
_ABSENT: Final = object()


class ArgumentError(ValueError):
    """An argument means nothing; the text is one sentence that says what to give instead."""


def read_arguments(given: Mapping[str, object], schema: Schema) -> dict[str, object]:
    """Return arguments as the schema of a tool has them.

    Args:
        given: Arguments as they came.
        schema: The input schema of the tool.

    Raises:
        ArgumentError: One of them is unknown, missing, or means nothing.
    """
    found = _object(given, schema, place="")
    try:
        json.dumps(found, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise ArgumentError("a text holds half of a surrogate pair, which is no character; send it as UTF-8.") from None
    return found


def _object(value: Mapping[str, object], schema: Schema, *, place: str) -> dict[str, object]:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    closed = schema.get("additionalProperties") is False
    found: dict[str, object] = {}
    for name, given in value.items():
        if name not in properties:
            if closed:
                raise ArgumentError(f"{_at(place, name)} is not known; the arguments here are {', '.join(properties) or 'none'}.")
            found[name] = given
            continue
        read = _value(given, properties[name], place=_at(place, name), required=name in schema.get("required", ()))
        if read is not _ABSENT:
            found[name] = read
    for name in schema.get("required", ()):
        if name not in found:
            raise ArgumentError(f"{_at(place, name)} is missing; give {_wanted(properties[name])}.")
    return found


def _value(value: object, schema: Schema, *, place: str, required: bool) -> object:
    choices = [choice for choice in schema.get("anyOf", [schema]) if choice.get("type") != "null"]
    kind = choices[0] if choices else schema
    if value is None or (isinstance(value, str) and not value.strip()):
        if required:
            raise ArgumentError(f"{place} is empty; give {_wanted(kind)}.")
        return _ABSENT
    reader = _READERS.get(str(kind.get("type")))
    return value if reader is None else reader(value, kind, place)


def _text(value: object, schema: Schema, place: str) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    choices = schema.get("enum")
    if choices is not None:
        # What a routing block means by its words is read by the request, which knows other spellings too.
        plain = text.strip().lower().replace("-", "_").replace(" ", "_")
        if plain in choices:
            return plain
        if "." not in place:
            raise _wrong(place, value, schema)
    most = schema.get("maxLength", math.inf)
    if len(text) > most:
        raise ArgumentError(f"{place} has {len(text)} characters; give at most {most}.")
    return text


def _number(value: object, schema: Schema, place: str) -> float:
    read: object = value
    if isinstance(value, str):
        try:
            read = float(value.strip().removeprefix("$").replace("_", ""))
        except ValueError:
            raise _wrong(place, value, schema) from None
    if isinstance(read, bool) or not isinstance(read, (int, float)) or not math.isfinite(read) or abs(read) > _MOST:
        raise _wrong(place, value, schema)
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    above = schema.get("exclusiveMinimum", -math.inf)
    if not low <= read <= high or read <= above:
        raise _wrong(place, value, schema)
    return float(read)


def _whole(value: object, schema: Schema, place: str) -> int:
    number = _number(value, schema, place)
    if number != int(number):
        raise _wrong(place, value, schema)
    return int(number)


def _flag(value: object, schema: Schema, place: str) -> bool:
    if isinstance(value, bool):
        return value
    spelled = str(value).strip().lower() if isinstance(value, (str, int)) else ""
    if spelled in _TRUE | _FALSE:
        return spelled in _TRUE
    raise _wrong(place, value, schema)


def _list(value: object, schema: Schema, place: str) -> list[object]:
    listed = _parsed(value, place, kind="list") if isinstance(value, str) else value
    if not isinstance(listed, Sequence) or isinstance(listed, (str, bytes)):
        raise _wrong(place, value, schema)
    items = cast("Sequence[object]", listed)
    most = schema.get("maxItems", math.inf)
    if len(items) > most:
        raise ArgumentError(f"{place} has {len(items)} entries; give at most {most}.")
    inner: Schema = schema.get("items", {})
    return [_value(item, inner, place=f"{place}.{index}", required=True) for index, item in enumerate(items)]


def _mapping(value: object, schema: Schema, place: str) -> dict[str, object]:
    found = _parsed(value, place, kind="object") if isinstance(value, str) else value
    if not isinstance(found, Mapping):
        raise _wrong(place, value, schema)
    return _object({str(name): item for name, item in cast("Mapping[object, object]", found).items()}, schema, place=place)


_READERS: Final[Mapping[str, Callable[[object, Schema, str], object]]] = {
    "string": _text,
    "number": _number,
    "integer": _whole,
    "boolean": _flag,
    "array": _list,
    "object": _mapping,
}


def _parsed(text: str, place: str, *, kind: str) -> object:
    def refuse(constant: str) -> object:
        raise ValueError(constant)

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        example = '{"cost_budget": 0.01}' if kind == "object" else '["openai"]'
        raise ArgumentError(f"{place}={shown(text)} is no {kind}; give one such as {example}, or its JSON text.") from None


def _wrong(place: str, value: object, schema: Schema) -> ArgumentError:
    return ArgumentError(f"{place}={shown(value)} is not valid; give {_wanted(schema)}.")


def _wanted(schema: Schema) -> str:
    """Say what a schema takes, in words."""
    kinds = [choice for choice in schema.get("anyOf", [schema]) if choice.get("type") != "null"]
    kind = kinds[0] if kinds else schema
    if "enum" in kind:
        return f"one of {', '.join(map(str, kind['enum']))}"
    word = _WORDS.get(str(kind.get("type")), "a value")
    if kind.get("type") in {"number", "integer"}:
        low = kind.get("minimum", kind.get("exclusiveMinimum"))
        if "maximum" in kind:
            return f"{word} from {low} to {kind['maximum']}"
        if low is not None:
            return f"{word} of at least {low}" if "minimum" in kind else f"{word} above {low}"
    return word


_WORDS: Final = {
    "string": "a text",
    "number": "a finite number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def _at(place: str, name: str) -> str:
    shortened = name if name.isprintable() and len(name) <= 60 else shown(name)  # noqa: PLR2004 - what fits into a sentence
    return f"{place}.{shortened}" if place else shortened
