"""How hard a text is, 1 to 10, and how sure that is: a small model over named signals and the score of the hashed features."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.classify.difficulty_signals import signals
from crew_router.types import Difficulty

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

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
