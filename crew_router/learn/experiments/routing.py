"""A strategy that lets an arm of a running experiment choose, or the router's own strategy when no experiment applies."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crew_router.decide.strategies.assignment import arm_by_chance, arm_of, unit_of
from crew_router.decide.strategies.protocol import Choice
from crew_router.learn.experiments.trials import Running, Trials
from crew_router.types import Draw, Evidence

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.score import Scores
    from crew_router.decide.strategies import Strategy
    from crew_router.types.arrays import Flags


@dataclass(frozen=True, slots=True)
class Trialled:
    """Wraps the router's own strategy; a request that names a strategy or forces a model takes part in no experiment.

    The propensity of a choice is the probability that its model is chosen by any arm: over all arms, the sum of the arm's
    share times the probability that the arm chooses that model.
    """

    own: Strategy
    trials: Trials

    def choose(self, context: RoutingContext, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:
        """Choose as the arm that this request's unit (user, session or run) is assigned to."""
        running = self.trials.of(context.request, context.profile.task_type.value)
        if running is None:
            return self.own.choose(context, scores, eligible=eligible, rng=rng)
        experiment = running.experiment
        shares = experiment.shares()
        unit = unit_of(experiment.unit, context.request)
        assigned_arm = arm_by_chance(shares, rng) if unit is None else arm_of(experiment.name, unit, shares)
        choices = {
            arm.name: self._strategy(running, arm.name).choose(context, scores, eligible=eligible, rng=rng)
            for arm in experiment.arms
            if arm.shadow or shares[arm.name] > 0
        }
        return _assigned(running, assigned_arm, choices=choices, shares=shares, context=context)

    def _strategy(self, running: Running, arm: str) -> Strategy:
        return running.strategies.get(arm, self.own)


def _assigned(
    running: Running, assigned_arm: str, *, choices: dict[str, Choice], shares: dict[str, float], context: RoutingContext
) -> Choice:
    experiment, choice = running.experiment, choices[assigned_arm]
    first_index, now = choice.order[0], context.now
    refs = context.model_table.candidates
    shadows = {arm.name: choices[arm.name].order[0] for arm in experiment.arms if arm.shadow}
    detail = {
        **choice.draw.detail,
        "stage": float(experiment.stage),
        "share": shares[assigned_arm],
        **{f"shadow:{name}": float(index == first_index) for name, index in shadows.items()},
    }
    notes = (
        Evidence("experiment", f"{experiment.name}: arm {assigned_arm}, which gets {shares[assigned_arm]:.0%}", 1.0, now),
        *(Evidence(f"shadow:{name}", f"{refs[index]} would be called", 0.0, now) for name, index in shadows.items()),
    )
    propensity = sum(share * choices[name].chance_of(first_index) for name, share in shares.items() if name in choices)
    draw = Draw(experiment.name, assigned_arm, detail)
    return replace(choice, propensity=min(propensity, 1.0), draw=draw, notes=(*choice.notes, *notes))
