"""How hard a request is: signals in its text, and a small network that weighs them."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.types import Difficulty

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    Floats = NDArray[np.float32]

TERMS: Final = "difficulty_terms.json"
_HEAD_CHARS: Final = 600
_TAIL_CHARS: Final = 200
_EDGE_WORDS: Final = 9  # what is wanted mostly stands in the first or the last words
_EDGE_CHARS: Final = 60
_OPENING_WORDS: Final = 3
_OPENING_CHARS: Final = 12
_STEM_CHARS: Final = 6
_MOST_COUNTED: Final = 4
_QUESTION_MARKS: Final = ("?", "\uff1f", "\u061f")
_WORDS: Final = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_FOREIGN: Final = re.compile(r"[\u0370-\u1fff\u3040-\uffff]")  # scripts other than Latin
_ASKED: Final = ("prove", "design", "implement", "fact", "transform", "social", "small", "sums", "agentic", "bulk")
_SUBJECTS: Final = ("consensus", "lockfree", "diagnosis", "research", "expert")
CLASSES: Final = (*_ASKED, *_SUBJECTS)
_LENGTHS: Final = (15, 30, 60, 120, 250, 600, 1500)


@dataclass(frozen=True, slots=True)
class Terms:
    """Which classes a word, two or three words, a stem or a piece of a text without spaces speaks for, as bits."""

    words: Mapping[str, int]
    stems: Mapping[str, int]
    pieces: Mapping[str, Sequence[tuple[str, int]]]


@dataclass(frozen=True, slots=True)
class Found:
    """How often each class occurs, and which stand in the first or the last words, and in the opening (as bits)."""

    counts: tuple[int, ...]
    edges: int
    opening: int
    words: int
    foreign: bool


@cache
def packaged_terms() -> Terms:
    """Return the terms of the package; read once."""
    lists = json.loads(resources.files("crew_router.decide.classify").joinpath(TERMS).read_text(encoding="utf-8"))
    words: dict[str, int] = {}
    stems: dict[str, int] = {}
    pieces: dict[str, dict[str, int]] = {}
    for at, name in enumerate(CLASSES):
        for term in lists[name]["terms"]:
            words[term] = words.get(term, 0) | 1 << at
        for stem in lists[name]["stems"]:
            stems[stem] = stems.get(stem, 0) | 1 << at
        for piece in lists[name]["pieces"]:
            own = pieces.setdefault(_script(piece), {})
            own[piece] = own.get(piece, 0) | 1 << at
    return Terms(words, stems, {script: tuple(own.items()) for script, own in pieces.items()})


def _script(text: str) -> str:
    return "cyrillic" if text < "\u0590" else "arabic" if text < "\u0900" else "other"


def find(text: str) -> Found:
    """Look for the terms in the head and the tail of a text."""
    sample = text if len(text) <= _HEAD_CHARS + _TAIL_CHARS else f"{text[:_HEAD_CHARS]}\n{text[-_TAIL_CHARS:]}"
    lowered = sample.lower()
    counts, edges, opening = [0] * len(CLASSES), 0, 0
    words = _WORDS.findall(lowered)
    for at, bits in _of_words(words, packaged_terms()):
        edges |= bits if at < _EDGE_WORDS or at >= len(words) - _EDGE_WORDS else 0
        opening |= bits if at < _OPENING_WORDS else 0
        _count(counts, bits)
    foreign = None if lowered.isascii() else _FOREIGN.search(lowered)
    if foreign is not None:
        edge = lowered[:_EDGE_CHARS] + lowered[-_EDGE_CHARS:]
        for piece, bits in packaged_terms().pieces.get(_script(foreign.group()), ()):
            if piece in lowered:
                edges |= bits if piece in edge else 0
                opening |= bits if piece in lowered[:_OPENING_CHARS] else 0
                _count(counts, bits)
    return Found(tuple(counts), edges, opening, len(words), foreign is not None)


def _of_words(words: list[str], terms: Terms) -> list[tuple[int, int]]:
    """Return the place and the classes of every term of one, two or three words, and of every stem."""
    single, stems = terms.words.get, terms.stems.get
    found: list[tuple[int, int]] = []
    last = before = ""
    for at, word in enumerate(words):
        pair = f"{last} {word}"
        bits = single(word, 0) | single(pair, 0) | single(f"{before} {pair}", 0) | stems(word[:_STEM_CHARS], 0)
        if bits:
            found.append((at, bits))
        before, last = last, word
    return found


def _count(counts: list[int], bits: int) -> None:
    while bits:
        lowest = bits & -bits
        counts[lowest.bit_length() - 1] += 1
        bits ^= lowest


def signals(text: str, *, hard: float, unknown: float) -> list[float]:
    """Return the figures that the weights of difficulty are for.

    Args:
        text: What is asked.
        hard: The difficulty that the hashed features alone speak for, 1..10.
        unknown: Share of the words that are not among the 20,000 commonest English ones.
    """
    found = find(text)
    edge = [float(found.edges >> at & 1) for at in range(len(CLASSES))]
    opening = [float(found.opening >> at & 1) for at in range(len(CLASSES))]
    some = [1.0 if count else 0.0 for count in found.counts]
    many = [min(count, _MOST_COUNTED) / _MOST_COUNTED for count in found.counts]
    subjects = some[len(_ASKED) :]
    any_subject, any_asked = max(subjects), max(edge[:3])
    crossed = [subject * asked for subject in subjects for asked in edge[: len(_ASKED)]]
    bare = [subject * (1.0 - max(edge[: len(_ASKED)])) for subject in subjects]
    prove_alone = edge[0] * (1.0 - any_subject)
    long = [1.0 if len(text) >= length else 0.0 for length in _LENGTHS]
    digits = sum(map(text.count, "0123456789")) / (len(text) + 1)
    asked_easily = max(edge[3], edge[4], edge[6])
    return [
        *edge,
        *opening,
        *some,
        *many,
        *crossed,
        *bare,
        prove_alone,
        any_subject,
        any_subject * any_asked,
        any_subject * asked_easily,
        any_asked * asked_easily,
        *long,
        *(step * asked_easily for step in long[3:6]),
        digits,
        math.log1p(found.words) / 5,
        math.log1p(text.count("\n")) / 3,
        1.0 if text.rstrip().endswith(_QUESTION_MARKS) else 0.0,
        1.0 if found.foreign else 0.0,
        unknown,
        unknown * (1.0 - long[3]),
        unknown * any_asked,
        hard / 10,
        hard / 10 * (1.0 - long[1]),
        hard / 10 * (1.0 - long[3]),
        hard / 10 * any_subject,
        max(0.0, hard - 5) / 5,
    ]


WEIGHTS: Final = "difficulty.npz"
LOW: Final = 1.0
HIGH: Final = 10.0
_LEAST_APART: Final = 0.05
_STEP: Final = 0.25  # grades are means of two, so that halves occur: a quarter beyond the last one still belongs to it


@dataclass(frozen=True, slots=True)
class DifficultyModel:
    """A linear score and a few small corrections of it; with their mean it is the difficulty; where they disagree the spread is wider.

    Example:
        >>> packaged_difficulty().read("Say hi.", hard=4.0, unknown=0.0).mean < 3
        True
    """

    linear: Floats
    bias: float
    middle: Floats
    inner: Floats
    inner_bias: Floats
    outer: Floats
    outer_bias: Floats
    spread: Floats
    reply_spread: float

    def read(self, text: str, *, hard: float, unknown: float) -> Difficulty:
        """Return the difficulty of what a text asks.

        Args:
            text: What is asked.
            hard: The difficulty that the hashed features alone speak for.
            unknown: Share of its words that are not common English ones.
        """
        found = np.array(signals(text, hard=hard, unknown=unknown), np.float32)
        members: list[float] = (np.tanh((found - self.middle) @ self.inner + self.inner_bias) @ self.outer + self.outer_bias).tolist()
        correction = sum(members) / len(members)
        mean = min(HIGH, max(LOW, float(found @ self.linear) + self.bias + correction))
        apart = math.sqrt(sum((each - correction) ** 2 for each in members) / len(members))  # numpy is slower for so few
        return Difficulty(mean, math.exp(float(spread_signals(mean, apart, unknown=unknown, chars=len(text)) @ self.spread)))


def spread_signals(mean: float, apart: float, *, unknown: float, chars: int) -> Floats:
    """Return what the logarithm of the spread is a weighted sum of.

    Args:
        mean: The difficulty that was read.
        apart: How far the corrections disagree.
        unknown: Share of the words that are not common English ones.
        chars: Length of the text.
    """
    off = (mean - 5.5) / 4.5
    return np.array([1.0, math.log(max(apart, _LEAST_APART)), off, off * off, unknown, math.log1p(chars) / 5], np.float32)


def confidence_of(difficulty: Difficulty) -> float:
    """Return the probability that the rounded difficulty is within one of the grade that people give."""
    value = round(difficulty.mean)
    return difficulty.share_between(value - 1 - _STEP, value + 1 + _STEP)


@cache
def packaged_difficulty() -> DifficultyModel:
    """Return the weights of the package; read once."""
    with resources.files("crew_router.decide.classify").joinpath(WEIGHTS).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return difficulty_model_of(dict(arrays))


def difficulty_model_of(arrays: Mapping[str, NDArray[np.generic]]) -> DifficultyModel:
    """Build a model from the arrays of a file."""
    floats = {name: values.astype(np.float32) for name, values in arrays.items()}
    return DifficultyModel(
        floats["linear"],
        float(floats["bias"]),
        floats["middle"],
        floats["inner"],
        floats["inner_bias"],
        floats["outer"],
        floats["outer_bias"],
        floats["spread"],
        float(floats["reply_spread"]),
    )
