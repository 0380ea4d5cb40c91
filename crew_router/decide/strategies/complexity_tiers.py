"""Document E's router: simple, medium and complex requests to mini, standard and premium models (requirement E1)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from crew_router.decide.strategies.protocol import Choice, by_rank, checked, one_of, strategy, then
from crew_router.types import Evidence, Mode, Tier

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Flags, Floats

_LADDER: Final = (Tier.FAST, Tier.BASELINE, Tier.PREMIUM)
_CLASSES: Final = ("simple", "medium", "complex")


@strategy("complexity_tiers")
@dataclass(frozen=True, slots=True)
class ComplexityTiers:
    """Takes the tier that fits the complexity; in quality mode one tier higher.

    Inside a tier cost mode takes the cheapest model and quality mode the one that is most likely to be right; models that the task
    type prefers go first in both where ``task_routing`` is on. A tier that no eligible model has gives way to the next higher, then
    to the next lower. With ``escalate`` the answer is checked and a weak one goes up to the next tier (a cascade, requirement E2).

    Args:
        mode: ``cost``, ``quality``, or ``auto`` for what the configuration optimises.
        simple: Highest complexity that counts as simple.
        complex: Lowest complexity that counts as complex.
        task_routing: Whether preferred models of the task type go first in their tier.
        escalate: Whether weak answers are escalated; ``escalation.enabled: false`` turns it off too.
    """

    mode: Literal["auto", "cost", "quality"] = "auto"
    simple: int = 3
    complex: int = 7
    task_routing: bool = True
    escalate: bool = False

    def __post_init__(self) -> None:
        """Check the parameters."""
        one_of("mode", self.mode, ("auto", "cost", "quality"))
        checked("simple", self.simple, low=0, high=10)
        checked("complex", self.complex, low=1, high=11)
        if self.simple >= self.complex:
            msg = f"simple {self.simple} is not below complex {self.complex}"
            raise ValueError(msg)

    def choose(self, context: RoutingContext, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - no chance here
        """Order the wanted tier first, then higher ones, then lower ones."""
        mode = ("quality" if context.optimize == "quality" else "cost") if self.mode == "auto" else self.mode
        complexity = context.profile.complexity.value
        size = int(complexity > self.simple) + int(complexity >= self.complex)
        wanted = min(size + (mode == "quality"), len(_LADDER) - 1)
        first = self._preferred(context)
        merit = _merit(context, mode)
        steps = [_ordered(context, merit, eligible & _of_tier(context, tier), first=first) for tier in _LADDER]
        upwards = [step for step in steps[wanted:] if step]
        rest = (step for step in reversed(steps[:wanted]))
        order = then((at for step in (*upwards, *rest) for at in step), _ordered(context, merit, eligible, first=first))
        ladder = tuple(step[0] for step in upwards)
        climbs = self.escalate and context.escalation and len(ladder) > 1
        detail = f"complexity {complexity} is {_CLASSES[size]}; {mode} mode takes tier {_LADDER[wanted]}"
        notes = (Evidence("strategy", detail, 0.0, context.now),)
        return Choice(order, mode=Mode.CASCADE if climbs else None, ladder=ladder if climbs else (), notes=notes)

    def _preferred(self, context: RoutingContext) -> Flags | None:
        listed = context.preferences.get(context.profile.task_type.value) if self.task_routing else None
        if listed is None:
            return None
        preferred = frozenset((*listed.preferred, *listed.budget))
        return np.array([ref in preferred or ref.model in preferred for ref in context.model_table.candidates], dtype=np.bool_)


def _merit(context: RoutingContext, mode: str) -> Floats:
    cost = context.forecast.cost
    return context.forecast.success if mode == "quality" else -np.where(np.isnan(cost), np.inf, cost)


def _ordered(context: RoutingContext, merit: Floats, places: Flags, *, first: Flags | None) -> tuple[int, ...]:
    if first is None:
        return by_rank(merit, context, places)
    return by_rank(merit, context, places & first) + by_rank(merit, context, places & ~first)


def _of_tier(context: RoutingContext, tier: Tier) -> Flags:
    model_table = context.model_table
    return model_table.memo.get(("tier", tier), lambda: np.array([each == tier for each in model_table.tiers], dtype=np.bool_))
