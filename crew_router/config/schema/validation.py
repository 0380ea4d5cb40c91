"""Check plain data against the schema; errors name the source, the key, the value and the cure."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from difflib import get_close_matches
from inspect import getdoc
from typing import TYPE_CHECKING, Any, Final, TypeVar

from crew_router.errors import ConfigurationError, RegistryError, shown

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

T = TypeVar("T")
PlaceOf = Callable[[Sequence[str]], str]
JsonSchema = dict[str, Any]


def validated(kind: type[T], data: Mapping[str, object], *, place_of: PlaceOf) -> T:
    """Return plain data as a checked value of the schema.

    Args:
        kind: A dataclass of the schema.
        data: What was read.
        place_of: Tells, for the path of a key, which file or argument it comes from.

    Raises:
        RegistryError: Something under ``models`` is wrong.
        ConfigurationError: Something else is wrong. One problem is described, the others are counted.
    """
    from pydantic import ValidationError  # only needed when something is loaded

    try:
        value: T = _adapter(kind).validate_json(json.dumps(data))
    except ValidationError as invalid:
        details = invalid.errors(include_url=False, include_context=True)
    else:
        return value
    raise _first_error(kind, details, place_of=place_of)


def json_schema(kind: type[Any], *, title: str) -> JsonSchema:
    """Return the JSON Schema of a dataclass of the schema; argument descriptions become the keys' descriptions."""
    schema: JsonSchema = _adapter(kind).json_schema()
    definitions: JsonSchema = schema.get("$defs", {})
    described = {known.__name__: known for known in _reachable(kind)}
    for name, definition in [(kind.__name__, schema), *definitions.items()]:
        _shorten(definition)
        for key, text in _descriptions(described.get(name, object)).items():
            definition["properties"][key]["description"] = text
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}


