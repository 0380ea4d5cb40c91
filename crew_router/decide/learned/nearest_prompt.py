"""The answers that were right on the training prompt most similar to this one.

Prompts often recur nearly the same: a template with other names, a repeated question, its opposite. An answer that was right
on the nearest prompt is then probably right again, or probably wrong where prompts come as pairs of opposites; the correctness
model learns which. Only a sketch of each prompt and hashes of the answers are kept, no text.
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

NEAREST_FEATURES: Final = 3
"""Features of one answer: similarity of the nearest prompt, whether the answer was right there, whether it was wrong there."""

_WIDTH: Final = 512
_MAX_ROWS: Final = 4000
_CHUNK_ROWS: Final = 500
_RIGHT: Final = 0.5
_OPTION: Final = re.compile(r"^[ \t(]*([A-J])[).:]\s+(\S[^\n]*)", re.MULTILINE)
_TAIL_CHARS: Final = 3000
_CHOICE_CHARS: Final = 3


def choices_of(prompt: str) -> dict[str, str]:
    """Return the multiple-choice options of the last question of a prompt, by lower-case letter."""
    choices: dict[str, str] = {}
    for letter, text in _OPTION.findall(prompt[-_TAIL_CHARS:]):
        if letter == "A":
            choices = {}
        choices[letter.lower()] = " ".join(text.split()).casefold()
    return choices


def meaning_hash(choices: Mapping[str, str], final: str) -> int:
    """Return a hash of an answer; of the option's text where the answer is an option's letter."""
    chosen = choices.get(final.strip("(). "), final) if len(final) <= _CHOICE_CHARS else final
    return zlib.crc32(chosen.encode())


def sketches(text: TextFeatures, prompts: Sequence[str]) -> Floats:
    """Return count sketches of prompts, one row of unit length each."""
    return np.vstack([_sketched(text.weighted(prompts[start : start + _CHUNK_ROWS])) for start in range(0, len(prompts), _CHUNK_ROWS)])


def _sketched(weighted: Floats) -> Floats:
    """Fold weighted hashes to a smaller width; their signs are random already, as a count sketch needs."""
    rows = weighted.reshape(len(weighted), -1, _WIDTH).sum(axis=1)
    sketch: Floats = rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9)
    return sketch


@dataclass(frozen=True, slots=True)
class NearestPrompt:
    """Sketches of training prompts, and the answers given to each.

    Args:
        sketch: One row per prompt.
        answers: Hashes of the distinct answers, prompt after prompt.
        right: By answer, whether it was right from at least one model.
        ends: By prompt, where its answers end in ``answers``.
    """

    sketch: Floats
    answers: Codes
    right: Codes
    ends: Codes

    def nearest(self, sketch: Floats, *, skip: Codes | None = None) -> tuple[Codes, Floats]:
        """Return the index of the nearest training prompt and its cosine similarity -1..1, for each sketch.

        Args:
            sketch: The prompts.
            skip: For each prompt the index of a training prompt to skip (itself), or -1.
        """
        similarity = sketch @ self.sketch.T
        rows = np.arange(len(sketch))
        if skip is not None:
            known = skip >= 0
            similarity[rows[known], skip[known]] = -1.0
        index: Codes = similarity.argmax(axis=1)
        return index, similarity[rows, index]

    def features(self, index: int, similarity: float, *, prompt: str, final: Sequence[str | None]) -> list[list[float]]:
        """Return the features of some answers to a prompt (see ``NEAREST_FEATURES``).

        Args:
            index: Index of the nearest training prompt.
            similarity: Its similarity.
            prompt: The prompt.
            final: Final answers; ``None`` for none.
        """
        start = int(self.ends[index - 1]) if index else 0
        rows = slice(start, int(self.ends[index]))
        right_by_meaning = dict(zip(self.answers[rows].tolist(), self.right[rows].tolist(), strict=True))
        choices = choices_of(prompt)
        was_right = [None if each is None else right_by_meaning.get(meaning_hash(choices, each)) for each in final]
        return [[similarity, float(each == 1), float(each == 0)] for each in was_right]


def fit_nearest_prompt(
    sketch: Floats, prompts: Sequence[str], final: Sequence[Sequence[str | None]], score: Floats, *, seed: int
) -> tuple[NearestPrompt, Floats]:
    """Keep training prompts, at most 4,000 of them, drawn at random.

    Returns:
        The kept prompts, and the features of every training answer as if its own prompt were not among them.
    """
    count = len(prompts)
    kept: Codes = np.arange(count, dtype=np.int64)
    if count > _MAX_ROWS:
        kept = np.sort(np.random.default_rng(seed).permutation(kept)[:_MAX_ROWS])
    answers: list[int] = []
    right: list[bool] = []
    ends: list[int] = []
    for row in kept:
        index = int(row)
        right_by_meaning = _right_by_meaning(prompts[index], final[index], score[index])
        answers += right_by_meaning
        right += right_by_meaning.values()
        ends.append(len(answers))
    memory = NearestPrompt(sketch[kept], np.array(answers, dtype=np.int64), np.array(right, dtype=np.int64), np.array(ends, dtype=np.int64))
    own_index = np.full(count, -1, dtype=np.int64)
    own_index[kept] = np.arange(len(kept))
    indices, similarities = memory.nearest(sketch, skip=own_index)
    return memory, nearest_features(memory, indices, similarities, prompts=prompts, final=final)


def _right_by_meaning(prompt: str, final: Sequence[str | None], score: Floats) -> dict[int, bool]:
    """Return the hash of every answer to a prompt, and whether it was right from at least one model."""
    choices = choices_of(prompt)
    right_by_meaning: dict[int, bool] = {}
    for answer, value in zip(final, score, strict=True):
        if answer is not None:
            means = meaning_hash(choices, answer)
            right_by_meaning[means] = right_by_meaning.get(means, False) or float(value) > _RIGHT
    return right_by_meaning


def nearest_features(
    memory: NearestPrompt, indices: Codes, similarities: Floats, *, prompts: Sequence[str], final: Sequence[Sequence[str | None]]
) -> Floats:
    """Return the features of a table of answers, prompts x models x ``NEAREST_FEATURES``."""
    rows = zip(indices, similarities, prompts, final, strict=True)
    return np.array(
        [memory.features(int(index), float(similarity), prompt=prompt, final=answers) for index, similarity, prompt, answers in rows]
    )
