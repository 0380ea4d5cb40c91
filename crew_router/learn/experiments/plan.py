"""The plan of an experiment: arms, metrics, guard-rails, error rate; and how far it has come."""

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
_MIN_ARMS: Final = 2
_PER_CENT_TOTAL: Final = 100.0


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
        shadow: Whether its choice is only logged, never executed.
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
        alpha: Probability of ever naming a winner where there is none; and separately that of stopping a harmless arm.
        unit: What always gets the same arm; a request without it falls back to session, run, then a random arm.
        task_types: Task types that take part; all when empty.
        adopt: Whether the winner gets all requests.
        stages: Weights of the second arm in per cent, rising; a roll-out takes the next while guard-rails hold.
        status: Whether it runs, was won or was stopped.
        stage: Number of the current split of traffic; it goes up whenever weights change.
        winner: The arm that won; empty while there is none.
        harmed: Arms that were stopped because a guard-rail was broken.
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
        """Check the plan.

        Raises:
            InvalidRequestError: A value is not valid.
        """
        names = [arm.name for arm in self.arms]
        live = [arm for arm in self.arms if not arm.shadow]
        _require(len(self.arms) >= _MIN_ARMS and bool(live), "arms", names, expected="at least two arms, one of them executed")
        _require(len(set(names)) == len(names), "arms", names, expected="names that differ")
        weights = [arm.weight for arm in live]
        valid_weights = all(0 <= weight < math.inf for weight in weights) and sum(weights) > 0
        _require(valid_weights, "weight", weights, expected="weights of at least 0, one above")
        has_both = any(arm.model is not None and arm.strategy is not None for arm in self.arms)
        _require(not has_both, "arms", names, expected="a model or a strategy, not both")
        object.__setattr__(self, "control", self.control or live[0].name)
        _require(self.control in [arm.name for arm in live], "control", self.control, expected=f"one of {names}")
        for metric in (self.primary, *self.guardrails):
            _require(metric in METRICS, "metric", metric, expected=f"one of {', '.join(METRICS)}")
        _require(0 < self.alpha < 1, "alpha", self.alpha, expected="a probability between 0 and 1")
        _require(self.min_samples >= 1, "min_samples", self.min_samples, expected="at least 1")
        rising = list(self.stages) == sorted(self.stages) and all(0 < share <= _PER_CENT_TOTAL for share in self.stages)
        valid_stages = rising and (not self.stages or len(live) == _MIN_ARMS)
        _require(valid_stages, "stages", self.stages, expected="rising per cents for the second of two arms")

    @property
    def live(self) -> tuple[Arm, ...]:
        """The arms that are executed."""
        return tuple(arm for arm in self.arms if not arm.shadow)

    def shares(self, stage: int | None = None) -> dict[str, float]:
        """Return the share of traffic, 0..1, of each executed arm.

        Args:
            stage: The stage of a roll-out; the current one by default.
        """
        if self.status == "won" and self.adopt and stage is None:
            return {arm.name: float(arm.name == self.winner) for arm in self.live}
        weights = {arm.name: arm.weight for arm in self.live}
        if self.stages:
            routed_share = self.stages[min(self.stage if stage is None else stage, len(self.stages) - 1)]
            weights = dict(zip(weights, (_PER_CENT_TOTAL - routed_share, routed_share), strict=True))
        running_weights = {name: 0.0 if name in self.harmed else weight for name, weight in weights.items()}
        total = sum(running_weights.values())
        return (
            {name: weight / total for name, weight in running_weights.items()}
            if total
            else {name: float(name == self.control) for name in running_weights}
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Experiment:
        """Read what :meth:`to_dict` wrote."""
        arguments: dict[str, Any] = dict(data)
        arguments["arms"] = tuple(Arm(**arm) for arm in data["arms"])
        for name in ("task_types", "stages", "harmed"):
            arguments[name] = tuple(data.get(name, ()))
        return Experiment(**arguments)


def _require(holds: bool, name: str, value: object, *, expected: str) -> None:
    if not holds:
        raise InvalidRequestError(name, value, expected=expected)
