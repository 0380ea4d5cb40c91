"""Convert settings given in code into plain data, the shape that YAML files have too."""

# pyright: basic
# Values of any type pass through here, so strict typing would only add casts.

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from crew_router.errors import ConfigurationError, shown

MAX_DEPTH: Final = 32
MAX_INT: Final = 2**63 - 1

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]


def plain_mapping(values: Mapping[str, object], place: str) -> dict[str, Plain]:
    """Return a dictionary given in code as plain data: tuples and sets as lists, paths and dates as text.

    Raises:
        ConfigurationError: A key is not text, a value has no plain form, or the nesting is too deep or circular.
    """
    return {key: _plain(values[key], place, path=(key,)) for key in _keys(values, place, path=())}


def too_deep(place: str, where: str) -> ConfigurationError:
    """Return the error for data that are nested deeper than ``MAX_DEPTH`` levels."""
    return ConfigurationError(place, where, f"nested deeper than {MAX_DEPTH} levels", cure="flatten it")


def _plain(value: Any, place: str, *, path: tuple[str, ...]) -> Plain:
    if len(path) > MAX_DEPTH:
        raise too_deep(place, ".".join(path[:3]) + ".…")
    if value is None or isinstance(value, (bool, int, float, str)):
        return _scalar(value, place, path=path)
    if isinstance(value, Mapping):
        return {key: _plain(value[key], place, path=(*path, key)) for key in _keys(value, place, path=path)}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = value if isinstance(value, (list, tuple)) else sorted(value, key=str)
        return [_plain(item, place, path=(*path, str(index))) for index, item in enumerate(items)]
    if isinstance(value, Path) or hasattr(value, "isoformat"):
        return str(value)
    problem = f"{shown(value)} is {type(value).__name__}, which has no form in YAML"
    raise ConfigurationError(place, ".".join(path), problem, cure="give a text, number, list or mapping")


def _scalar(value: bool | float | str | None, place: str, *, path: tuple[str, ...]) -> Plain:
    if isinstance(value, int) and abs(value) > MAX_INT:
        raise ConfigurationError(place, ".".join(path), "the number is too large", cure=f"write one up to {MAX_INT}")
    if isinstance(value, str) and not is_text(value):
        raise ConfigurationError(place, ".".join(path), f"{shown(value)} holds half a character", cure="write whole Unicode characters")
    return value


def is_text(value: str) -> bool:
    """Tell whether a text can be written as UTF-8, which one with a lone surrogate cannot."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _keys(values: Mapping[Any, Any], place: str, *, path: tuple[str, ...]) -> Iterator[str]:
    for key in values:
        if not isinstance(key, str) or not is_text(key):
            raise ConfigurationError(place, ".".join(path), f"the key {shown(key)} is not text", cure="write keys as text")
        yield str(key)
