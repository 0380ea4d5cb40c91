"""LinUCB: the arm with the highest upper bound of the reward, which is predicted from features of the request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crew_router.decide.bandits.bandit_policy import Arms, Pull, at_least, bandit, greedy


@bandit("lin_ucb")
@dataclass(frozen=True, slots=True)
class LinUcb:
    """Ridge regression per arm plus ``width`` standard errors (Li, Chu, Langford and Schapire, 2010, disjoint models).

    The prior counts as ``strength`` rewards at the average request, so that an arm without rewards is estimated at its prior.

    Args:
        width: Standard errors above the estimate.
        ridge: Penalty on coefficients, in rewards.
    """

    width: float = 0.5
    ridge: float = 1.0
    linear: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the parameters."""
        at_least("width", self.width, 0.0)
        at_least("ridge", self.ridge, 1e-9)

    def pull(self, arms: Arms, generator: np.random.Generator) -> Pull:  # noqa: ARG002 - no chance here
        """Return the arm with the highest upper bound for this request."""
        assert arms.features is not None
        assert arms.gram is not None
        assert arms.moments is not None
        x, size = arms.features, len(arms.features)
        intercept = np.zeros(size)
        intercept[0] = 1.0
        design = arms.gram + self.ridge * np.eye(size) + arms.strength * np.outer(intercept, intercept)
        # The ridge shrinks the intercept towards the prior and the other coefficients towards 0.
        target = arms.moments + np.outer((arms.strength + self.ridge) * arms.prior, intercept)
        solved = np.linalg.solve(design, np.stack([target, np.broadcast_to(x, target.shape)], axis=2))
        estimate, spread = solved[:, :, 0] @ x, np.sqrt(np.maximum(solved[:, :, 1] @ x, 0.0))
        values = estimate + self.width * spread - arms.penalty
        return Pull(greedy(values), values)
