"""Check the arithmetic in an answer: ``3 * 4 = 12`` holds, ``3 * 4 = 13`` does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_NUMBER: Final = r"\$?\d[\d,]*\.?\d*%?"
_EQUATION: Final = re.compile(
    rf"(?<![\w.])((?:\(?\s*-?{_NUMBER}\s*\)?\s*[-+*/x×÷]\s*)+\(?\s*{_NUMBER}\s*\)?)\s*=\s*\$?(-?\d[\d,]*\.?\d*)"  # noqa: RUF001 - a times sign
)
_TOKEN: Final = re.compile(r"\d+\.?\d*|[-+*/()]")
_SAFE: Final = re.compile(r"^[\d\s.+\-*/()]+$")
_MAX_CHARS: Final = 80
_ROUNDING: Final = 0.011
_WHOLE_ROUNDING: Final = 0.51
_LARGE: Final = 20


def equations_hold(text: str) -> Iterator[bool]:
    """Yield, for every equation that can be computed, whether it holds up to rounding."""
    for left, right in _EQUATION.findall(text.replace("<<", " ").replace(">>", " ")):
        value, stated = _value(left), _number(right)
        if value is not None and stated is not None:
            yield abs(value - stated) <= _tolerance(value, stated)


def _tolerance(value: float, stated: float) -> float:
    rounded_whole = stated.is_integer() and abs(value) > _LARGE
    return max(_ROUNDING * max(1.0, abs(stated)), _WHOLE_ROUNDING if rounded_whole else _ROUNDING)


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", "").rstrip("."))
    except ValueError:
        return None


def _value(expression: str) -> float | None:
    plain = expression.replace(",", "").replace("$", "").replace("%", "/100")
    for sign in "x×":  # noqa: RUF001 - a times sign
        plain = plain.replace(sign, "*")
    plain = plain.replace("÷", "/")
    if len(plain) > _MAX_CHARS or not _SAFE.match(plain):
        return None
    try:
        return _Parser(_TOKEN.findall(plain)).parse()
    except (ValueError, IndexError, ZeroDivisionError, OverflowError):
        return None


class _Parser:
    """Computes sums and products by recursive descent; text of the answer is never evaluated as code."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._position = 0

    def parse(self) -> float:
        value = self._sum()
        if self._position != len(self._tokens):
            raise ValueError(self._tokens)
        return value

    def _sum(self) -> float:
        value = self._product()
        while self._peek() in {"+", "-"}:
            sign = self._take()
            other = self._product()
            value = value + other if sign == "+" else value - other
        return value

    def _product(self) -> float:
        value = self._atom()
        while self._peek() in {"*", "/"}:
            sign = self._take()
            other = self._atom()
            value = value * other if sign == "*" else value / other
        return value

    def _atom(self) -> float:
        token = self._take()
        if token == "-":  # noqa: S105 - a minus sign
            return -self._atom()
        if token == "(":  # noqa: S105 - a bracket
            value = self._sum()
            if self._take() != ")":
                raise ValueError(self._tokens)
            return value
        return float(token)

    def _peek(self) -> str | None:
        return self._tokens[self._position] if self._position < len(self._tokens) else None

    def _take(self) -> str:
        token = self._tokens[self._position]
        self._position += 1
        return token
