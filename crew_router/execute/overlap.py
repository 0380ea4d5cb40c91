"""The joint of a continued text: what the next model says again of the last words is cut, once.

A model that goes on from a broken text may go straight on, or say its last words again first. Only whole words count as said
again: "the" before " theory" is another word, and a word of one letter said twice is no repeat. What follows a word decides
that, so the beginning of a continuation is held until enough of it has come.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterator
from typing import Final

from crew_router.types.transport import Piece

_TAIL_CHARS: Final = 200
_LEAST_LETTERS: Final = 2


class Joint:
    """Holds the beginning of a continuation until it is clear how much of it was said before.

    Args:
        said: The text that is gone on from.
    """

    def __init__(self, said: str) -> None:
        self._said = said
        self._held: list[Piece] = []
        self._text = ""

    def take(self, piece: Piece) -> list[Piece] | None:
        """Take a piece; return all that were held, without the repeat, once it is clear what that is."""
        self._held.append(piece)
        self._text += piece.text
        # Text is at its end where the answer is, and before the call of a tool.
        ended = piece.structured or piece.finish_reason is not None
        length = said_again(self._said, self._text, ended=ended)
        return None if length is None else list(_without(self._held, length))

    def end(self) -> list[Piece]:
        """Return what is held, because nothing more comes."""
        return list(_without(self._held, said_again(self._said, self._text, ended=True) or 0))


def said_again(said: str, new: str, *, ended: bool) -> int | None:
    """Return how many characters at the start of ``new`` repeat the end of ``said``.

    The longest repeat counts, up to 200 characters of it. A text that really says a word of two letters or more twice at
    the joint therefore loses it once. Of blanks on both sides of the joint those that are the same count once.

    Args:
        said: The text so far.
        new: What goes on from it, as far as it has come.
        ended: Whether nothing more comes.

    Returns:
        ``None`` while what comes next may change the answer.
    """
    words, start = said.rstrip(), new.lstrip()
    blank, indent = said[len(words) :], len(new) - len(start)
    if not start and not ended:
        return None
    for at in _word_starts(words):
        again = words[at:]
        short = sum(map(_in_word, again)) < _LEAST_LETTERS
        if short and (blank or indent or not again[-1].isalpha()):
            break
        if len(start) < len(again) and again.startswith(start) and not ended:
            return None
        if not start.startswith(again):
            continue
        after = start[len(again) :]
        whole = _goes_on(after, ended=ended) if short else _is_whole(again, after, blank=bool(blank), apart=indent > 0, ended=ended)
        if whole and not ended and len(after) < len(blank) and blank.startswith(after):
            whole = None
        if whole is None:
            return None
        if whole:
            return indent + len(again) + _common(blank, after)
    return _common(blank, new)


def _is_whole(again: str, after: str, *, blank: bool, apart: bool, ended: bool) -> bool | None:
    """Tell whether a repeat ends where its last word ends; ``None`` while that depends on what comes next.

    Args:
        again: The words that stand on both sides of the joint.
        after: What follows them.
        blank: Whether the text so far ends with a blank, so that its last word is whole.
        apart: Whether the continuation begins with a blank, so that a word begins with it.
        ended: Whether nothing more comes.
    """
    if not blank and not (apart and _is_one_word(again)):
        # The text broke in its last word, or may have: the model says its beginning again and ends it.
        return True
    if not after:
        return True if ended else None
    if after[0].isspace():
        return True
    if blank or _join(again[-1], after[0]) or (_in_word(after[0]) and not _in_word(again[-1])):
        return False
    if len(after) == 1 and not _in_word(after[0]) and not ended:
        return None
    # "example" before "example.com", "to" before "to-do": a mark with a letter behind it is inside a word.
    return _in_word(after[0]) or not _in_word(after[1:2])


def _goes_on(after: str, *, ended: bool) -> bool | None:
    """Tell whether a repeated single letter is the first of a word, which the text broke behind: "i" before "inlet", not before "i is"."""
    return after[0].isalpha() if after else (False if ended else None)


def _is_one_word(text: str) -> bool:
    return not any(letter.isspace() for letter in text)


def _word_starts(text: str) -> Iterator[int]:
    """Yield where words begin, from the longest repeat to the shortest."""
    return (at for at in range(max(len(text) - _TAIL_CHARS, 0), len(text)) if _begins(text, at))


def _begins(text: str, at: int) -> bool:
    letter, before, second = text[at], text[at - 1 : at], text[at - 2 : at - 1]
    if letter.isspace() or not before or before.isspace():
        return not letter.isspace()
    if _in_word(before):
        return _in_word(letter) and not _join(before, letter)
    # The digits behind a decimal point, or "com" in "example.com", begin no word.
    return not _join(second, letter)


def _join(one: str, other: str) -> bool:
    """Tell whether two letters, side by side or with a mark between them, belong to one word."""
    return _in_word(one) and _in_word(other) and not (_stands_alone(one) or _stands_alone(other))


def _in_word(letter: str) -> bool:
    # Not isalnum alone: vowel signs and accents that are characters of their own are inside words too.
    return letter.isalnum() or letter == "_" or (letter > "\u02ff" and unicodedata.category(letter).startswith("M"))


def _stands_alone(letter: str) -> bool:
    """Tell whether a letter is of a script that puts no blanks between words, so that a word may begin at any of them."""
    return "\u0e00" <= letter <= "\u0eff" or "\u3040" <= letter <= "\u30ff" or "\u3400" <= letter <= "\u9fff"


def _common(one: str, other: str) -> int:
    """Return how many characters two texts begin with in common."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _without(pieces: list[Piece], length: int) -> Iterator[Piece]:
    """Yield pieces without the first characters of their text, and none that has nothing left."""
    for piece in pieces:
        cut = min(length, len(piece.text))
        length -= cut
        rest = dataclasses.replace(piece, text=piece.text[cut:], raw=None) if cut else piece
        if rest != Piece():
            yield rest
