"""Cutting a text down to the surroundings of what may matter."""

from __future__ import annotations

from typing import Final

_MOST_PIECES: Final = 64


def around(text: str, marks: tuple[str, ...], *, before: int, after: int, lowered: str | None = None) -> str:
    """Return the surroundings of every mark, a line each: patterns are slow, and finding a fixed string is not.

    Args:
        text: Where to look.
        marks: Fixed strings, in lower case when ``lowered`` is given.
        before: Characters kept before a mark.
        after: Characters kept after the beginning of a mark.
        lowered: The text in lower case, for marks in any case.
    """
    searched = text if lowered is None or len(lowered) != len(text) else lowered
    pieces: list[str] = []
    for mark in marks:
        at = searched.find(mark)
        while at >= 0 and len(pieces) < _MOST_PIECES:
            # Whole words only, so that a cut does not make a beginning where there is none.
            begin = max(0, at - before)
            while begin > 0 and not text[begin - 1].isspace() and at - begin < 2 * before:
                begin -= 1
            pieces.append(text[begin : at + after])
            at = searched.find(mark, at + after)
    return "\n".join(pieces)
