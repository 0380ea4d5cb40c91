"""A strategy that learns from the results of whole runs which model serves which kind of step (requirement D4)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.bandits import Pull
from crew_router.decide.bandits.bandit_policy import at_least
from crew_router.decide.bandits.memory import Memory
from crew_router.decide.bandits.updates import BanditUpdate, StateUpdate, Sums
from crew_router.decide.strategies.bandit import choice_of_pull, penalty, state_update_of
from crew_router.decide.strategies.protocol import Choice, strategy

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.score import Scores
    from crew_router.types import RequestProfile
    from crew_router.types.arrays import Flags

_SIMPLE: Final = 3
_HARD: Final = 7


@strategy("reinforcement")
@dataclass(frozen=True, slots=True)
class Reinforcement:
    """Monte-Carlo values of (kind of step, model), with a softmax policy (Sutton and Barto, chapters 5 and 13).

    The state is the task type and whether the step is simple, medium or hard. When a run's result is known
    (feedback for ``run:<run_id>``) every step of the run gets it as its reward, with less weight for earlier steps; feedback
    on a step itself has full weight. Models are drawn with probability proportional to ``exp(value / temperature)``.

    Args:
        temperature: Scale, in reward, of how much worse a model may be and still be tried; near 0 only the best is taken.
        discount: Factor, 0..1, by which the weight of a run's result falls for each step further from the end.
        half_life: Rewards of a kind of step after which a reward counts half.
        prior_strength: Number of rewards that the registry's quality counts for.
        willingness_to_pay: USD that a certainly good result is worth, when the request does not say.
    """

    temperature: float = 0.05  # guess, not measured
    discount: float = 0.9  # guess, not measured
    half_life: float = 500.0
    prior_strength: float = 10.0  # guess, not measured
    willingness_to_pay: float = 0.05  # guess, not measured

    def __post_init__(self) -> None:
        """Check the parameters."""
        at_least("temperature", self.temperature, 1e-6)
        at_least("discount", self.discount, 0.0, high=1.0)
        at_least("half_life", self.half_life, 1.0)
        at_least("prior_strength", self.prior_strength, 1e-9)
        at_least("willingness_to_pay", self.willingness_to_pay, 1e-9)

    @property
    def memory_name(self) -> str:
        """Name of the sums."""
        return f"steps-{self.half_life:g}-{self.discount:g}"

    @property
    def step_discount(self) -> float:
        """Factor by which the weight of a run's result falls for each step further from the end."""
        return self.discount

    def choose(self, context: RoutingContext, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - the value replaces the score
        """Draw a model by its value; the propensity is exact."""
        candidates = np.flatnonzero(eligible)
        refs = [context.model_table.candidates[index] for index in candidates.tolist()]
        memory = Memory(self.memory_name, self.half_life)
        sums_by_arm = np.array(memory.sums_of(context.snapshot.sums, kind_of_step(context.profile), refs, width=3))
        prior = context.model_table.quality_for(context.profile.task_type.value)[candidates]
        mean = (sums_by_arm[:, 1] + self.prior_strength * prior) / (sums_by_arm[:, 0] + self.prior_strength)
        values = mean - penalty(context, candidates, self.willingness_to_pay)
        soft = np.exp((values - values.max()) / self.temperature)
        return choice_of_pull(Pull(soft / soft.sum(), values), candidates, context, explore=0.0, rng=rng)

    def state_update(self, update: BanditUpdate, sums: Sums) -> StateUpdate | None:
        """Return what a reward, or the weighted result of a run, adds to the sums of its kind of step."""
        if update.profile is None:
            return None
        return state_update_of(update, Memory(self.memory_name, self.half_life), sums, context=kind_of_step(update.profile))


def kind_of_step(profile: RequestProfile) -> str:
    """Return the state of a request: its task type, and its difficulty in three bands."""
    complexity = profile.complexity.value
    band = "simple" if complexity <= _SIMPLE else "hard" if complexity >= _HARD else "medium"
    return f"{profile.task_type.value}:{band}"
