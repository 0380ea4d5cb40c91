"""Put one member into a JSON text, or replace it, and leave every other byte as it is; comments are read where they are allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_SCALAR: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_BLANK: Final = re.compile(r"[ \t\r\n]*")
_COMMENT: Final = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


class BrokenJsonError(ValueError):
    """A text is no JSON; ``line`` and ``column`` count from 1."""

    def __init__(self, text: str, at: int, expected: str) -> None:
        self.line, self.column = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
        super().__init__(f"line {self.line}, column {self.column}: {expected} is expected")


@dataclass(frozen=True, slots=True)
class _Member:
    key: str
    start: int
    value: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Object:
    start: int
    end: int
    members: tuple[_Member, ...]
    comma_after_last: bool


def with_member(text: str, path: tuple[str, str], value: Mapping[str, object], *, comments: bool = False) -> str:
    """Return a text in which ``path`` has a value; objects on the way are made.

    Args:
        text: A JSON document whose top is an object; an empty text is an empty object.
        path: Section and key.
        value: The new value.
        comments: Whether comments and trailing commas are allowed.

    Raises:
        BrokenJsonError: The text is no JSON, or the section is no object.
    """
    scanner = _Scanner(text, comments=comments)
    if not text.strip():
        return json.dumps({path[0]: {path[1]: value}}, indent=2, ensure_ascii=False) + "\n"
    top = scanner.document()
    section = next((member for member in top.members if member.key == path[0]), None)
    unit, end = _indent_of(text), "\r\n" if "\r\n" in text else "\n"
    if section is None:
        return _inserted(text, top, path[0], {path[1]: value}, indent=unit, unit=unit, end=end)
    inner = scanner.object_at(section.value[0])
    known = next((member for member in inner.members if member.key == path[1]), None)
    if known is None:
        return _inserted(text, inner, path[1], value, indent=unit * 2, unit=unit, end=end)
    return text[: known.value[0]] + _dumped(value, indent=unit * 2, unit=unit, end=end) + text[known.value[1] :]


def _inserted(text: str, into: _Object, key: str, value: object, *, indent: str, unit: str, end: str) -> str:
    member = f"{json.dumps(key, ensure_ascii=False)}: {_dumped(value, indent=indent, unit=unit, end=end)}"
    if not into.members:
        closing = indent[: -len(unit)] if unit else ""
        return f"{text[: into.start + 1]}{end}{indent}{member}{end}{closing}{text[into.end - 1 :]}"
    at = into.members[-1].value[1]
    if into.comma_after_last:
        at = text.index(",", at) + 1
        return f"{text[:at]}{end}{indent}{member},{text[at:]}"
    return f"{text[:at]},{end}{indent}{member}{text[at:]}"


def _dumped(value: object, *, indent: str, unit: str, end: str) -> str:
    lines = json.dumps(value, indent=unit or None, ensure_ascii=False).split("\n")
    return end.join([lines[0], *(indent + line for line in lines[1:])])


def _indent_of(text: str) -> str:
    """Return what the file indents its first member by."""
    found = re.search(r'\n([ \t]+)"', text)
    return found[1] if found else "  "


class _Scanner:
    """Checks a JSON text and finds where its members stand."""

    def __init__(self, text: str, *, comments: bool) -> None:
        self._text, self._comments = text, comments

    def document(self) -> _Object:
        """Return the object that the text is."""
        start = self._blank(1 if self._text.startswith("\ufeff") else 0)
        found = self.object_at(start)
        end = self._blank(found.end)
        if end != len(self._text):
            raise BrokenJsonError(self._text, end, "the end of the file")
        return found

    def object_at(self, at: int) -> _Object:
        """Return the object that begins at a place."""
        if self._text[at : at + 1] != "{":
            raise BrokenJsonError(self._text, at, "an object, {…},")
        members: list[_Member] = []
        place, comma = self._blank(at + 1), False
        while self._text[place : place + 1] != "}":
            if members and not comma:
                raise BrokenJsonError(self._text, place, "a comma or }")
            found = _STRING.match(self._text, place)
            if found is None:
                raise BrokenJsonError(self._text, place, 'a name in "…"')
            colon = self._blank(found.end())
            if self._text[colon : colon + 1] != ":":
                raise BrokenJsonError(self._text, colon, "a colon")
            start = self._blank(colon + 1)
            end = self._value(start)
            members.append(_Member(json.loads(found[0]), place, (start, end)))
            place, comma = self._comma(end)
        if comma and not self._comments:
            raise BrokenJsonError(self._text, place, "a further member")
        return _Object(at, place + 1, tuple(members), comma)

    def _array(self, at: int) -> int:
        place, comma, some = self._blank(at + 1), False, False
        while self._text[place : place + 1] != "]":
            if some and not comma:
                raise BrokenJsonError(self._text, place, "a comma or ]")
            place, comma = self._comma(self._value(place))
            some = True
        if comma and not self._comments:
            raise BrokenJsonError(self._text, place, "a further entry")
        return place + 1

    def _value(self, at: int) -> int:
        mark = self._text[at : at + 1]
        if mark == "{":
            return self.object_at(at).end
        if mark == "[":
            return self._array(at)
        found = _STRING.match(self._text, at) or _SCALAR.match(self._text, at)
        if found is None:
            raise BrokenJsonError(self._text, at, "a value")
        return found.end()

    def _comma(self, at: int) -> tuple[int, bool]:
        place = self._blank(at)
        comma = self._text[place : place + 1] == ","
        return (self._blank(place + 1), True) if comma else (place, False)

    def _blank(self, at: int) -> int:
        place = _BLANK.match(self._text, at).end()  # type: ignore[union-attr]  # it matches nothing as well
        while self._comments and (found := _COMMENT.match(self._text, place)):
            place = _BLANK.match(self._text, found.end()).end()  # type: ignore[union-attr]  # as above
        return place
