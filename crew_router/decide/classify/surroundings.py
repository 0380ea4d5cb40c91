"""Cutting a text down to the surroundings of what may matter."""

from __future__ import annotations

from functools import cached_property
from itertools import compress
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_PIECES: Final = 64
_LONG_CHARS: Final = 1_500  # below it looking for every mark is faster
_FACTOR: Final = np.uint16(31)


class Marks:
    """Fixed strings of at least three bytes, in lower case."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        codes = [_trigrams(text).tolist() for text in texts]
        most = max(map(len, codes))
        self.codes = np.array([each + each[:1] * (most - len(each)) for each in codes], np.uint16)


class Haystack:
    """A text to look for marks in.

    A long text is read once, into a table of the three-byte pieces that occur; only marks whose pieces all do are looked for.
    """

    def __init__(self, text: str) -> None:
        self.text, self.lowered = text, text.lower()

    @cached_property
    def _seen(self) -> NDArray[np.bool_]:
        seen = np.zeros(1 << 16, np.bool_)
        seen[_trigrams(self.lowered)] = True
        return seen

    def found(self, marks: Marks) -> tuple[str, ...]:
        """Return the marks that occur."""
        texts = marks.texts
        if len(self.lowered) > _LONG_CHARS:
            may_occur: list[bool] = np.logical_and.reduce(self._seen[marks.codes], axis=1).tolist()
            texts = tuple(compress(texts, may_occur))
        return tuple([mark for mark in texts if mark in self.lowered])

    def around(self, marks: Marks, *, before: int, after: int) -> str:
        """Return the surroundings of every mark in any case, as :func:`around` does."""
        return around(self.text, self.found(marks), before=before, after=after, lowered=self.lowered)


def _trigrams(text: str) -> NDArray[np.uint16]:
    data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8).astype(np.uint16)
    codes: NDArray[np.uint16] = (data[:-2] * _FACTOR + data[1:-1]) * _FACTOR + data[2:]
    return codes


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
