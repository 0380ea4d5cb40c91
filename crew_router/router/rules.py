"""Build the rules of the decision pipeline from the configuration."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Final

from crew_router.config.load import packaged_preferences
from crew_router.decide.context import TaskPreference, Weights
from crew_router.decide.policies import compile_policies
from crew_router.decide.rules import Rules
from crew_router.decide.strategies import Strategy, make_strategy
from crew_router.types import ModelRef, TaskType, Urgency
from crew_router.types.codec import encode

if TYPE_CHECKING:
    from crew_router.config.registry import Registry
    from crew_router.config.router_config import RouterConfig
    from crew_router.config.settings import StrategySettings


TENFOLD_PRICE_BUYS: Final = {"quality": 0.02, "balanced": 0.05, "cost": 0.1}
"""Chance of success that a tenfold price has to buy, 0..1; ``benchmarks/choice`` shows what each keeps of the best model's quality."""


def rules_of(config: RouterConfig, registry: Registry) -> Rules:
    """Return the rules of the decision pipeline.

    Raises:
        ConfigurationError: A strategy, a policy or one of their parameters is not known.
    """
    name, strategy = (config.strategy.name, _strategy(config.strategy)) if config.smart_routing else ("fixed", _baseline(config))
    smart = config.smart_routing
    return Rules(
        _weights(config),
        _preferences(config),
        name,
        strategy,
        str(config.project),
        _version(config, registry, name),
        task_strategies=_task_strategies(config),
        policies=compile_policies(config.policies, make_strategy=make_strategy, zone=_zone(config.budgets.timezone)),
        budgets_usd={scope: limit.limit for scope, limit in config.budgets.limits()},
        unpriced_allowed=config.budgets.unpriced == "allow",
        cost_scale_usd=(config.scoring.cost_low_usd, config.scoring.cost_high_usd),
        optimize=config.optimize,
        waiting_usd_per_s={
            Urgency.INTERACTIVE: config.scoring.waiting_usd_per_s.interactive,
            Urgency.NORMAL: config.scoring.waiting_usd_per_s.normal,
            Urgency.BATCH: config.scoring.waiting_usd_per_s.batch,
        },
        provider_multiplier=config.scoring.provider_multiplier,
        capacity_factor=config.capacity.factor,
        escalation=config.escalation.enabled,
        implicit_parallel=smart and config.parallel.triggers == "moe",
        smart=smart,
    )


def _weights(config: RouterConfig) -> Weights:
    """Return the points of the factors; those of cost follow from what a tenfold price has to buy, unless somebody states them."""
    points = config.scoring.weights
    decades = math.log10(config.scoring.cost_high_usd / config.scoring.cost_low_usd)
    by_price = points.quality * TENFOLD_PRICE_BUYS[config.optimize] * decades
    return Weights(
        quality=points.quality,
        cost=by_price if points.cost is None else points.cost,
        history=points.history,
        learning=points.learning,
        task_preference=points.task_preference,
        diversity=points.diversity,
        vendor_preference=points.vendor_preference,
        extra=dict(config.scoring.factors),
    )


def check_strategy(settings: StrategySettings) -> None:
    """Check that a strategy can be built from its settings.

    Raises:
        ConfigurationError: The strategy, or one of its parameters, is not known.
    """
    _strategy(settings)


def _strategy(settings: StrategySettings) -> Strategy:
    return make_strategy(settings.name, settings.parameters)


def _baseline(config: RouterConfig) -> Strategy:
    return make_strategy("fixed", {"model": config.baseline or ""})


def _preferences(config: RouterConfig) -> dict[TaskType, TaskPreference]:
    packaged = packaged_preferences()
    return {
        task: TaskPreference(
            tuple(map(ModelRef, settings.preferred)),
            tuple(map(ModelRef, settings.budget)),
            packaged={*settings.preferred, *settings.budget} <= packaged.get(task, frozenset()),
        )
        for task, settings in config.task_types.items()
    }


def _task_strategies(config: RouterConfig) -> dict[TaskType, tuple[str, Strategy]]:
    return {
        task: (settings.strategy.name, _strategy(settings.strategy))
        for task, settings in config.task_types.items()
        if settings.strategy is not None
    }


def _zone(name: str) -> tzinfo:
    if name.upper() == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # only other zones need it

    return ZoneInfo(name)


def _version(config: RouterConfig, registry: Registry, name: str) -> str:
    """Return a version that changes whenever a setting changes that may change decisions."""
    settings = [config.strategy, config.scoring, config.task_types, config.policies, config.experiments, config.optimize, config.parallel]
    text = json.dumps([encode(each) for each in (*settings, config.baseline, config.escalation.enabled)], sort_keys=True, default=str)
    return f"{registry.version}:{name}:{hashlib.sha256(text.encode()).hexdigest()[:8]}"
