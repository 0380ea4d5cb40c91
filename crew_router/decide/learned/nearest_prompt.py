"""What was right on the training prompt that is most like this one.

Prompts come back nearly the same: a template with other names, a question put again, its counterpart. An answer that was right on
the nearest prompt is then probably right again, or probably wrong where prompts come as opposites; which of it holds is learnt.
Kept are a sketch of each prompt and hashes of what was answered, no text.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from crew_router.decide.learned.text import TextFeatures
    from crew_router.types.arrays import Codes, Floats

RECALLED: Final = 3
"""Figures of one answer: likeness of the nearest prompt, whether the answer was right there, whether it was wrong there."""

_WIDTH: Final = 512
_MOST_ROWS: Final = 4000
_CHUNK_ROWS: Final = 500
_RIGHT: Final = 0.5
_OPTION: Final = re.compile(r"^[ \t(]*([A-J])[).:]\s+(\S[^\n]*)", re.MULTILINE)
_TAIL_CHARS: Final = 3000
_CHOICE_CHARS: Final = 3


def options_of(prompt: str) -> dict[str, str]:
    """Return the choices that the last question of a prompt offers, by lower-case letter."""
    found: dict[str, str] = {}
    for letter, text in _OPTION.findall(prompt[-_TAIL_CHARS:]):
        if letter == "A":
            found = {}
        found[letter.lower()] = " ".join(text.split()).casefold()
    return found


def meaning(options: Mapping[str, str], final: str) -> int:
    """Return a hash of what an answer means: of the text of the choice where it names one."""
    chosen = options.get(final.strip("(). "), final) if len(final) <= _CHOICE_CHARS else final
    return zlib.crc32(chosen.encode())


def sketches(text: TextFeatures, prompts: Sequence[str]) -> Floats:
    """Return unit rows of a count sketch of the weighted hashes of prompts."""
    return np.vstack([_sketched(text.weighted(prompts[at : at + _CHUNK_ROWS])) for at in range(0, len(prompts), _CHUNK_ROWS)])


def _sketched(weighted: Floats) -> Floats:
    """Fold weighted hashes; their signs are random already."""
    rows = weighted.reshape(len(weighted), -1, _WIDTH).sum(axis=1)
    sketch: Floats = rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9)
    return sketch


@dataclass(frozen=True, slots=True)
class Recollection:
    """Sketches of training prompts, and what was answered to each.

    Args:
        sketch: A row per prompt.
        said: Hashes of answers, those of the first prompt first; each once a prompt.
        right: Whether some model that said it was right.
        ends: Where the answers of each prompt end in ``said``.
    """

    sketch: Floats
    said: Codes
    right: Codes
    ends: Codes

    def nearest(self, sketch: Floats, *, skip: Codes | None = None) -> tuple[Codes, Floats]:
        """Return the place of the nearest prompt and its likeness -1..1, a row per sketch.

        Args:
            sketch: The prompts.
            skip: Places that are no neighbours of the rows, as they are themselves.
        """
        likeness = sketch @ self.sketch.T
        rows = np.arange(len(sketch))
        if skip is not None:
            known = skip >= 0
            likeness[rows[known], skip[known]] = -1.0
        place: Codes = likeness.argmax(axis=1)
        return place, likeness[rows, place]

    def figures(self, place: int, likeness: float, *, prompt: str, final: Sequence[str | None]) -> list[list[float]]:
        """Return the figures of some answers to a prompt whose nearest is known."""
        start = int(self.ends[place - 1]) if place else 0
        there = slice(start, int(self.ends[place]))
        worth = dict(zip(self.said[there].tolist(), self.right[there].tolist(), strict=True))
        options = options_of(prompt)
        was = [None if each is None else worth.get(meaning(options, each)) for each in final]
        return [[likeness, float(each == 1), float(each == 0)] for each in was]


def recollect(
    sketch: Floats, prompts: Sequence[str], final: Sequence[Sequence[str | None]], score: Floats, *, seed: int
) -> tuple[Recollection, Floats]:
    """Remember training prompts, at most 4,000 of them.

    Returns:
        The memory, and the figures of every training answer as if its own prompt were not in it.
    """
    count = len(prompts)
    kept: Codes = np.arange(count, dtype=np.int64)
    if count > _MOST_ROWS:
        kept = np.sort(np.random.default_rng(seed).permutation(kept)[:_MOST_ROWS])
    said: list[int] = []
    right: list[bool] = []
    ends: list[int] = []
    for row in kept:
        at = int(row)
        worth = _worth(prompts[at], final[at], score[at])
        said += worth
        right += worth.values()
        ends.append(len(said))
    memory = Recollection(sketch[kept], np.array(said, dtype=np.int64), np.array(right, dtype=np.int64), np.array(ends, dtype=np.int64))
    own = np.full(count, -1, dtype=np.int64)
    own[kept] = np.arange(len(kept))
    place, likeness = memory.nearest(sketch, skip=own)
    return memory, recalled(memory, place, likeness, prompts=prompts, final=final)


def _worth(prompt: str, final: Sequence[str | None], score: Floats) -> dict[int, bool]:
    """Return what the answers to a prompt meant, and whether some model that said it was right."""
    options = options_of(prompt)
    worth: dict[int, bool] = {}
    for answer, value in zip(final, score, strict=True):
        if answer is not None:
            means = meaning(options, answer)
            worth[means] = worth.get(means, False) or float(value) > _RIGHT
    return worth


def recalled(
    memory: Recollection, place: Codes, likeness: Floats, *, prompts: Sequence[str], final: Sequence[Sequence[str | None]]
) -> Floats:
    """Return the figures of a table of answers: a row per prompt, a column per model."""
    rows = zip(place, likeness, prompts, final, strict=True)
    return np.array([memory.figures(int(at), float(like), prompt=prompt, final=said) for at, like, prompt, said in rows])
