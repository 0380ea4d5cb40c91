"""UCB1: the arm whose reward could be the highest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crew_router.decide.bandits.protocol import Arms, Pull, at_least, bandit, greedy


@bandit("ucb1")
@dataclass(frozen=True, slots=True)
class Ucb1:
    """Mean plus ``width x sqrt(2 ln N / n)`` (Auer, Cesa-Bianchi and Fischer, 2002).

    Over faded counts it is D-UCB (Garivier and Moulines, 2011). It is deterministic: its propensity is 1, and its log says
    nothing of other policies unless ``explore`` is set.

    Args:
        width: How many times the bound of the paper; 0.5 suits rewards 0..1 whose variance is below the largest one.
    """

    width: float = 0.5
    linear: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the parameters."""
        at_least("width", self.width, 0.0)

    def pull(self, arms: Arms, generator: np.random.Generator) -> Pull:  # noqa: ARG002 - no chance here
        """Bound every arm; one of which nothing is known comes first."""
        weight = arms.weight
        total = np.log(np.maximum(weight.sum(), 1.0))
        bound = np.sqrt(2.0 * total / np.where(weight > 0, weight, 1.0))
        values = np.where(weight > 0, arms.mean + self.width * bound, np.inf) - arms.penalty
        return Pull(greedy(values), values)
