"""Learns from rewards which model serves which task type, trying those that might be better (requirements D4, D14)."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.bandits import Arms, Policy, Pull, make_bandit
from crew_router.decide.bandits.features import FEATURES, features_of
from crew_router.decide.bandits.memory import Memory
from crew_router.decide.bandits.protocol import at_least
from crew_router.decide.bandits.updates import BanditUpdate, StateUpdate, Sums
from crew_router.decide.strategies.protocol import Choice, strategy
from crew_router.types import Draw

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Codes, Flags, Floats

_PLAIN: Final = 3  # rewards, their sum, the sum of their squares
_SIZE: Final = len(FEATURES)
_UPPER: Final = tuple((row, column) for row in range(_SIZE) for column in range(row, _SIZE))


@strategy("bandit")
@dataclass(frozen=True, slots=True)
class Bandit:
    """Pulls one of the models that may serve the request; what it learns is kept per task type.

    Args:
        policy: ``thompson_beta``, ``thompson_gaussian``, ``ucb1``, ``lin_ucb``, ``epsilon_greedy`` or one of your own.
        parameters: The policy's own parameters.
        half_life: Rewards of a task type after which one counts half, so that a model that gets worse is noticed.
        prior_strength: How many rewards the registry's quality is worth.
        willingness_to_pay: USD that a certainly right answer is worth, when the request does not say: cost / it is taken off
            the reward.
        explore: Share of requests, 0..1, that go to any candidate, so that the log tells of every policy.
    """

    policy: str = "thompson_beta"
    parameters: Mapping[str, object] = field(default_factory=dict[str, object])
    half_life: float = 500.0
    prior_strength: float = 10.0  # guess, not measured
    willingness_to_pay: float = 0.05  # guess, not measured
    explore: float = 0.0
    _policy: Policy = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the parameters and make the policy."""
        at_least("half_life", self.half_life, 1.0)
        at_least("prior_strength", self.prior_strength, 0.0)
        at_least("willingness_to_pay", self.willingness_to_pay, 1e-9)
        at_least("explore", self.explore, 0.0, high=1.0)
        object.__setattr__(self, "_policy", make_bandit(self.policy, **self.parameters))

    @property
    def memory_name(self) -> str:
        """Name of what is learnt; policies that keep the same sums share them."""
        return f"{'linear' if self._policy.linear else 'bandit'}-{self.half_life:g}"

    @property
    def step_discount(self) -> float:
        """A bandit takes no result of a run."""
        return 0.0

    def choose(self, context: RoutingContext, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - the reward replaces the score
        """Pull; the propensity is exact."""
        places = np.flatnonzero(eligible)
        generator = np.random.Generator(np.random.PCG64(rng.getrandbits(64)))
        pull = self._policy.pull(self._arms(context, places), generator)
        return drawn(pull, places, context, explore=self.explore, rng=rng)

    def lesson(self, credit: BanditUpdate, sums: Sums) -> StateUpdate | None:
        """Return what a reward adds to the sums of its task type; a run's result is not for bandits."""
        linear = self._policy.linear
        if credit.of_run or credit.task_type is None or (linear and credit.profile is None):
            return None
        features = features_of(credit.profile) if linear and credit.profile is not None else ()
        return lesson_of(credit, Memory(self.memory_name, self.half_life), sums, features=features)

    def _arms(self, context: RoutingContext, places: Codes) -> Arms:
        task, linear = context.profile.task_type.value, self._policy.linear
        refs = [context.model_table.candidates[int(at)] for at in places]
        width = _PLAIN + (len(_UPPER) + _SIZE if linear else 0)
        memory = Memory(self.memory_name, self.half_life)
        table = np.array(memory.sums_of(context.snapshot.sums, task, refs, width=width))
        gram, moments = _unpacked(table) if linear else (None, None)
        return Arms(
            context.model_table.quality_for(task)[places],
            strength=self.prior_strength,
            samples=table[:, 0],
            rewards=table[:, 1],
            squares=table[:, 2],
            penalty=penalty(context, places, self.willingness_to_pay),
            features=np.array(features_of(context.profile)) if linear else None,
            gram=gram,
            moments=moments,
        )


def penalty(context: RoutingContext, places: Codes, worth_usd: float) -> Floats:
    """Return what each model costs in units of reward; one without a price is taken to cost as much as the dearest that has one."""
    given = context.request.willingness_to_pay
    cost = context.forecast.cost[places]
    dearest = float(np.nanmax(cost)) if not np.isnan(cost).all() else 0.0
    taken: Floats = np.nan_to_num(cost, nan=dearest) / max(worth_usd if given is None else given, 1e-9)
    return taken


def drawn(pull: Pull, places: Codes, context: RoutingContext, *, explore: float, rng: random.Random) -> Choice:
    """Draw an arm and put the others behind it by value, equal values by name."""
    probabilities = (1.0 - explore) * pull.probabilities + explore / len(places)
    number = rng.random()
    edges: Floats = np.cumsum(probabilities)
    at = min(int((edges <= number * edges[-1]).sum()), int(np.flatnonzero(probabilities).max()))
    ordered = np.lexsort((context.model_table.tie_break[places], -pull.values))
    first = int(places[at])
    order = (first, *(int(places[rest]) for rest in ordered if rest != at))
    chances = dict(zip(places.tolist(), probabilities.tolist(), strict=True))
    draw = Draw(detail={"number": number, "value": float(pull.values[at])})
    return Choice(order, propensity=float(probabilities[at]), draw=draw, chances=chances)


def lesson_of(credit: BanditUpdate, memory: Memory, sums: Sums, *, features: tuple[float, ...] = (), context: str = "") -> StateUpdate:
    """Return what a credit adds; a correction is made where the reward that it corrects was put, if that is known."""
    where = context or str(credit.task_type)
    mark = credit.marks.get(memory.name)
    if credit.previous is None or mark is None:
        at, reward, weight = memory.position(sums, where), credit.reward, credit.weight
        values = (weight, weight * reward, weight * reward * reward, *_packed(features, reward))
        return StateUpdate(memory.additions(where, credit.model, values, at=at), at)
    moved = credit.reward - credit.previous
    squares = credit.reward**2 - credit.previous**2
    values = (0.0, moved, squares, *((0.0,) * len(_UPPER) if features else ()), *(moved * value for value in features))
    return StateUpdate((memory.corrections(where, credit.model, values, at=mark),), mark)


def _packed(features: tuple[float, ...], reward: float) -> tuple[float, ...]:
    if not features:
        return ()
    return (*(features[row] * features[column] for row, column in _UPPER), *(value * reward for value in features))


def _unpacked(table: Floats) -> tuple[Floats, Floats]:
    gram = np.zeros((len(table), _SIZE, _SIZE))
    for at, (row, column) in enumerate(_UPPER, start=_PLAIN):
        gram[:, row, column] = gram[:, column, row] = table[:, at]
    return gram, table[:, _PLAIN + len(_UPPER) :]
