"""Building a router's parts from configuration, environment and arguments."""

from __future__ import annotations

import functools
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crew_router.classify.classifier import TextClassifier
from crew_router.classify.protocol import Classifier
from crew_router.clock import Clock, SystemClock
from crew_router.identity import IdSource
from crew_router.learn.experiments.trials import Trials
from crew_router.learn.learning import Learning, learners_of
from crew_router.line import Line, Rules
from crew_router.parts import Parts
from crew_router.recording import Recorder
from crew_router.registry import Registry
from crew_router.rules import rules_of
from crew_router.servers import Servers
from crew_router.state.protocol import State
from crew_router.types import ModelRef, RoutingRequest, TaskType

if TYPE_CHECKING:
    from crew_router.execute.executor import Executor
    from crew_router.execute.flows.cascade import Weigh
    from crew_router.execute.gates import Gate
    from crew_router.execute.policy import ExecutionPolicy
    from crew_router.learn.experiments.plan import Arm
    from crew_router.learn.learned import Learned
    from crew_router.ledger.book import Book
    from crew_router.line import Rules
    from crew_router.settings import RouterConfig
    from crew_router.strategies import Strategy

MEMORY_LEDGER: Final = "sqlite://"
MEMORY_STATE: Final = "memory://"


@dataclass(frozen=True, slots=True)
class Overrides:
    """Arguments that win over configuration; ``None`` leaves the configuration as it is."""

    state_url: str | None = None
    ledger_url: str | None = None
    project: str | None = None
    learning: bool | None = None
    escalation: bool | None = None
    escalation_threshold: float | None = None
    cost_mode: bool | None = None


def assemble(
    config: str | Path | Mapping[str, object] | RouterConfig | None,
    *,
    models: Mapping[str, object] | None,
    overrides: Overrides,
    classifier: Classifier | None,
    clock: Clock | None,
    seed: int | None,
) -> Parts:
    """Return the parts of a router.

    Raises:
        ConfigurationError: The configuration cannot be read or means nothing.
    """
    from crew_router.configuration import load_config  # noqa: PLC0415 - pydantic and YAML come when something is loaded

    given = given_models(models)
    source = config if config is not None or given is None else {"registry": "none"}
    loaded = overridden(load_config(source, env=os.environ, registry=given), overrides)
    registry = loaded.registry
    time = clock or SystemClock()
    state_url, ledger_url = storage_urls(loaded)
    ledger = _ledger(loaded, ledger_url, time)
    state = _state(loaded, state_url, time)
    recorder = Recorder(ledger, state, time, learns=loaded.learning.enabled)
    rng = random.Random(seed)  # noqa: S311 - choices between models are no secret
    rules = with_learned(rules_of(loaded, registry), loaded)
    line = Line(classifier or TextClassifier(), rules, rng, IdSource("d").next)
    trials = _trials(loaded, state, time)
    if loaded.smart_routing:
        rules = replace(rules, experiment=functools.partial(_arm_for, trials, rules.strategy))
        line = replace(line, rules=rules)
    learning = Learning(ledger, state, time, learners=learners_of(_strategies_of(rules)), enabled=loaded.learning.enabled)
    parts = Parts(
        config=loaded,
        registry=registry,
        line=line,
        executor=None,  # type: ignore[arg-type]  # set below: it looks models up in the parts
        state=state,
        ledger=ledger,
        recorder=recorder,
        learning=learning,
        trials=trials,
        clock=time,
        declared=declared_models(registry) if given is None else frozenset(model.ref for model in registry.models),
        servers=Servers(time),
        probes_usual_ports=given is None,
    )
    _connect(trials, learning, rules)
    credential = functools.partial(_credential, parts)
    parts.recorder = replace(recorder, trials=trials, credential=credential, misfires=parts.misfires, sessions=parts.sessions)
    parts.executor = _executor(parts, rng, ledger)
    return parts


def with_learned(rules: Rules, config: RouterConfig) -> Rules:
    """Return the rules with the trained model that the configuration names.

    Raises:
        ConfigurationError: Its folder holds none, or a damaged one.
    """
    if config.learning.model is None:
        return rules
    from crew_router.learn.artifact import load  # noqa: PLC0415 - only routers with a trained model need it
    from crew_router.learn.predictor import LearnedPredictor  # noqa: PLC0415

    learned = load(Path(config.learning.model))
    return replace(rules, learned=learned, predictor=LearnedPredictor(learned))


