"""A strategy that learns from rewards which model serves which task type, and tries models that might be better (D4, D14)."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.bandits import Arms, BanditPolicy, Pull, make_bandit
from crew_router.decide.bandits.bandit_policy import at_least
from crew_router.decide.bandits.features import FEATURES, features_of
from crew_router.decide.bandits.memory import Memory
from crew_router.decide.bandits.updates import BanditUpdate, StateUpdate, Sums
from crew_router.decide.strategies.protocol import Choice, strategy
from crew_router.types import Draw

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Codes, Flags, Floats

_PLAIN: Final = 3  # sums per arm: number of rewards, their sum, the sum of their squares
_SIZE: Final = len(FEATURES)
_UPPER: Final = tuple((row, column) for row in range(_SIZE) for column in range(row, _SIZE))


@strategy("bandit")
@dataclass(frozen=True, slots=True)
class Bandit:
    """Chooses among the eligible models with a bandit policy; rewards are kept by task type.

    Args:
        policy: ``thompson_beta``, ``thompson_gaussian``, ``ucb1``, ``lin_ucb``, ``epsilon_greedy`` or one of your own.
        parameters: The policy's own parameters.
        half_life: Rewards of a task type after which a reward counts half, so that a model that gets worse is noticed.
        prior_strength: Number of rewards that the registry's quality counts for.
        willingness_to_pay: USD that a certainly right answer is worth, when the request does not say. The cost divided by it
            is subtracted from the reward.
        explore: Share of requests, 0..1, that go to a random candidate, so that the log can be used to evaluate any policy.
    """

    policy: str = "thompson_beta"
    parameters: Mapping[str, object] = field(default_factory=dict[str, object])
    half_life: float = 500.0
    prior_strength: float = 10.0  # guess, not measured
    willingness_to_pay: float = 0.05  # guess, not measured
    explore: float = 0.0
    _policy: BanditPolicy = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the parameters and make the policy."""
        at_least("half_life", self.half_life, 1.0)
        at_least("prior_strength", self.prior_strength, 0.0)
        at_least("willingness_to_pay", self.willingness_to_pay, 1e-9)
        at_least("explore", self.explore, 0.0, high=1.0)
        object.__setattr__(self, "_policy", make_bandit(self.policy, **self.parameters))

    @property
    def memory_name(self) -> str:
        """Name of the sums; policies that need the same sums share them."""
        return f"{'linear' if self._policy.linear else 'bandit'}-{self.half_life:g}"

    @property
    def step_discount(self) -> float:
        """Return 0: a bandit does not use results of whole runs."""
        return 0.0

    def choose(self, context: RoutingContext, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - the reward replaces the score
        """Pull an arm; the propensity is exact."""
        candidates = np.flatnonzero(eligible)
        generator = np.random.Generator(np.random.PCG64(rng.getrandbits(64)))
        pull = self._policy.pull(self._arms(context, candidates), generator)
        return choice_of_pull(pull, candidates, context, explore=self.explore, rng=rng)

    def state_update(self, update: BanditUpdate, sums: Sums) -> StateUpdate | None:
        """Return what a reward adds to the sums of its task type; ``None`` for the result of a whole run."""
        linear = self._policy.linear
        if update.of_run or update.task_type is None or (linear and update.profile is None):
            return None
        features = features_of(update.profile) if linear and update.profile is not None else ()
        return state_update_of(update, Memory(self.memory_name, self.half_life), sums, features=features)

    def _arms(self, context: RoutingContext, candidates: Codes) -> Arms:
        task, linear = context.profile.task_type.value, self._policy.linear
        refs = [context.model_table.candidates[int(index)] for index in candidates]
        width = _PLAIN + (len(_UPPER) + _SIZE if linear else 0)
        memory = Memory(self.memory_name, self.half_life)
        table = np.array(memory.sums_of(context.snapshot.sums, task, refs, width=width))
        gram, moments = _unpacked(table) if linear else (None, None)
        return Arms(
            context.model_table.quality_for(task)[candidates],
            strength=self.prior_strength,
            samples=table[:, 0],
            rewards=table[:, 1],
            squares=table[:, 2],
            penalty=penalty(context, candidates, self.willingness_to_pay),
            features=np.array(features_of(context.profile)) if linear else None,
            gram=gram,
            moments=moments,
        )


def penalty(context: RoutingContext, candidates: Codes, worth_usd: float) -> Floats:
    """Return the cost of each candidate in units of reward; without a price, a model counts as dear as the dearest priced one.

    Args:
        context: The context of the decision.
        candidates: Indices of the candidates.
        worth_usd: USD that a reward of 1 is worth, when the request does not say.
    """
    stated_worth_usd = context.request.willingness_to_pay
    cost = context.forecast.cost[candidates]
    dearest = float(np.nanmax(cost)) if not np.isnan(cost).all() else 0.0
    penalties: Floats = np.nan_to_num(cost, nan=dearest) / max(worth_usd if stated_worth_usd is None else stated_worth_usd, 1e-9)
    return penalties


def choice_of_pull(pull: Pull, candidates: Codes, context: RoutingContext, *, explore: float, rng: random.Random) -> Choice:
    """Draw an arm by its probability and order the others behind it by value, equal values by name.

    Args:
        pull: Probabilities and values of the candidates.
        candidates: Indices of the candidates in the model table.
        context: The context of the decision.
        explore: Share of requests, 0..1, that go to a random candidate.
        rng: Source of chance.
    """
    probabilities = (1.0 - explore) * pull.probabilities + explore / len(candidates)
    number = rng.random()
    edges: Floats = np.cumsum(probabilities)
    pulled = min(int((edges <= number * edges[-1]).sum()), int(np.flatnonzero(probabilities).max()))
    ordered = np.lexsort((context.model_table.tie_break[candidates], -pull.values))
    first = int(candidates[pulled])
    order = (first, *(int(candidates[other]) for other in ordered if other != pulled))
    chances = dict(zip(candidates.tolist(), probabilities.tolist(), strict=True))
    draw = Draw(detail={"number": number, "value": float(pull.values[pulled])})
    return Choice(order, propensity=float(probabilities[pulled]), draw=draw, chances=chances)


def state_update_of(
    update: BanditUpdate, memory: Memory, sums: Sums, *, features: tuple[float, ...] = (), context: str = ""
) -> StateUpdate:
    """Return what a reward adds to the sums.

    Args:
        update: The reward. A correction is added at the position of the reward that it corrects, if that is known.
        memory: The sums.
        sums: Their values.
        features: Features of the request, for linear policies.
        context: Context of the sums; the task type by default.
    """
    arm_context = context or str(update.task_type)
    position = update.positions.get(memory.name)
    if update.previous is None or position is None:
        position, reward, weight = memory.position(sums, arm_context), update.reward, update.weight
        values = (weight, weight * reward, weight * reward * reward, *_packed(features, reward))
        return StateUpdate(memory.additions(arm_context, update.model, values, position=position), position)
    change = update.reward - update.previous
    squares = update.reward**2 - update.previous**2
    values = (0.0, change, squares, *((0.0,) * len(_UPPER) if features else ()), *(change * value for value in features))
    return StateUpdate((memory.corrections(arm_context, update.model, values, position=position),), position)


def _packed(features: tuple[float, ...], reward: float) -> tuple[float, ...]:
    if not features:
        return ()
    return (*(features[row] * features[column] for row, column in _UPPER), *(value * reward for value in features))


def _unpacked(table: Floats) -> tuple[Floats, Floats]:
    gram = np.zeros((len(table), _SIZE, _SIZE))
    for column_index, (row, column) in enumerate(_UPPER, start=_PLAIN):
        gram[:, row, column] = gram[:, column, row] = table[:, column_index]
    return gram, table[:, _PLAIN + len(_UPPER) :]
