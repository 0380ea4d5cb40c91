"""Thompson sampling with a Beta posterior: pulls each arm as often as it is believed to be the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crew_router.decide.bandits.protocol import Arms, Pull, at_least, bandit, frequencies

_LEAST = 1e-3


@bandit("thompson_beta")
@dataclass(frozen=True, slots=True)
class ThompsonBeta:
    """For rewards 0..1; a fractional reward counts as that share of a success (Thompson 1933; Chapelle and Li, 2011).

    Args:
        draws: Rows of the posterior table; an arm that is the best with less than ``1 / draws`` is missing from some tables.

    Example:
        >>> import numpy as np
        >>> seen = np.array([50.0, 50.0])
        >>> arms = Arms(np.array([0.5, 0.5]), strength=2.0, samples=seen, rewards=seen * [0.9, 0.2], squares=seen, penalty=np.zeros(2))
        >>> ThompsonBeta().pull(arms, np.random.default_rng(1)).probabilities
        array([1., 0.])
    """

    draws: int = 128
    linear: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the parameters."""
        at_least("draws", self.draws, 1)

    def pull(self, arms: Arms, generator: np.random.Generator) -> Pull:
        """Draw a table of the posterior."""
        good = np.maximum(arms.rewards + arms.strength * arms.prior, _LEAST)
        bad = np.maximum(arms.weight - arms.rewards - arms.strength * arms.prior, _LEAST)
        drawn = generator.beta(good, bad, size=(self.draws, len(good)))
        return Pull(frequencies(drawn - arms.penalty), arms.mean - arms.penalty)
