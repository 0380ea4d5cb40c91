"""The grade of an answer, by program: `grade(check, text)` returns 0..1. What each rule compares is said in task_shape.py."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from run_code import passes

_NUMBER: Final = re.compile(r"-?\d+(?:,\d{3})+(?:\.\d+)?|-?\d+(?:\.\d+)?")
_FENCE: Final = re.compile(r"```[a-zA-Z]*\n(.*?)(?:```|\Z)", re.DOTALL)
_SYMBOL: Final = 2  # so short a name is a symbol, whose case counts: K is potassium, k is not


def grade(check: dict[str, Any], text: str) -> float:
    """Return how right an answer is, 0..1."""
    return _RULES[check["rule"]](check, text)


def _number(check: dict[str, Any], text: str) -> float:
    _, marker, after = text.rpartition("Answer:")  # without a marker, all of the text
    found = _NUMBER.findall(after)
    if not found:
        return 0.0
    said = float((found[0] if marker else found[-1]).replace(",", ""))
    return float(abs(said - float(check["value"])) < 1e-6)  # noqa: PLR2004 - equal but for binary fractions


def _choice(check: dict[str, Any], text: str) -> float:
    found = re.findall(rf"\b(?:{'|'.join(map(re.escape, check['options']))})\b", text, re.IGNORECASE)
    return float(bool(found) and found[0].lower() == check["value"].lower())


def _exact(check: dict[str, Any], text: str) -> float:
    keep_case = bool(check.get("case"))
    return float(_bare(text, keep_case=keep_case) in {_bare(value, keep_case=keep_case) for value in check["values"]})


def _names(check: dict[str, Any], text: str) -> float:
    return float(any(_has_word(value, text) for value in check["values"]))


def _has_word(value: str, text: str) -> bool:
    flags = re.NOFLAG if len(value) <= _SYMBOL and value.isalpha() else re.IGNORECASE
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text, flags) is not None


def _items(check: dict[str, Any], text: str) -> float:
    said = [_bare(item) for item in _bare(text).split(",")]
    wanted = [_bare(value) for value in check["values"]]
    return float(said == wanted if check["ordered"] else sorted(said) == sorted(wanted))


def _json(check: dict[str, Any], text: str) -> float:
    try:
        return float(_same(json.loads(unfenced(text)), check["value"]))
    except ValueError:
        return 0.0


def _same(said: object, wanted: object) -> bool:
    """Compare JSON values; unlike in Python, true is not 1."""
    if isinstance(said, dict) and isinstance(wanted, dict):
        return said.keys() == wanted.keys() and all(_same(said[key], wanted[key]) for key in wanted)
    if isinstance(said, list) and isinstance(wanted, list):
        return len(said) == len(wanted) and all(_same(one, other) for one, other in zip(said, wanted, strict=True))
    return isinstance(said, bool) == isinstance(wanted, bool) and said == wanted


def _points(check: dict[str, Any], text: str) -> float:
    if len(text.split()) > check["most_words"]:
        return 0.0
    made = [re.search(pattern, text, re.IGNORECASE) is not None for pattern in check["patterns"]]
    return sum(made) / len(made)


def _code(check: dict[str, Any], text: str) -> float:
    return float(passes(unfenced(text), check["name"], check["cases"]))


def unfenced(text: str) -> str:
    """Return what stands in the first code fence, or the whole text where there is none."""
    fenced = _FENCE.search(text)
    return (fenced.group(1) if fenced else text).strip()


def _bare(text: str, *, keep_case: bool = False) -> str:
    """Return text without the quotes, spaces and full stops around it that are no part of an answer."""
    stripped = " ".join(text.split()).strip(" \"'`*.")
    return stripped if keep_case else stripped.lower()


_RULES: Final[dict[str, Callable[[dict[str, Any], str], float]]] = {
    "number": _number,
    "choice": _choice,
    "exact": _exact,
    "names": _names,
    "items": _items,
    "json": _json,
    "points": _points,
    "code": _code,
}
