"""Features of a prompt: hashed words and characters, projected, and a few counts. Needs no network and no vocabulary file."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from crew_router.types.arrays import Floats

BITS: Final = 12
_WIDTH: Final = 1 << BITS
_SIGN_BIT: Final = 31
_MAX_CHARS: Final = 4000
_TAIL_CHARS: Final = 600
_GRAM: Final = 4
_COUNT_WEIGHT: Final = 0.05  # keeps the counts from outweighing the words
_FIT_ROWS: Final = 4000
_CHUNK_ROWS: Final = 500
_WORD: Final = re.compile(r"[a-z_]+|\d+|[^\sa-z\d]")
_NUMBER: Final = re.compile(r"\d+\.?\d*")
_SENTENCE_END: Final = re.compile(r"[.!?]\s")
_LONG_NUMBER: Final = 2


def word_list(text: str) -> list[str]:
    """Return the words and signs of a lower-case text, and ``#`` for each number."""
    return ["#" if word[0].isdigit() else word for word in _WORD.findall(text)]


def grams(text: str) -> list[str]:
    """Return the pieces that are hashed: words, pairs of words, and words and letters of the end, where the question usually is."""
    lowered = text.casefold()
    if len(lowered) > _MAX_CHARS:
        lowered = f"{lowered[: _MAX_CHARS // 2]} {lowered[-_MAX_CHARS // 2 :]}"
    words, tail = word_list(lowered), lowered[-_TAIL_CHARS:]
    pieces = [f"w{word}" for word in words]
    pieces += [f"b{one} {two}" for one, two in itertools.pairwise(words)]
    pieces += [f"t{word}" for word in word_list(tail)]
    pieces += [f"c{tail[start : start + _GRAM]}" for start in range(len(tail) - _GRAM + 1)]
    return pieces


def hashed_row(pieces: Sequence[str], *, width: int = _WIDTH) -> Floats:
    """Return signed counts of hashed pieces, damped by a square root."""
    codes = np.array([zlib.crc32(piece.encode()) for piece in pieces], dtype=np.int64)
    row = np.bincount(codes & (width - 1), weights=np.where(codes >> _SIGN_BIT, 1.0, -1.0), minlength=width)
    damped: Floats = np.sign(row) * np.sqrt(np.abs(row))
    return damped


def counts(text: str) -> list[float]:
    """Return plain counts: lengths, numbers, signs, capitals."""
    words, numbers = text.split(), _NUMBER.findall(text)
    size = max(len(text), 1)
    logged = (
        len(text),
        len(words),
        len(text.rstrip().split("\n\n")[-1]),
        len(numbers),
        text.count("\n"),
        text.count("$"),
        text.count("\\"),
        text.count("("),
        sum(len(number) > _LONG_NUMBER for number in numbers),
        text.count("%"),
        sum("." in number for number in numbers),
        text.count(","),
        text.count('"') + text.count("'"),
        len(_SENTENCE_END.findall(text)),
    )
    return [
        *(float(np.log1p(value)) for value in logged),
        float("?" in text),
        float("def " in text),
        float("/" in text),
        float(np.mean([len(word) for word in words])) if words else 0.0,
        sum(map(str.isupper, text)) / size,
        0.0 if text.isascii() else sum(not letter.isascii() for letter in text) / size,
    ]


@dataclass(frozen=True, slots=True)
class TextFeatures:
    """Turns prompts into features; fitted on the training prompts.

    Args:
        weight: Inverse document frequency of each hash bucket.
        basis: Main directions of the training prompts, as columns.
        centre: Mean of the counts.
        scale: Standard deviation of the counts.
    """

    weight: Floats
    basis: Floats
    centre: Floats
    scale: Floats

    def __call__(self, prompts: Sequence[str]) -> Floats:
        """Return one row per prompt."""
        return np.vstack([self._rows(prompts[start : start + _CHUNK_ROWS]) for start in range(0, len(prompts), _CHUNK_ROWS)])

    def weighted(self, prompts: Sequence[str]) -> Floats:
        """Return weighted hashes as rows of unit length; their dot product is the similarity of two prompts."""
        return _unit(_hashed(prompts) * self.weight)

    def _rows(self, prompts: Sequence[str]) -> Floats:
        return self.joined(self.weighted(prompts), np.array([counts(text) for text in prompts]))

    def joined(self, weighted: Floats, plain: Floats) -> Floats:
        """Return the features of prompts whose weighted hashes and counts are known."""
        return np.hstack([weighted @ self.basis, _COUNT_WEIGHT * np.clip((plain - self.centre) / self.scale, -4.0, 4.0)])


def fit_text(prompts: Sequence[str], *, directions: int, seed: int) -> tuple[TextFeatures, Floats]:
    """Fit the features to prompts, by a randomised singular value decomposition of their weighted hashes.

    Returns:
        The fitted features, and the features of the prompts.
    """
    rng = np.random.default_rng(seed)
    indices = range(len(prompts)) if len(prompts) <= _FIT_ROWS else rng.choice(len(prompts), _FIT_ROWS, replace=False)
    sample = [prompts[int(index)] for index in indices]
    plain = np.array([counts(text) for text in sample])
    table = _hashed(sample)
    document_counts = (table != 0).sum(axis=0)
    weight = np.where(document_counts > 0, np.log((1 + len(sample)) / (1 + document_counts)) + 1.0, 0.0)
    weighted = _unit(table * weight)
    basis = _directions(weighted, min(directions, len(sample) - 1), rng)
    features = TextFeatures(weight, basis, plain.mean(axis=0), plain.std(axis=0) + 1e-9)
    return features, features.joined(weighted, plain) if len(sample) == len(prompts) else features(prompts)


def _hashed(prompts: Sequence[str]) -> Floats:
    return np.array([hashed_row(grams(text)) for text in prompts])


def _unit(rows: Floats) -> Floats:
    scaled: Floats = rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9)
    return scaled


def _directions(rows: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Return the main directions by subspace iteration (Halko, Martinsson and Tropp 2011, algorithm 4.4)."""
    subspace = np.linalg.qr(rows @ rng.normal(size=(rows.shape[1], count + 10)))[0]
    for _ in range(3):
        subspace = np.linalg.qr(rows @ np.linalg.qr(rows.T @ subspace)[0])[0]
    right: Floats = np.linalg.svd(subspace.T @ rows, full_matrices=False)[2]
    return right[:count].T


def weighted_words(prompts: Sequence[str]) -> Floats:
    """Return hashed tf-idf as rows of unit length, for baselines that need no projection."""
    table = _hashed(prompts)
    document_counts = (table != 0).sum(axis=0)
    return _unit(table * (np.log((1 + len(prompts)) / (1 + document_counts)) + 1.0))
