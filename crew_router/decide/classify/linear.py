"""Small linear models over hashed features; weights of the package, loaded when first needed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.classify.features import SLOT_BITS, Hashes, hashes_of
from crew_router.types import Domain, TaskType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

WEIGHTS: Final = "weights.npz"
TASKS: Final = tuple(TaskType)
DOMAINS: Final = tuple(Domain)
_DOMAIN_AT: Final = len(TASKS)
_COMPLEXITY_AT: Final = len(TASKS) + len(DOMAINS)
_TINY: Final = 1e-9
_MOST_COUNTED: Final = 4_095
_NO_ROWS: Final = np.zeros(0, np.uint16)


@dataclass(frozen=True, slots=True)
class Scores:
    """Probabilities in the order of ``TASKS`` and ``DOMAINS``, and complexity on the scale 1..10, not rounded."""

    tasks: Floats
    domains: Floats
    complexity: float


@dataclass(frozen=True, slots=True)
class Block:
    """One table of weights: which slots have a row, the inverse document frequency of each row, and its weights.

    Row 0 stands for all slots without weights and adds nothing.
    """

    lookup: NDArray[np.uint16]
    idf: Floats
    weights: Floats
    dampened: Floats

    def counted(self, slots: NDArray[np.uint32]) -> tuple[NDArray[np.uint16], Floats]:
        """Return the rows that occur and the weight of each: dampened count times inverse document frequency."""
        # Sixteen-bit sorting is linear in numpy, and cheaper than counting into a table as wide as the rows.
        found = self.lookup.take(slots)
        found.sort(kind="stable")
        size = len(found)
        if not size:
            return _NO_ROWS, self.idf[_NO_ROWS]
        starts = (found[1:] != found[:-1]).nonzero()[0]
        bounds = np.empty(len(starts) + 2, np.intp)
        bounds[0], bounds[-1] = 0, size
        np.add(starts, 1, out=bounds[1:-1])
        rows, counts = found[bounds[:-1]], bounds[1:] - bounds[:-1]
        if size > _MOST_COUNTED:
            counts = np.minimum(counts, _MOST_COUNTED)
        values: Floats = self.dampened.take(counts) * self.idf.take(rows)
        return rows, values

    def scores(self, slots: NDArray[np.uint32]) -> Floats:
        """Return the sum of the weights of what occurs, over the length of the vector of what occurs."""
        rows, values = self.counted(slots)
        length = float(np.float32(math.sqrt(values @ values))) + _TINY
        summed: Floats = values @ self.weights.take(rows, axis=0)
        return summed / np.float32(length)


@dataclass(frozen=True, slots=True)
class LinearModel:
    """Task type, domain and complexity of a text from one set of features.

    Example:
        >>> packaged_model().read("Write a haiku about rain").tasks.argmax() == TASKS.index(TaskType.CREATIVE)
        True
    """

    words: Block
    grams: Block
    bare: Block
    shape: Floats
    bias: Floats

    def read(self, text: str) -> Scores:
        """Score any text."""
        return self.score(hashes_of(text))

    def unknown_share(self, found: Hashes) -> float:
        """Return the share of words and marks that are not among the common English ones."""
        if not len(found.bare):
            return 0.0
        return 1.0 - float(np.count_nonzero(self.bare.lookup.take(found.bare))) / len(found.bare)

    def score(self, found: Hashes) -> Scores:
        """Score the features of a text."""
        raw = (self.bias + found.shape @ self.shape + self.words.scores(found.words) + self.grams.scores(found.grams)).astype(np.float32)
        raw[_DOMAIN_AT:_COMPLEXITY_AT] += self.bare.scores(found.bare)
        return Scores(_softmax(raw[:_DOMAIN_AT]), _softmax(raw[_DOMAIN_AT:_COMPLEXITY_AT]), float(raw[_COMPLEXITY_AT]))


@cache
def packaged_model() -> LinearModel:
    """Return the weights of the package; read once."""
    with resources.files("crew_router.decide.classify").joinpath(WEIGHTS).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return model_of(dict(arrays))


def model_of(arrays: Mapping[str, NDArray[np.generic]]) -> LinearModel:
    """Build a model from the arrays of a file: eight-bit weights with a scale for each output."""
    return LinearModel(
        _block(arrays, "words"),
        _block(arrays, "grams"),
        _block(arrays, "bare"),
        arrays["shape"].astype(np.float32),
        arrays["bias"].astype(np.float32),
    )


def _block(arrays: Mapping[str, NDArray[np.generic]], name: str) -> Block:
    slots = np.cumsum(arrays[f"{name}_steps"], dtype=np.int64)
    lookup = np.zeros(1 << SLOT_BITS, np.uint16)
    lookup[slots] = np.arange(1, len(slots) + 1, dtype=np.uint16)
    weights = arrays[f"{name}_weights"].astype(np.float32) * arrays[f"{name}_scale"].astype(np.float32)
    nothing = np.zeros((1, weights.shape[1]), np.float32)
    idf = np.concatenate([np.zeros(1, np.float32), arrays[f"{name}_idf"].astype(np.float32)])
    dampened = np.float32(1.0) + np.log(np.maximum(np.arange(_MOST_COUNTED + 1), 1), dtype=np.float32)
    return Block(lookup, idf, np.concatenate([nothing, weights]), dampened)


def _softmax(scores: Floats) -> Floats:
    raised: Floats = np.exp(scores - np.maximum.reduce(scores))
    shares: Floats = raised / np.add.reduce(raised)
    return shares
