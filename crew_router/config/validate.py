"""Check the names inside a configuration that refer to something else: models, strategies, time zone, unique names."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from crew_router.config.registry import Registry
from crew_router.config.router_config import RouterConfig
from crew_router.config.schema.layers import Layers
from crew_router.config.settings import (
    ArmSettings,
    EscalationSettings,
    ExperimentSettings,
    PolicySettings,
    StrategySettings,
    TaskTypeSettings,
)
from crew_router.errors import ConfigurationError, UnknownModelError, printable, shown
from crew_router.types.vocabulary import ModelRef

StrategyCheck = Callable[[StrategySettings], None]

_ONE_MODEL: Final = ("pin",)
_MANY_MODELS: Final = ("allow_models", "deny_models")


def checked_references(config: RouterConfig, layers: Layers, *, lenient: bool, check_strategy: StrategyCheck | None) -> RouterConfig:
    """Return the configuration with every model name resolved to its ``provider:model``.

    Args:
        config: The configuration as read.
        layers: The sources it was read from, for error messages.
        lenient: Leave out preferences for models that are not in the registry instead of refusing them.
        check_strategy: Raises ``ValueError`` for a strategy or parameters that it does not know.

    Raises:
        ConfigurationError: A model, strategy or time zone is not known, or a name is used twice.
    """
    check = _Check(config.registry, layers, check_strategy=check_strategy)
    strategy = check.strategy(config.strategy, ("strategy",))
    check.time_zone(config.budgets.timezone)
    check.policies(config.policies)
    if config.scoring.cost_low_usd >= config.scoring.cost_high_usd:
        problem = f"{config.scoring.cost_low_usd} is not below cost_high_usd"
        raise check.error(("scoring", "cost_low_usd"), problem, cure="write a smaller one")
    return replace(
        config,
        strategy=strategy,
        baseline=None if config.baseline is None else check.model(config.baseline, ("baseline",)),
        task_types={task: check.task_type(each, ("task_types", task), lenient=lenient) for task, each in config.task_types.items()},
        experiments=check.experiments(config.experiments),
        escalation=check.escalation(config.escalation),
    )


@dataclass(frozen=True, slots=True)
class _Check:
    """Looks names up; its errors say which file and key hold a wrong one."""

    registry: Registry
    layers: Layers
    check_strategy: StrategyCheck | None

    def error(self, path: Sequence[str], problem: str, *, cure: str) -> ConfigurationError:
        return ConfigurationError(self.layers.place_of(path), ".".join(path), problem, cure=cure)

    def model(self, name: str, path: Sequence[str]) -> ModelRef:
        try:
            return self.registry.resolve(name).ref
        except UnknownModelError as unknown:
            cure = f"did you mean {', '.join(map(printable, unknown.near))}?" if unknown.near else "name a model of the registry"
            raise self.error(path, f"no single model is called {shown(name)}", cure=cure) from None

    def task_type(self, settings: TaskTypeSettings, path: tuple[str, ...], *, lenient: bool) -> TaskTypeSettings:
        return replace(
            settings,
            strategy=None if settings.strategy is None else self.strategy(settings.strategy, (*path, "strategy")),
            preferred=self._models(settings.preferred, (*path, "preferred"), lenient=lenient),
            budget=self._models(settings.budget, (*path, "budget"), lenient=lenient),
        )

    def _models(self, names: Iterable[str], path: tuple[str, ...], *, lenient: bool) -> tuple[ModelRef, ...]:
        # The packaged preferences name packaged models, which are absent with `registry: none`.
        wanted = [name for name in names if self.registry.names_one(name)] if lenient or self.layers.is_packaged(path) else names
        return tuple(self.model(name, path) for name in wanted)

    def escalation(self, settings: EscalationSettings) -> EscalationSettings:
        return settings if settings.judge is None else replace(settings, judge=self.model(settings.judge, ("escalation", "judge")))

    def policies(self, policies: Sequence[PolicySettings]) -> None:
        self._once([policy.name for policy in policies], ("policies",))
        for index, policy in enumerate(policies):
            path = ("policies", str(index), "then")
            for key in _ONE_MODEL:
                self._models_of(policy.then, key, path=path, many=False)
            for key in _MANY_MODELS:
                self._models_of(policy.then, key, path=path, many=True)
            if "strategy" in policy.then:
                self._strategy_of(policy.then["strategy"], (*path, "strategy"))

    def _strategy_of(self, value: object, path: tuple[str, ...]) -> None:
        """Check a strategy that a policy names. A value of another shape is refused later, when the policy is made."""
        written = {"name": value} if isinstance(value, str) else value
        if not isinstance(written, Mapping):
            return
        named = cast("Mapping[str, object]", written)
        name, parameters = named.get("name"), named.get("parameters", {})
        if isinstance(name, str) and isinstance(parameters, Mapping):
            self.strategy(StrategySettings(name=name, parameters=cast("Mapping[str, object]", parameters)), path)

    def _models_of(self, then: Mapping[str, object], key: str, *, path: tuple[str, ...], many: bool) -> None:
        if key not in then:
            return
        value: object = then[key]
        if many and not isinstance(value, list):
            raise self.error((*path, key), f"{shown(value)} is not a list", cure="write a list of models")
        names: list[object] = cast("list[object]", value) if many else [value]
        for name in names:
            if not isinstance(name, str):
                raise self.error((*path, key), f"{shown(name)} is not a model", cure="write 'provider:model'")
            self.model(name, (*path, key))

    def experiments(self, experiments: Sequence[ExperimentSettings]) -> tuple[ExperimentSettings, ...]:
        self._once([experiment.name for experiment in experiments], ("experiments",))
        return tuple(self._experiment(experiment, ("experiments", str(index))) for index, experiment in enumerate(experiments))

    def _experiment(self, experiment: ExperimentSettings, path: tuple[str, ...]) -> ExperimentSettings:
        self._once([arm.name for arm in experiment.arms], (*path, "arms"))
        if not any(arm.weight for arm in experiment.arms):
            raise self.error((*path, "arms"), "all weights are 0", cure="give at least one arm a weight")
        arms: list[ArmSettings] = []
        for index, arm in enumerate(experiment.arms):
            strategy = None if arm.strategy is None else self.strategy(arm.strategy, (*path, "arms", str(index), "strategy"))
            model = None if arm.model is None else self.model(arm.model, (*path, "arms", str(index), "model"))
            arms.append(replace(arm, strategy=strategy, model=model))
        return replace(experiment, arms=tuple(arms))

    def strategy(self, settings: StrategySettings, path: tuple[str, ...]) -> StrategySettings:
        """Check a strategy's settings, and resolve the model name among its parameters.

        Raises:
            ConfigurationError: The strategy, a parameter or the model is not known.
        """
        named = settings.parameters.get("model")
        if isinstance(named, str) and named:
            model = self.model(named, (*path, "parameters", "model"))
            settings = replace(settings, parameters={**settings.parameters, "model": str(model)})
        if self.check_strategy is None:
            return settings
        try:
            self.check_strategy(settings)
        except ConfigurationError as refused:
            key = "name" if refused.key == "name" else "parameters"
            raise self.error((*path, key), refused.problem, cure=refused.cure) from None
        except ValueError as unknown:
            raise self.error((*path, "name"), str(unknown), cure="see docs for the strategies and their parameters") from None
        return settings

    def time_zone(self, name: str) -> None:
        try:
            _ = None if name == "UTC" else zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            cure = "write an IANA name such as Europe/Berlin"
            raise self.error(("budgets", "timezone"), f"{shown(name)} is no time zone known on this machine", cure=cure) from None

    def _once(self, names: Sequence[str], path: tuple[str, ...]) -> None:
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise self.error(path, f"the name {shown(twice)} stands twice", cure="give each its own name")
