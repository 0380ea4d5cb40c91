"""Task type and domain of a text: hashed features and small linear models over them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.types import Domain, TaskType

if TYPE_CHECKING:
    from numpy.typing import NDArray
    Ints = NDArray[np.uint32]
    Floats = NDArray[np.float32]
    from collections.abc import Mapping

HEAD_BYTES: Final = 2_400
TAIL_BYTES: Final = 800
SLOT_BITS: Final = 20
_MOST: Final = HEAD_BYTES + TAIL_BYTES + 16
_BASE: Final = 0x01000193
_SPACE, _WORD, _MARK = 0, 1, 2
_GRAMS: Final = (3, 4, 5)
_UNIT: Final = np.uint32(1)
_ONE, _TWO, _OPENING = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77), np.uint32(0xC2B2AE3D)
_SENTENCE, _CLOSING = np.uint32(0x27D4EB2F), np.uint32(0x165667B1)
_FOLD, _DROP = np.uint32(15), np.uint32(32 - SLOT_BITS)
_OPENING_WORDS: Final = 4
_CLOSING_WORDS: Final = 6
_LENGTHS: Final = (30, 60, 120, 250, 500, 1000, 2000)  # characters at which a text is of another kind
SHAPE: Final = len(_LENGTHS) + 2


@dataclass(frozen=True, slots=True)
class Hashes:
    """Slots of every occurrence: of words and what is made of them, of pieces of words, and of the bare words; and the build."""

    words: Ints
    grams: Ints
    bare: Ints
    shape: Floats


def hashes_of(text: str) -> Hashes:
    """Return the features of a capped head and tail of a text; any text has some."""
    raw = _capped(text)
    padded = b"  " + raw + b"  "
    kinds = np.frombuffer(padded.translate(_KINDS), np.uint8)
    sums, inverses = _prefix_sums(np.frombuffer(padded, np.uint8))
    bare, marks = _bare_words(kinds, sums, inverses)
    words = _slots(_word_features(bare, marks))
    return Hashes(words, _slots(_gram_hashes(kinds, sums, inverses)), words[: len(bare)], _shape(raw))


def _capped(text: str) -> bytes:
    # Characters are cut before they are encoded, so that ten megabytes cost no more than the cap.
    if len(text) > HEAD_BYTES + TAIL_BYTES:
        text = f"{text[:HEAD_BYTES]}\n{text[-TAIL_BYTES:]}"
    raw = text.lower().encode("utf-8", "replace")
    return raw if len(raw) <= HEAD_BYTES + TAIL_BYTES else raw[:HEAD_BYTES] + raw[-TAIL_BYTES:]


def _kinds() -> bytes:
    kinds = bytearray([_MARK] * 256)
    kinds[: ord(" ") + 1] = bytes([_SPACE] * (ord(" ") + 1))
    for mark in (*b"abcdefghijklmnopqrstuvwxyz0123456789_", *range(0x80, 0x100)):
        kinds[mark] = _WORD
    return bytes(kinds)


_KINDS: Final = _kinds()


@cache
def _powers() -> tuple[Ints, Ints]:
    powers, inverses = np.ones(_MOST, np.uint32), np.ones(_MOST, np.uint32)
    inverse = pow(_BASE, -1, 1 << 32)
    for at in range(1, _MOST):
        powers[at] = int(powers[at - 1]) * _BASE & 0xFFFFFFFF
        inverses[at] = int(inverses[at - 1]) * inverse & 0xFFFFFFFF
    return powers, inverses


def _prefix_sums(data: NDArray[np.uint8]) -> tuple[Ints, Ints]:
    powers, inverses = _powers()
    sums = np.zeros(len(data) + 1, np.uint32)
    np.add.accumulate((data.astype(np.uint32) + _UNIT) * powers[: len(data)], out=sums[1:])
    return sums, inverses


def _bare_words(kinds: NDArray[np.uint8], sums: Ints, inverses: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the hash of every run of letters or of marks, and which of them are marks."""
    cuts = (kinds[1:] != kinds[:-1]).nonzero()[0] + 1
    starts, ends = cuts[:-1], cuts[1:]
    found = kinds[starts]
    solid = found != _SPACE
    starts, ends = starts[solid], ends[solid]
    hashes: Ints = (sums[ends] - sums[starts]) * inverses[starts]
    return hashes, found[solid] == _MARK


def _word_features(hashes: Ints, marks: NDArray[np.bool_]) -> Ints:
    # A word after a mark opens a sentence, a line or an item: in requests it is mostly the verb that says what is wanted.
    return np.concatenate(
        [
            hashes,
            hashes[:-1] * _TWO + hashes[1:],
            hashes[:_OPENING_WORDS] * _OPENING,
            hashes[1:][marks[:-1]] * _SENTENCE,
            hashes[:1] * _SENTENCE,
            hashes[-_CLOSING_WORDS:] * _CLOSING,
        ]
    )


def _gram_hashes(kinds: NDArray[np.uint8], sums: Ints, inverses: Ints) -> Ints:
    solid = kinds != _SPACE
    # An n-gram may begin or end with one space, and has none inside; what is inside grows by one with the size.
    inside = solid[1:-1]
    found: list[Ints] = []
    for size in _GRAMS:
        if not len(inside):
            break
        count = len(inside)
        hashes = (sums[size : size + count] - sums[:count]) * inverses[:count]
        found.append(hashes[inside] + np.uint32(size))
        inside = inside[:-1] & solid[size - 1 : -1]
    return np.concatenate(found) if found else np.zeros(0, np.uint32)


def _slots(hashes: Ints) -> Ints:
    mixed: Ints = (hashes ^ (hashes >> _FOLD)) * _ONE
    mixed >>= _DROP
    return mixed


def _shape(raw: bytes) -> Floats:
    lengths = [1.0 if len(raw) >= length else 0.0 for length in _LENGTHS]
    return np.array([*lengths, min(raw.count(b"\n"), 20) / 20, float(raw.rstrip().endswith(b"?"))], np.float32)


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
