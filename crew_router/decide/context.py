"""Everything that one decision looks at, gathered once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from crew_router.decide.conditions import NO_POLICY, ORDINARY, PolicyResult, RuntimeConditions
from crew_router.types import ModelDefinition, ModelRef, RequestProfile, RoutingRequest, Snapshot, TaskType

if TYPE_CHECKING:
    from crew_router.config.reachability import Obstacle
    from crew_router.decide.learned.options import Option
    from crew_router.decide.model_table import ModelTable
    from crew_router.decide.predict.forecast import Forecast
    from crew_router.types.arrays import Flags


@dataclass(frozen=True, slots=True)
class TaskPreference:
    """Models that a task type prefers, the first most, and those for a small budget (requirement A2).

    ``packaged`` lists are nobody's own: they give no points to models whose ability the registry knows.
    """

    preferred: Sequence[ModelRef] = ()
    budget: Sequence[ModelRef] = ()
    packaged: bool = False


@dataclass(frozen=True, slots=True)
class Weights:
    """Points that each factor of requirement A5 can give; they add up to 105.

    ``extra`` are the points of factors that users registered, by name; what they registered them with holds otherwise.
    """

    quality: float = 50.0
    cost: float = 20.0
    history: float = 15.0
    learning: float = 10.0
    task_preference: float = 5.0
    diversity: float = 3.0
    vendor_preference: float = 2.0
    extra: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def total(self) -> float:
        """Return the most points a model can get from the seven."""
        return self.quality + self.cost + self.history + self.learning + self.task_preference + self.diversity + self.vendor_preference


COST_SCALE_USD: Final = (1e-5, 1.0)


@dataclass(frozen=True, slots=True)
class RoutingContext:
    """What filters, factors and strategies see of one request; never changed.

    ``reachable`` tells where a call could be made, ``obstacles`` what keeps one away; ``executing`` whether one will be (rule 1).
    ``limits_usd``
    are hard limits by scope besides the request's own budget, ``provider_limits_usd`` those of single providers; ``now`` is in
    seconds since the epoch. ``optimize`` is what the configuration prefers,
    ``waiting_usd_per_s`` what a second costs at this request's urgency, ``capacity_factor`` is that of rule 9.
    ``plans`` are what a trained model offers for the prompt, where one is loaded.
    """

    request: RoutingRequest
    profile: RequestProfile
    models: tuple[ModelDefinition, ...]
    model_table: ModelTable
    forecast: Forecast
    snapshot: Snapshot
    _: KW_ONLY
    reachable: Flags
    executing: bool
    now: float
    weights: Weights = Weights()
    preferences: Mapping[TaskType, TaskPreference] = field(default_factory=dict[TaskType, TaskPreference])
    limits_usd: Mapping[str, float] = field(default_factory=dict[str, float])
    provider_limits_usd: Mapping[str, float] = field(default_factory=dict[str, float])
    cost_scale_usd: tuple[float, float] = COST_SCALE_USD
    unpriced_allowed: bool = False
    policy_result: PolicyResult = NO_POLICY
    conditions: RuntimeConditions = ORDINARY
    optimize: Literal["quality", "balanced", "cost"] = "balanced"
    waiting_usd_per_s: float = 0.0
    provider_multiplier: bool = True
    capacity_factor: float = 1.25
    escalation: bool = True
    plans: tuple[Option, ...] = ()
    obstacles: tuple[Obstacle | None, ...] = ()