_ADAPTERS: Final[dict[object, TypeAdapter[Any]]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter  # only needed when something is loaded

    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _first_error(kind: type[Any], details: Sequence[ErrorDetails], *, place_of: PlaceOf) -> ConfigurationError:
    detail = min(details, key=_importance)
    path = _path(detail)
    problem = _problem(detail, path)
    # Every member of a union reports the same wrong value; it counts once.
    others = len({other for other in map(_path, details) if other != path[: len(other)]})
    if others:
        problem += f" (and {others} more {'problem' if others == 1 else 'problems'})"
    error = RegistryError if path[:1] == ("models",) else ConfigurationError
    return error(place_of(path), ".".join(path), problem, cure=_cure(kind, detail, path=path))


def _importance(detail: ErrorDetails) -> tuple[bool, int]:
    # A misspelt key comes first because it is why another one is missing. Of a union's members, the one whose error lies
    # deepest is most likely the one that was meant.
    return detail["type"] != "unexpected_keyword_argument", -len(_path(detail))


def _path(detail: ErrorDetails) -> tuple[str, ...]:
    # pydantic's locations also contain the names of union members and "[key]", which are not part of the file.
    return tuple(str(part) for part in detail["loc"] if isinstance(part, int) or not _NO_KEY.fullmatch(part))


_NO_KEY: Final = re.compile(r"\[key\]|BudgetLimit|constrained-.*|float")


_PROBLEMS: Final[Mapping[str, str]] = {
    "missing": "this key is missing",
    "unexpected_keyword_argument": "this key is not known",
    "finite_number": "{value} is not a finite number",
    "float_type": "{value} is not a number",
    "int_type": "{value} is not a whole number",
    "int_from_float": "{value} is not a whole number",
    "bool_type": "{value} is not true or false",
    "string_type": "{value} is not a text",
    "string_too_short": "the text is empty",
    "dataclass_type": "{value} is not a mapping",
    "mapping_type": "{value} is not a mapping",
    "dict_type": "{value} is not a mapping",
    "tuple_type": "{value} is not a list",
    "frozen_set_type": "{value} is not a list",
    "list_type": "{value} is not a list",
    "greater_than": "{value} is not above {gt}",
    "less_than_equal": "{value} is above {le}",
    "too_short": "there are too few entries ({actual_length})",
    "date_type": "{value} is not a day",
    "date_parsing": "{value} is not a day",
    "date_from_datetime_parsing": "{value} is not a day",
    "enum": "{value} is not one of them",
    "literal_error": "{value} is not one of them",
}


def _problem(detail: ErrorDetails, path: tuple[str, ...]) -> str:
    value = _REDACTED if path[-1:] == ("api_key",) else shown(detail["input"])
    context = detail.get("ctx", {})
    if detail["type"] == "greater_than_equal":
        return f"{value} is negative" if context.get("ge") == 0 else f"{value} is below {context.get('ge')}"
    template = _PROBLEMS.get(detail["type"], "{value} is not valid")
    return template.format(value=value, **{key: f"{item:g}" if isinstance(item, float) else item for key, item in context.items()})


_REDACTED: Final = "the value"


def _cure(kind: type[Any], detail: ErrorDetails, *, path: tuple[str, ...]) -> str:
    if detail["type"] == "unexpected_keyword_argument":
        known = sorted(_keys_at(kind, path[:-1]))
        near = get_close_matches(path[-1], known, n=1)
        return f"did you mean {near[0]}?" if near else f"the keys here are {', '.join(known)}"
    if detail["type"] in {"enum", "literal_error"}:
        return f"write {detail.get('ctx', {}).get('expected', 'one of the known values')}"
    description = str(_schema_at(kind, path).get("description", ""))
    return description or "see docs/registry.md for what each key means"


_SCHEMAS: Final[dict[object, JsonSchema]] = {}


def _schema_of(kind: type[Any]) -> JsonSchema:
    if kind not in _SCHEMAS:
        _SCHEMAS[kind] = json_schema(kind, title="")
    return _SCHEMAS[kind]


def _schema_at(kind: type[Any], path: Sequence[str]) -> JsonSchema:
    """Return the part of the JSON Schema that describes a key, with the description of the nearest described key above it."""
    root = _schema_of(kind)
    schema, description = root, ""
    for part in path:
        schema = _step(root, schema, part)
        description = str(schema.get("description", "")) or description
    return {**_resolved(root, schema), "description": description}


def _keys_at(kind: type[Any], path: Sequence[str]) -> set[str]:
    """Return the keys that may stand at a path."""
    root, schema = _schema_of(kind), _schema_at(kind, path)
    return {key for option in [schema, *schema.get("anyOf", [])] for key in _resolved(root, option).get("properties", {})}


def _step(root: JsonSchema, schema: JsonSchema, part: str) -> JsonSchema:
    """Return the schema of one key or entry inside another schema, empty when there is none."""
    for option in [schema, *schema.get("anyOf", [])]:
        inner = _resolved(root, option)
        if part in inner.get("properties", {}):
            return dict(inner["properties"][part])
        for key in ("additionalProperties", "items"):
            if isinstance(inner.get(key), dict):
                return dict(inner[key])
    return {}


def _resolved(root: JsonSchema, schema: JsonSchema) -> JsonSchema:
    """Return a schema with its ``$ref`` replaced by what it refers to."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return {**root["$defs"][name], **schema} if name else schema


def _reachable(kind: type[Any]) -> set[type[Any]]:
    """Return all dataclasses that can occur in one: those in the modules of it and its bases, and so on."""
    reachable: set[type[Any]] = {kind}
    waiting = list(kind.__mro__)
    while waiting:
        module = sys.modules[waiting.pop().__module__]
        new = {item for item in vars(module).values() if isinstance(item, type) and is_dataclass(item)} - reachable
        reachable |= new
        waiting += new
    return reachable


_ARGUMENT: Final = re.compile(r"^ {4}(\w+): (.+)$", re.MULTILINE)


def _descriptions(kind: type[Any]) -> dict[str, str]:
    """Return what the docstrings of a dataclass and its bases say of each field."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if is_dataclass(base):
            texts.update(_ARGUMENT.findall(getdoc(base) or ""))
    return texts


def _shorten(definition: JsonSchema) -> None:
    if "description" in definition:
        definition["description"] = definition["description"].strip().partition("\n")[0]
    for key in list(definition.get("properties", {})):
        definition["properties"][key].pop("title", None)
