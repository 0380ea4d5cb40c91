"""A strategy that splits traffic over arms; a hash gives the same user always the same arm (requirements A13, E5)."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from crew_router.decide.strategies.assignment import arm_by_chance, arm_of
from crew_router.decide.strategies.protocol import Choice, Strategy, checked, make_strategy, strategy
from crew_router.types import Draw, Evidence, RoutingRequest

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Flags

_ARM_KEYS: Final = frozenset({"name", "weight", "strategy", "model"})


@dataclass(frozen=True, slots=True)
class _Arm:
    name: str
    weight: float
    strategy: Strategy


@strategy("experiment")
@dataclass(frozen=True, slots=True)
class Experiment:
    """Lets each arm decide for its share of the traffic.

    The unit of assignment is the user, else the session, else the run; a request without any of them gets a random arm.

    Args:
        name: Name of the experiment; another name assigns the units differently.
        arms: Mappings with ``name``, ``weight`` (1 by default), and ``strategy`` (a name, or ``{name, parameters}``)
            or ``model``; an arm with neither is the control.
    """

    name: str
    arms: Sequence[Mapping[str, object]]
    _arms: tuple[_Arm, ...] = field(default=(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Build the strategies of the arms."""
        arms = tuple(_arm(settings) for settings in self.arms)
        names = [arm.name for arm in arms]
        if not sum(arm.weight for arm in arms) or len(set(names)) != len(names):
            msg = f"arms {names} need names of their own, and at least one a weight above 0"
            raise ValueError(msg)
        object.__setattr__(self, "_arms", arms)

    def choose(self, context: RoutingContext, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:
        """Find the arm and let it choose; the propensity of the model is summed over all arms that may choose it."""
        arm, share = self.arm_of(context.request, rng)
        choices = {each.name: each.strategy.choose(context, scores, eligible=eligible, rng=rng) for each in self._arms if each.weight > 0}
        choice = choices[arm.name]
        propensity = sum(weight * choices[name].chance_of(choice.order[0]) for name, weight in self._shares().items() if name in choices)
        draw = Draw(self.name, arm.name, choice.draw.detail)
        note = Evidence("experiment", f"{self.name}: arm {arm.name} ({share:.0%} of the traffic)", share, context.now)
        return dataclasses.replace(choice, draw=draw, propensity=min(propensity, 1.0), chances=None, notes=(note, *choice.notes))

    def arm_of(self, request: RoutingRequest, rng: random.Random) -> tuple[_Arm, float]:
        """Return the arm of a request and its share of the traffic."""
        unit = request.user_id or request.session_id or request.run_id
        shares = self._shares()
        name = arm_by_chance(shares, rng) if unit is None else arm_of(self.name, unit, shares)
        return next(arm for arm in self._arms if arm.name == name), shares[name]

    def _shares(self) -> dict[str, float]:
        total = sum(arm.weight for arm in self._arms)
        return {arm.name: arm.weight / total for arm in self._arms}


def _arm(settings: Mapping[str, object]) -> _Arm:
    unknown = set(settings) - _ARM_KEYS
    if unknown or not isinstance(settings.get("name"), str):
        msg = f"arm {dict(settings)!r} needs a name, and knows {', '.join(sorted(_ARM_KEYS))} only"
        raise ValueError(msg)
    weight = settings.get("weight", 1.0)
    checked("weight", cast("float", weight), low=0.0)
    return _Arm(str(settings["name"]), float(cast("float", weight)), _strategy_of(settings))


def _strategy_of(settings: Mapping[str, object]) -> Strategy:
    model, strategy_settings = settings.get("model"), settings.get("strategy")
    if model is not None and strategy_settings is not None:
        msg = f"arm {settings['name']!r} has a strategy and a model; name one of them"
        raise ValueError(msg)
    if model is not None:
        return make_strategy("fixed", {"model": model})
    if isinstance(strategy_settings, Mapping):
        named = cast("Mapping[str, object]", strategy_settings)
        return make_strategy(str(named.get("name", "weighted")), cast("Mapping[str, object] | None", named.get("parameters")))
    return make_strategy("weighted" if strategy_settings is None else str(strategy_settings))
