"""Put one table into a TOML text, or replace it, and leave every other byte as it is."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Final

from crew_router.errors import InvalidRequestError

_HEADER: Final = re.compile(r"^[ \t]*\[(?P<array>\[)?(?P<name>[^\]\n]+)\](?(array)\])[ \t]*(?:#.*)?$", re.MULTILINE)


def with_table(text: str, path: tuple[str, str], value: Mapping[str, object]) -> str:
    """Return a text in which the table ``[section.key]`` has these values and no others.

    Raises:
        tomllib.TOMLDecodeError: The text is no TOML.
        InvalidRequestError: The table is written in a form that cannot be replaced on its own.
    """
    before = tomllib.loads(text)
    table = f"[{path[0]}.{path[1]}]\n" + "".join(f"{key} = {_toml(item)}\n" for key, item in value.items())
    end = "\r\n" if "\r\n" in text else "\n"
    table = table.replace("\n", end)
    spans = _spans(text, path)
    if not spans and path[1] in before.get(path[0], {}):
        raise InvalidRequestError(f"{path[0]}.{path[1]}", "an inline table", expected=f"a table of its own, [{path[0]}.{path[1]}]")
    if spans:
        kept = text
        for start, stop in reversed(spans[1:]):
            kept = kept[:start] + kept[stop:]
        start, stop = spans[0]
        result = kept[:start] + table + (end if kept[stop:].strip() else "") + kept[stop:]
    else:
        gap = "" if not text.strip() else end if text.endswith(("\n", "\r")) else end * 2
        result = text + gap + table
    _check(before, tomllib.loads(result), path)
    return result


def _spans(text: str, path: tuple[str, str]) -> list[tuple[int, int]]:
    """Return where the table and its subtables stand."""
    headers = [(found.start(), _parts(found["name"])) for found in _HEADER.finditer(text)]
    ends = [start for start, _ in headers[1:]] + [len(text)]
    return [(start, stop) for (start, name), stop in zip(headers, ends, strict=False) if tuple(name[:2]) == path]


def _parts(name: str) -> list[str]:
    try:
        tree = tomllib.loads(f"{name} = 1")
    except tomllib.TOMLDecodeError:
        return []
    parts: list[str] = []
    node: object = tree
    while isinstance(node, dict):
        (key,) = node
        parts.append(str(key))
        node = node[key]
    return parts


def _check(before: dict[str, object], after: dict[str, object], path: tuple[str, str]) -> None:
    """Make sure that nothing but the table has changed; a header inside a text of several lines would be such a thing."""
    if _without(before, path) != _without(after, path):
        raise InvalidRequestError("file", ".".join(path), expected="a file in which the table can be told from the rest; add it by hand")


def _without(tree: dict[str, object], path: tuple[str, str]) -> dict[str, object]:
    section = tree.get(path[0])
    inner = {key: item for key, item in section.items() if key != path[1]} if isinstance(section, dict) else {}
    rest = {key: item for key, item in tree.items() if key != path[0]}
    return rest | ({path[0]: inner} if inner else {})


def _toml(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
