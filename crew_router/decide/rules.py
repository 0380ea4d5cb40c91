"""What a decision is made from besides the request: the models, and what the configuration says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Literal

from crew_router.decide.strategies.protocol import StrategyCache
from crew_router.types import ModelDefinition, RoutingRequest, TaskType, Urgency

if TYPE_CHECKING:
    from crew_router.config.reachability import Obstacle
    from crew_router.decide.context import TaskPreference, Weights
    from crew_router.decide.learned.trained_model import TrainedModel
    from crew_router.decide.model_table import ModelTable
    from crew_router.decide.policies import Policy
    from crew_router.decide.predict.protocol import Predictor
    from crew_router.decide.strategies import Strategy
    from crew_router.decide.tokenizers import Tokenizer
    from crew_router.types.arrays import Flags


@dataclass(frozen=True, slots=True)
class Pool:
    """The candidates of one registry version, as values and as arrays; ``reachable`` tells where a call could be made.

    ``tokenizers`` are those of reachable providers that are on this machine; ``obstacles`` say what keeps each of the others away,
    where that is known.
    """

    models: tuple[ModelDefinition, ...]
    model_table: ModelTable
    reachable: Flags
    version: str
    tokenizers: Mapping[str, Tokenizer] = field(default_factory=dict[str, "Tokenizer"])
    obstacles: tuple[Obstacle | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says about deciding.

    ``budgets_usd`` are configured limits by scope name (``day``, ``run``, ``provider:openai``); what is left of each comes with the
    snapshot. ``implicit_parallel`` are the triggers of requirement A11; without ``smart`` one strategy serves everything (E11).
    ``waiting_usd_per_s`` is what a second of waiting costs; ``provider_multiplier`` whether B1 counts. ``named`` makes the
    strategies that requests and policies name. ``learned`` is what `crew-router train` left, where it is configured.
    """

    weights: Weights
    preferences: Mapping[TaskType, TaskPreference]
    strategy_name: str
    strategy: Strategy
    project: str
    policy_version: str
    _: KW_ONLY
    named: StrategyCache = field(default_factory=StrategyCache)
    task_strategies: Mapping[TaskType, tuple[str, Strategy]] = field(default_factory=dict[TaskType, "tuple[str, Strategy]"])
    policies: tuple[Policy, ...] = ()
    experiment: Callable[[RoutingRequest, TaskType], tuple[str, Strategy] | None] | None = None
    budgets_usd: Mapping[str, float] = field(default_factory=dict[str, float])
    unpriced_allowed: bool = False
    cost_scale_usd: tuple[float, float] = (1e-5, 1.0)
    optimize: Literal["quality", "balanced", "cost"] = "balanced"
    waiting_usd_per_s: Mapping[Urgency, float] = field(default_factory=dict[Urgency, float])
    provider_multiplier: bool = True
    capacity_factor: float = 1.25
    escalation: bool = True
    implicit_parallel: bool = False
    smart: bool = True
    predictor: Predictor | None = None
    learned: TrainedModel | None = None
