"""Checks a value against the part of JSON Schema that tools and structured output use.

Understood are ``type``, ``properties``, ``required``, ``additionalProperties: false``, ``items``, ``enum``, ``const``,
``anyOf``/``oneOf``/``allOf``, ``$ref`` into ``$defs``, ``minItems``/``maxItems`` and ``minimum``/``maximum``; other keywords
are passed over, so that a value is never refused by a rule that is not understood.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

Schema = Mapping[str, object]
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
    "null": (type(None),),
}  # fmt: skip
_DEEPEST: Final = 32


@dataclass(frozen=True, slots=True)
class _References:
    """The schemas that references of one schema lead to, and what was found at each place that they were followed for.

    Each is followed once for one place, so that schemas which refer to themselves several times cost no more than their size
    times that of the value.
    """

    root: Schema
    found: dict[tuple[str, int, int], list[str]] = field(default_factory=dict[tuple[str, int, int], list[str]])

    def follow(self, ref: str, value: object, *, path: str, depth: int) -> list[str]:
        target = resolved(ref, self.root)
        if target is None:
            return []
        key = (path, id(value), id(target))
        if key not in self.found:
            self.found[key] = []  # while it is being followed, the same again adds nothing
            self.found[key] = list(dict.fromkeys(_check(value, target, references=self, path=path, depth=depth + 1)))
        return self.found[key]


def problems(value: object, schema: Schema, root: Schema | None = None) -> list[str]:
    """Return what is wrong with a value, each with its path; empty for a value that fits. ``root`` holds what the schema refers to."""
    return list(_check(value, schema, references=_References(schema if root is None else root), path="$", depth=0))


def _check(value: object, schema: Schema, *, references: _References, path: str, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if "$ref" in schema:
        yield from references.follow(str(schema["$ref"]), value, path=path, depth=depth)
        return
    if not _has_type(value, schema.get("type")):
        yield f"{path} is not of type {schema['type']}"
        return
    yield from _check_values(value, schema, path)
    yield from _check_choices(value, schema, references=references, path=path, depth=depth)
    if isinstance(value, dict):
        yield from _check_object(cast("dict[str, object]", value), schema, references=references, path=path, depth=depth)
    if isinstance(value, list):
        yield from _check_array(cast("list[object]", value), schema, references=references, path=path, depth=depth)


def _has_type(value: object, wanted: object) -> bool:
    names = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(names, Sequence):
        return True
    kinds = [_TYPES[name] for name in cast("Sequence[str]", names) if name in _TYPES]
    if not kinds:
        return True
    if isinstance(value, bool):
        return (bool,) in kinds
    if isinstance(value, float) and value.is_integer() and (int,) in kinds:
        return True
    return any(isinstance(value, kind) for kind in kinds)


def _check_values(value: object, schema: Schema, path: str) -> Iterator[str]:
    if "const" in schema and value != schema["const"]:
        yield f"{path} is not {schema['const']!r}"
    options = schema.get("enum")
    if isinstance(options, list) and value not in cast("list[object]", options):
        yield f"{path} is not one of {options!r}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = schema.get("minimum"), schema.get("maximum")
        if isinstance(low, (int, float)) and value < low:
            yield f"{path} is below {low}"
        if isinstance(high, (int, float)) and value > high:
            yield f"{path} is above {high}"


def _check_choices(value: object, schema: Schema, *, references: _References, path: str, depth: int) -> Iterator[str]:
    for part in _schemas(schema.get("allOf")):
        yield from _check(value, part, references=references, path=path, depth=depth + 1)
    for key in ("anyOf", "oneOf"):
        parts = _schemas(schema.get(key))
        if parts and all(list(_check(value, part, references=references, path=path, depth=depth + 1)) for part in parts):
            yield f"{path} fits none of {key}"


def _check_object(value: dict[str, object], schema: Schema, *, references: _References, path: str, depth: int) -> Iterator[str]:
    given = schema.get("properties")
    properties = cast("dict[str, Schema]", given) if isinstance(given, dict) else {}
    required = schema.get("required")
    for name in cast("list[str]", required) if isinstance(required, list) else []:
        if name not in value:
            yield f"{path}.{name} is missing"
    for name, item in value.items():
        if name in properties:
            yield from _check(item, properties[name], references=references, path=f"{path}.{name}", depth=depth + 1)
        elif schema.get("additionalProperties") is False:
            yield f"{path}.{name} is not known"


def _check_array(value: list[object], schema: Schema, *, references: _References, path: str, depth: int) -> Iterator[str]:
    least, most = schema.get("minItems"), schema.get("maxItems")
    if isinstance(least, int) and len(value) < least:
        yield f"{path} has fewer than {least} items"
    if isinstance(most, int) and len(value) > most:
        yield f"{path} has more than {most} items"
    items = schema.get("items")
    if isinstance(items, dict):
        for at, item in enumerate(value):
            yield from _check(item, cast("Schema", items), references=references, path=f"{path}[{at}]", depth=depth + 1)


def resolved(ref: str, root: Schema) -> Schema | None:
    """Return the part of a schema that a reference names, ``None`` where there is none."""
    found = root
    for part in ref.removeprefix("#/").split("/"):
        inner = found.get(part)
        if not isinstance(inner, Mapping):
            return None
        found = cast("Schema", inner)
    return found


def _schemas(parts: object) -> list[Schema]:
    return [cast("Schema", part) for part in cast("list[object]", parts) if isinstance(part, Mapping)] if isinstance(parts, list) else []
