"""Frozen values to plain JSON data and back, driven by their annotations."""

# pyright: basic
# Values of any type pass through here; strictness would only ask for casts.

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from crew_router.errors import ConfigurationError
from crew_router.types.candidates import DecisionTable, RecordedTable

FORMAT = 1


def checked(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return written data without the number of its format.

    Raises:
        ConfigurationError: The number is not one that this version reads.
    """
    if data.get("format") != FORMAT:
        problem = f"format {data.get('format')!r} is not known"
        raise ConfigurationError("decision", "format", problem, cure=f"this version reads format {FORMAT}")
    return {key: value for key, value in data.items() if key != "format"}


def encode(value: object) -> Any:
    """Return a value as JSON data: dataclasses as objects, sets as sorted lists, pair-keyed mappings as lists of pairs."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return str(value).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (frozenset, set)):
        return sorted((encode(item) for item in value), key=str)
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    return value if isinstance(value, (int, float, bool)) or value is None else str(value)


def decode(kind: Any, data: Any) -> Any:
    """Return JSON data as a value of ``kind``, the inverse of :func:`encode`."""
    return _reader(kind)(data)


@functools.cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """Return the function that reads one annotation; the kinds are few, so each is worked out once."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is DecisionTable:
        return _reader(RecordedTable)
    if dataclasses.is_dataclass(origin or kind):
        return _dataclass_reader(origin or kind, args)
    if origin in (typing.Union, types.UnionType):
        (inner,) = (arg for arg in args if arg is not type(None))
        read = _reader(inner)
        return lambda data: None if data is None else read(data)
    if origin in (tuple, frozenset):
        return _sequence_reader(origin, args)
    if origin in (dict, Mapping) and args:
        key, item = _reader(args[0]), _reader(args[1])
        return lambda data: {key(name): item(entry) for name, entry in data.items()}
    if isinstance(kind, type) and issubclass(kind, (Enum, str, float)):
        return kind
    return lambda data: data


def _dataclass_reader(kind: Any, args: tuple[Any, ...]) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)
    variables = dict(zip(getattr(kind, "__parameters__", ()), args, strict=False))
    readers = {field.name: _reader(variables.get(hints[field.name], hints[field.name])) for field in dataclasses.fields(kind)}
    return lambda data: kind(**{name: readers[name](value) for name, value in data.items() if name in readers})


def _sequence_reader(origin: Any, args: tuple[Any, ...]) -> Callable[[Any], Any]:
    if origin is tuple and Ellipsis not in args:
        readers = [_reader(arg) for arg in args]
        return lambda data: tuple(read(item) for read, item in zip(readers, data, strict=True))
    read = _reader(args[0])
    return lambda data: origin(read(item) for item in data)
