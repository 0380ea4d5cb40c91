"""A strategy that sometimes chooses another model than the best, with a known probability (requirement D14)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from crew_router.decide.strategies.chance import drawn, gaussian_wins, softmax
from crew_router.decide.strategies.protocol import Choice, by_rank, checked, one_of, strategy
from crew_router.types import Draw, Evidence

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Flags, Floats


@strategy("noise")
@dataclass(frozen=True, slots=True)
class Noise:
    """Draws among the best few models, so that outcomes of other models than the best are recorded too.

    The drawn model goes first, the others follow by rank. The propensity of the draw is recorded, so that the logged
    decisions can be used to evaluate other policies.

    Args:
        kind: ``epsilon`` draws any of them evenly with probability ``epsilon``; ``gaussian`` and ``gumbel`` add noise to the ranks.
        epsilon: Probability of an even draw, 0..1.
        sigma: Points of noise: the standard deviation, or the scale for ``gumbel``.
        among: How many of the best models take part.
    """

    kind: Literal["epsilon", "gaussian", "gumbel"] = "epsilon"
    epsilon: float = 0.05
    sigma: float = 2.0
    among: int = 5

    def __post_init__(self) -> None:
        """Check the parameters."""
        one_of("kind", self.kind, ("epsilon", "gaussian", "gumbel"))
        checked("epsilon", self.epsilon, low=0.0, high=1.0)
        checked("sigma", self.sigma, low=1e-6)
        checked("among", self.among, low=1)

    def choose(self, context: RoutingContext, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:
        """Draw the first model by its probability."""
        ranked = by_rank(scores.rank, context, eligible)
        candidates = ranked[: self.among]
        chances = self._chances(scores.rank[list(candidates)])
        drawn_at = drawn([float(chance) for chance in chances], rng)
        chosen = candidates[drawn_at]
        order = (chosen, *(index for index in ranked if index != chosen))
        detail = {str(context.model_table.candidates[index]): float(chance) for index, chance in zip(candidates, chances, strict=True)}
        note = Evidence(
            "strategy", f"drawn with probability {chances[drawn_at]:.3f} by {self.kind} noise", float(chances[drawn_at]), context.now
        )
        chances_by_index = dict(zip(candidates, chances.tolist(), strict=True))
        return Choice(order, propensity=float(chances[drawn_at]), draw=Draw(detail=detail), notes=(note,), chances=chances_by_index)

    def _chances(self, ranks: Floats) -> Floats:
        if self.kind == "gumbel":
            return softmax(ranks, temperature=self.sigma)
        if self.kind == "gaussian":
            return gaussian_wins(ranks, sigma=self.sigma)
        even = np.full(len(ranks), self.epsilon / len(ranks))
        even[0] += 1.0 - self.epsilon
        return even
