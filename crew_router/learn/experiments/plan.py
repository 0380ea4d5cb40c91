"""What an experiment is: arms, metrics, guard-rails, and how sure it has to be."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from crew_router.errors import InvalidRequestError

Metric = Literal["reward", "success", "quality", "confidence", "cost_usd", "latency_s"]
Unit = Literal["user", "session", "run", "request"]
Status = Literal["running", "won", "stopped"]

METRICS: Final = ("reward", "success", "quality", "confidence", "cost_usd", "latency_s")
BOUNDED: Final = frozenset({"reward", "success", "quality", "confidence"})
_LEAST_ARMS: Final = 2
_WHOLE: Final = 100.0  # per cent


def sign(metric: str) -> float:
    """Return 1 where more is better, -1 where less is."""
    return 1.0 if metric in BOUNDED else -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One arm.

    Args:
        name: A name that no other arm of the experiment has.
        weight: Share of the units, relative to the other arms.
        strategy: Name of the strategy that chooses; the router's own when neither it nor a model is given.
        parameters: The strategy's parameters.
        model: The model that answers.
        shadow: It decides and is logged, and is never executed.
    """

    name: str
    weight: float = 1.0
    strategy: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    model: str | None = None
    shadow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A comparison on live traffic (requirements A13, E5).

    Args:
        name: A name that no other experiment has.
        arms: At least two that are executed, or one and a shadow arm.
        control: Arm that guard-rails compare with; the first by default.
        primary: Metric that decides.
        guardrails: How much worse than the control an arm may be, by metric: absolute for metrics 0..1, relative for cost and latency.
        min_samples: Values of the primary metric that every arm needs before anything is concluded.
        alpha: Probability of ever naming a winner where there is none; the same again for stopping an arm that does no harm.
        unit: What always gets the same arm; a request without it falls back to session, run, then chance.
        task_types: Only these; all when empty.
        adopt: Whether the winner gets everything.
        stages: Weights of the second arm, in per cent, that a roll-out climbs while guard-rails hold.
        status: Where it stands.
        stage: Number of the split that holds; it goes up whenever weights change.
        winner: The arm that won.
        harmed: Arms that were stopped for doing harm.
    """

    name: str
    arms: tuple[Arm, ...]
    control: str = ""
    primary: str = "reward"
    guardrails: Mapping[str, float] = field(default_factory=lambda: {"success": 0.05})
    min_samples: int = 100
    alpha: float = 0.05
    unit: Unit = "user"
    task_types: tuple[str, ...] = ()
    adopt: bool = True
    stages: tuple[float, ...] = ()
    status: Status = "running"
    stage: int = 0
    winner: str = ""
    harmed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what cannot be meant."""
        names = [arm.name for arm in self.arms]
        live = [arm for arm in self.arms if not arm.shadow]
        _demand(len(self.arms) >= _LEAST_ARMS and bool(live), "arms", names, expected="at least two arms, one of them executed")
        _demand(len(set(names)) == len(names), "arms", names, expected="names that differ")
        weights = [arm.weight for arm in live]
        fair = all(0 <= weight < math.inf for weight in weights) and sum(weights) > 0
        _demand(fair, "weight", weights, expected="weights of at least 0, one above")
        both = any(arm.model is not None and arm.strategy is not None for arm in self.arms)
        _demand(not both, "arms", names, expected="a model or a strategy, not both")
        object.__setattr__(self, "control", self.control or live[0].name)
        _demand(self.control in [arm.name for arm in live], "control", self.control, expected=f"one of {names}")
        for metric in (self.primary, *self.guardrails):
            _demand(metric in METRICS, "metric", metric, expected=f"one of {', '.join(METRICS)}")
        _demand(0 < self.alpha < 1, "alpha", self.alpha, expected="a probability between 0 and 1")
        _demand(self.min_samples >= 1, "min_samples", self.min_samples, expected="at least 1")
        climbs = list(self.stages) == sorted(self.stages) and all(0 < share <= _WHOLE for share in self.stages)
        fits = climbs and (not self.stages or len(live) == _LEAST_ARMS)
        _demand(fits, "stages", self.stages, expected="rising per cents for the second of two arms")

    @property
    def live(self) -> tuple[Arm, ...]:
        """The arms that are executed."""
        return tuple(arm for arm in self.arms if not arm.shadow)

    def shares(self, stage: int | None = None) -> dict[str, float]:
        """Return the share of each executed arm, at the stage that holds."""
        if self.status == "won" and self.adopt and stage is None:
            return {arm.name: float(arm.name == self.winner) for arm in self.live}
        given = {arm.name: arm.weight for arm in self.live}
        if self.stages:
            at = self.stages[min(self.stage if stage is None else stage, len(self.stages) - 1)]
            given = dict(zip(given, (_WHOLE - at, at), strict=True))
        left = {name: 0.0 if name in self.harmed else weight for name, weight in given.items()}
        total = sum(left.values())
        return {name: weight / total for name, weight in left.items()} if total else {name: float(name == self.control) for name in left}

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Experiment:
        """Read what :meth:`to_dict` wrote."""
        given: dict[str, Any] = dict(data)
        given["arms"] = tuple(Arm(**arm) for arm in data["arms"])
        for name in ("task_types", "stages", "harmed"):
            given[name] = tuple(data.get(name, ()))
        return Experiment(**given)


def _demand(holds: bool, name: str, value: object, *, expected: str) -> None:
    if not holds:
        raise InvalidRequestError(name, value, expected=expected)
