"""UCB1: the arm with the highest upper bound of its mean reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crew_router.decide.bandits.bandit_policy import Arms, Pull, at_least, bandit, greedy


@bandit("ucb1")
@dataclass(frozen=True, slots=True)
class Ucb1:
    """Mean plus ``width x sqrt(2 ln N / n)`` (Auer, Cesa-Bianchi and Fischer, 2002).

    With discounted counts this is D-UCB (Garivier and Moulines, 2011). It is deterministic: its propensity is 1, so its log
    cannot be used to evaluate other policies unless ``explore`` is set.

    Args:
        width: Multiple of the paper's bound; 0.5 suits rewards 0..1 whose variance is below the largest possible one.
    """

    width: float = 0.5
    linear: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the parameters."""
        at_least("width", self.width, 0.0)

    def pull(self, arms: Arms, generator: np.random.Generator) -> Pull:  # noqa: ARG002 - no chance here
        """Return the arm with the highest bound; one without rewards and prior comes first."""
        weight = arms.weight
        total = np.log(np.maximum(weight.sum(), 1.0))
        bound = np.sqrt(2.0 * total / np.where(weight > 0, weight, 1.0))
        values = np.where(weight > 0, arms.mean + self.width * bound, np.inf) - arms.penalty
        return Pull(greedy(values), values)
