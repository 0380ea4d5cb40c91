"""Thompson sampling with a Gaussian posterior, for rewards that are not shares of a success."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crew_router.decide.bandits.bandit_policy import Arms, Pull, at_least, bandit, frequencies


@bandit("thompson_gaussian")
@dataclass(frozen=True, slots=True)
class ThompsonGaussian:
    """A normal posterior around the mean, with standard deviation ``deviation / sqrt(rewards)`` (Agrawal and Goyal, 2013).

    Args:
        deviation: Standard deviation of one reward; 0.5 is the most that a reward 0..1 can have.
        draws: Rows of the posterior table.
    """

    deviation: float = 0.5
    draws: int = 128
    linear: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the parameters."""
        at_least("deviation", self.deviation, 1e-6)
        at_least("draws", self.draws, 1)

    def pull(self, arms: Arms, generator: np.random.Generator) -> Pull:
        """Draw a table of the posterior; an arm without rewards is as uncertain as one with a single reward."""
        width = self.deviation / np.sqrt(np.maximum(arms.weight, 1.0))
        values = arms.mean - arms.penalty
        drawn = values + width * generator.standard_normal((self.draws, len(values)))
        return Pull(frequencies(drawn), values)