def _credential(parts: Parts, ref: ModelRef) -> str | None:
    from crew_router.execute.credential import credential_key  # noqa: PLC0415 - only failed credentials need it

    return credential_key(parts.registry[ref])


def _ledger(config: RouterConfig, url: str, clock: Clock) -> Book:
    from crew_router.ledger import open_ledger  # noqa: PLC0415 - only what the url asks for is loaded

    kept = config.ledger
    return open_ledger(url, project=str(config.project), clock=clock, keep_text=kept.keep_text, durability=kept.durability)


def _state(config: RouterConfig, url: str, clock: Clock) -> State:
    from crew_router.execute.breaker import BreakerPolicy  # noqa: PLC0415 - as above
    from crew_router.state import open_state  # noqa: PLC0415
    from crew_router.state.shared import Refresh  # noqa: PLC0415

    said = config.breaker
    breakers = BreakerPolicy(
        failures=said.failures,
        window_s=said.window_s,
        least=said.window_calls,
        share=said.failure_rate,
        open_s=said.open_s,
        longest_s=said.max_open_s,
    )
    kept = config.state
    return open_state(
        url,
        project=str(config.project),
        clock=clock,
        namespace=kept.namespace,
        refresh=Refresh(max_age_s=kept.max_age_s),
        policy=breakers,
    )


def given_models(models: Mapping[str, object] | None) -> Registry | None:
    """Return the registry that the ``models`` argument describes.

    Raises:
        RegistryError: An entry means nothing.
    """
    if models is None:
        return None
    from crew_router.execute.instances import with_instances  # noqa: PLC0415 - only needed for the argument

    return Registry.from_entries(with_instances(models), place="Router(models=…)")


def declared_models(registry: Registry) -> frozenset[ModelRef]:
    """Return the models that are not exactly those of the package: entries that a user wrote or changed."""
    from crew_router.configuration import packaged_registry  # noqa: PLC0415 - reads files
    from crew_router.environment import with_environment  # noqa: PLC0415

    packaged = {model.ref: with_environment(model, os.environ) for model in packaged_registry()}
    return frozenset(model.ref for model in registry.models if packaged.get(model.ref) != model)


def overridden(config: RouterConfig, overrides: Overrides) -> RouterConfig:
    """Return the configuration with the arguments put over it."""
    escalation = replace(
        config.escalation,
        enabled=config.escalation.enabled if overrides.escalation is None else overrides.escalation,
        threshold=config.escalation.threshold if overrides.escalation_threshold is None else overrides.escalation_threshold,
    )
    optimize = config.optimize if overrides.cost_mode is None else ("cost" if overrides.cost_mode else "quality")
    return replace(
        config,
        escalation=escalation,
        optimize=optimize,
        project=overrides.project or config.project,
        learning=config.learning if overrides.learning is None else replace(config.learning, enabled=overrides.learning),
        state=config.state if overrides.state_url is None else replace(config.state, url=overrides.state_url),
        ledger=config.ledger if overrides.ledger_url is None else replace(config.ledger, url=overrides.ledger_url),
    )


def storage_urls(config: RouterConfig) -> tuple[str, str]:
    """Return the urls of state and ledger; a ledger in memory takes the state with it unless a state url is given."""
    ledger_url = config.ledger.url or _file_url("ledger.db")
    if config.state.url is not None:
        return config.state.url, ledger_url
    return (MEMORY_STATE if ledger_url == MEMORY_LEDGER else _file_url("state.db")), ledger_url


def _trials(config: RouterConfig, state: State, clock: Clock) -> Trials:
    from crew_router.learn.experiments.facade import plan_of  # noqa: PLC0415 - as above

    trials = Trials(state, clock, _strategy_of, enabled=config.experiments_enabled)
    trials.declare([plan_of(each) for each in config.experiments if each.enabled])
    return trials


