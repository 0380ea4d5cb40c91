"""Thompson sampling with a Beta posterior: pulls each arm with the probability that it is the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crew_router.decide.bandits.bandit_policy import Arms, Pull, at_least, bandit, frequencies

_LEAST = 1e-3


@bandit("thompson_beta")
@dataclass(frozen=True, slots=True)
class ThompsonBeta:
    """For rewards 0..1; a fractional reward counts as that share of a success (Thompson 1933; Chapelle and Li, 2011).

    Args:
        draws: Rows of the posterior table; an arm that is best with probability below ``1 / draws`` may not appear in it.

    Example:
        >>> import numpy as np
        >>> counts = np.array([50.0, 50.0])
        >>> rewards = counts * [0.9, 0.2]
        >>> arms = Arms(np.array([0.5, 0.5]), strength=2.0, samples=counts, rewards=rewards, squares=counts, penalty=np.zeros(2))
        >>> ThompsonBeta().pull(arms, np.random.default_rng(1)).probabilities
        array([1., 0.])
    """

    draws: int = 128
    linear: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the parameters."""
        at_least("draws", self.draws, 1)

    def pull(self, arms: Arms, generator: np.random.Generator) -> Pull:
        """Draw a table of the posterior and return how often each arm is the best in it."""
        good = np.maximum(arms.rewards + arms.strength * arms.prior, _LEAST)
        bad = np.maximum(arms.weight - arms.rewards - arms.strength * arms.prior, _LEAST)
        drawn = generator.beta(good, bad, size=(self.draws, len(good)))
        return Pull(frequencies(drawn - arms.penalty), arms.mean - arms.penalty)
