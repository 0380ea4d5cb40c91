"""Epsilon-greedy: the best arm so far, and with a small probability any arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from crew_router.decide.bandits.bandit_policy import Arms, Pull, at_least, bandit, greedy

if TYPE_CHECKING:
    import numpy as np


@bandit("epsilon_greedy")
@dataclass(frozen=True, slots=True)
class EpsilonGreedy:
    """Takes the arm with the highest mean, and with probability ``epsilon`` any arm.

    Args:
        epsilon: Share of requests, 0..1, that go to any arm with equal probability.
    """

    epsilon: float = 0.1
    linear: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the parameters."""
        at_least("epsilon", self.epsilon, 0.0, high=1.0)

    def pull(self, arms: Arms, generator: np.random.Generator) -> Pull:  # noqa: ARG002 - the draw is made by the caller
        """Return the probabilities: ``epsilon`` shared evenly, the rest for the best arm."""
        values = arms.mean - arms.penalty
        return Pull((1.0 - self.epsilon) * greedy(values) + self.epsilon / len(values), values)