def _strategy_of(arm: Arm) -> Strategy | None:
    from crew_router.strategies import make_strategy  # noqa: PLC0415 - numpy comes when first needed

    if arm.model is not None:
        return make_strategy("fixed", {"model": arm.model})
    return None if arm.strategy is None else make_strategy(arm.strategy, arm.parameters)


def _arm_for(trials: Trials, own: Strategy, request: RoutingRequest, task: TaskType) -> tuple[str, Strategy] | None:
    if trials.of(request, task) is None:
        return None
    from crew_router.learn.experiments.routing import Trialled  # noqa: PLC0415 - only experiments need it

    return "experiment", Trialled(own, trials)


def _connect(trials: Trials, learning: Learning, rules: Rules) -> None:
    """Let experiments hear of rewards, and the strategies of their arms learn."""

    def changed() -> None:
        learning.learners = learners_of((*_strategies_of(rules), *trials.strategies))

    learning.heard, trials.changed = trials.heard, changed
    changed()


def _strategies_of(rules: Rules) -> tuple[Strategy, ...]:
    return rules.strategy, *(strategy for _, strategy in rules.task_strategies.values())


def _budget_gate(parts: Parts, ledger: Book) -> Gate:
    from crew_router.execute.budget_gate import BudgetGate, scopes_of  # noqa: PLC0415 - as below
    from crew_router.ledger.limits import Limits  # noqa: PLC0415

    limits = Limits.from_settings(parts.config.budgets)
    parts.budgets = ledger.budgets(unpriced=limits.unpriced)
    return BudgetGate(parts.budgets, functools.partial(scopes_of, limits, parts.clock))


def _executor(parts: Parts, rng: random.Random, ledger: Book) -> Executor:
    from crew_router.execute.breaker_gate import BreakerGate  # noqa: PLC0415 - only routers that execute need it
    from crew_router.execute.capacity import Capacity  # noqa: PLC0415
    from crew_router.execute.desk import Services  # noqa: PLC0415
    from crew_router.execute.executor import Executor  # noqa: PLC0415
    from crew_router.execute.response_cache import ResponseCache  # noqa: PLC0415
    from crew_router.execute.sla_gate import SlaGate  # noqa: PLC0415
    from crew_router.execute.transports import Transports  # noqa: PLC0415

    parts.transports = transports = Transports()
    parts.capacity = Capacity(parts.clock, parts.state, factor=parts.config.capacity.factor)
    services = Services(
        lambda ref: parts.registry[ref],
        transports,
        parts.clock,
        gates=(BreakerGate(parts.state, parts.clock), SlaGate(rng), _budget_gate(parts, ledger)),
        capacity=parts.capacity,
        recorder=parts.recorder,
    )
    learned, said = parts.line.rules.learned, parts.config.cache
    return Executor(
        services,
        policy=_execution(parts.config),
        rng=rng,
        weigh=None if learned is None else _weigh(learned),
        cache=ResponseCache(parts.clock, ttl_s=said.ttl_s, max_entries=said.max_entries) if said.enabled else None,
    )


def _weigh(learned: Learned) -> Weigh:
    from crew_router.learn.weighing import Weigher  # noqa: PLC0415 - as above

    return Weigher(learned)


def _execution(config: RouterConfig) -> ExecutionPolicy:
    from crew_router.execute.policy import BackOff, CascadePolicy, ConsensusPolicy, ExecutionPolicy, StreamPolicy  # noqa: PLC0415 - as above

    said = config.attempts
    return ExecutionPolicy(
        attempts=said.limit,
        attempt_timeout_s=said.timeout_s,
        stall_s=said.stall_s,
        back_off=BackOff(retries=said.retries),
        consensus=ConsensusPolicy(timeout_s=said.consensus_s),
        stream=StreamPolicy(config.stream.policy),
        hold_chars=config.stream.hold_chars,
        hedge=config.hedge.budget,
        cascade=CascadePolicy(threshold=config.escalation.threshold if config.escalation.enabled else 0.0),
    )


def _file_url(name: str) -> str:
    from platformdirs import user_data_path  # noqa: PLC0415 - only the embedded default needs it

    folder = user_data_path("crew-router", appauthor=False, ensure_exists=True)
    return f"sqlite:///{folder / name}"
