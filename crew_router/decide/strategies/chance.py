"""Random draws with known probabilities, for strategies that explore."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from crew_router.types.arrays import Floats

_POINTS: Final = 201
_REACH: Final = 6.0  # standard deviations to either side that are integrated; the rest is less than 2e-9


def drawn(probabilities: Sequence[float], rng: random.Random) -> int:
    """Return an index drawn by probabilities that add up to one.

    Example:
        >>> drawn([0.0, 1.0], random.Random(1))
        1
    """
    remaining = rng.random()
    for index, probability in enumerate(probabilities):
        remaining -= probability
        if remaining < 0:
            return index
    return max(range(len(probabilities)), key=lambda index: probabilities[index])


def softmax(values: Floats, *, temperature: float) -> Floats:
    """Return the probability of each value to be the largest after adding Gumbel noise of scale ``temperature``."""
    weights: Floats = np.exp((values - values.max()) / temperature)
    share: Floats = weights / weights.sum()
    return share


def gaussian_wins(values: Floats, *, sigma: float) -> Floats:
    """Return the probability of each value to be the largest after adding independent Gaussian noise, by quadrature."""
    grid = np.linspace(float(values.max()) - _REACH * sigma, float(values.max()) + _REACH * sigma, _POINTS)
    standard = (grid[:, None] - values[None, :]) / sigma
    below = np.array([[0.5 * math.erfc(-each / math.sqrt(2.0)) for each in row] for row in standard])
    density = np.exp(-0.5 * standard**2)
    # Products over all other values, computed from both sides because dividing by one's own factor could divide by 0.
    before = np.cumprod(np.column_stack((np.ones(_POINTS), below[:, :-1])), axis=1)
    after = np.cumprod(np.column_stack((np.ones(_POINTS), below[:, :0:-1])), axis=1)[:, ::-1]
    wins = (density * before * after).sum(axis=0)
    share: Floats = wins / wins.sum()
    return share
