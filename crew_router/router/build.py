"""Make a router from its configuration, and make it again when the configuration changed."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crew_router.decide.classify.classifier import TextClassifier
from crew_router.execute.admission.concurrency import ConcurrencyLimiter
from crew_router.execute.token_calibration import TokenCalibrator
from crew_router.execute.transports import Transports
from crew_router.learn.experiments.facade import plan_of
from crew_router.learn.experiments.trials import Trials
from crew_router.learn.feedback import Recent
from crew_router.learn.learning import Learning, learners_of
from crew_router.record.ledger.limits import Limits
from crew_router.record.recorder import Recorder
from crew_router.router.discovery import LocalServers
from crew_router.router.execution import executor_of
from crew_router.router.health import CheckResults
from crew_router.router.local_failures import ConsecutiveFailures
from crew_router.router.model_pool import ModelPool
from crew_router.router.overrides import OverrideStore
from crew_router.router.prompt_cache import PromptCacheTracker
from crew_router.router.rules import rules_of
from crew_router.router.runtime import Lasting, Runtime
from crew_router.router.storage import breaker_policy, opened_ledger, opened_state
from crew_router.types import RoutingRequest, TaskType
from crew_router.types.clock import Clock, SystemClock
from crew_router.types.ids import IdSource
from crew_router.types.redaction import logger

if TYPE_CHECKING:
    from crew_router.config.router_config import RouterConfig
    from crew_router.decide.classify.protocol import Classifier
    from crew_router.decide.rules import Rules
    from crew_router.decide.strategies import Strategy
    from crew_router.learn.experiments.plan import Arm
    from crew_router.learn.feedback import Answered
    from crew_router.learn.learning import RewardListener
    from crew_router.router.source import ConfigSource

_log = logger(__name__)
_AT_START: Final = ("project", "state", "ledger", "analytics")  # settings of what is open already


def build(source: ConfigSource, *, classifier: Classifier | None, clock: Clock | None, seed: int | None) -> Runtime:
    """Return what a router consists of.

    Raises:
        ConfigurationError: The configuration cannot be read or means nothing.
    """
    config, time = source.load(), clock or SystemClock()
    ledger, state = opened_ledger(config, time), opened_state(config, time)
    kept = Lasting(
        classifier=classifier or TextClassifier(),
        clock=time,
        rng=random.Random(seed),  # noqa: S311 - choices between models are no secret
        new_id=IdSource("d").next,
        ledger=ledger,
        state=state,
        trials=Trials(state, time, _strategy_of, enabled=config.experiments_enabled),
        recent=Recent(),
        servers=LocalServers(time),
        failures=ConsecutiveFailures(),
        caches=PromptCacheTracker(config.sessions),
        overrides=OverrideStore(ledger, state, time),
        transports=Transports(),
        concurrency=ConcurrencyLimiter(time, state, factor=config.capacity.factor),
        token_counts=TokenCalibrator(),
        checked=CheckResults(),
    )
    return _runtime(config, kept, models=_models(config, kept, source))


def rebuild(old: Runtime, source: ConfigSource) -> Runtime:
    """Return a runtime that works as the configuration says by now, over the stores, connections, places and counts of another.

    Whoever holds the old one can go on with it. Stores stay the ones that are open; settings of theirs take effect at the
    next start, which is logged and stands in ``health``.

    Raises:
        ConfigurationError: The configuration cannot be read or means nothing; nothing was changed.
    """
    found = source.load()
    later = tuple(name for name in _AT_START if getattr(found, name) != getattr(old.config, name))
    config = replace(found, project=old.config.project, state=old.config.state, ledger=old.config.ledger, analytics=old.config.analytics)
    kept = old.kept
    if config.sessions != old.config.sessions:
        kept = replace(kept, caches=PromptCacheTracker(config.sessions))
    new = _runtime(config, kept, models=_models(config, kept, source, before=old.models), later=later)
    if later:
        _log.warning("changed settings of %s take effect at the next start", ", ".join(later))
    kept.state.adjust(policy=breaker_policy(config), alpha=config.learning.alpha)
    kept.concurrency.factor = config.capacity.factor
    return new


def _models(config: RouterConfig, kept: Lasting, source: ConfigSource, *, before: ModelPool | None = None) -> ModelPool:
    return ModelPool(
        config.registry,
        servers=kept.servers,
        declared=source.declared(config.registry),
        find_usual=source.models is None,
        count_tokens=config.tokenizers.enabled,
        found=() if before is None else before.found,
    )


def _runtime(config: RouterConfig, kept: Lasting, *, models: ModelPool, later: tuple[str, ...] = ()) -> Runtime:
    rules, limits = _rules(config, kept.trials), Limits.from_settings(config.budgets)
    plans = [plan_of(each) for each in config.experiments if each.enabled]
    budgets = kept.ledger.budgets(limits)
    failures = kept.failures.of_models(models.is_local)
    recorder = Recorder(
        kept.ledger,
        kept.state,
        kept.clock,
        observers=(kept.trials, failures, kept.caches),
        learns=config.learning.enabled,
        credential=models.credential_of,
    )
    learning = Learning(
        kept.ledger,
        kept.state,
        kept.clock,
        learners=lambda: learners_of((*_strategies_of(rules), *kept.trials.strategies)),
        enabled=config.learning.enabled,
        heard=_both(kept.trials.heard, failures.heard),
        recent=kept.recent,
    )
    runtime = Runtime(
        config,
        kept,
        clock=kept.clock,
        ledger=kept.ledger,
        state=kept.state,
        models=models,
        rules=rules,
        limits=limits,
        budgets=budgets,
        learning=learning,
        recorder=recorder,
        executor=executor_of(config, kept, models=models, limits=limits, budgets=budgets, recorder=recorder, learned=rules.learned),
        later=later,
    )
    kept.trials.declare(plans)
    return runtime


def _both(one: RewardListener, other: RewardListener) -> RewardListener:
    def heard(subject: Answered, reward: float, previous: float | None) -> None:
        one(subject, reward, previous)
        other(subject, reward, previous)

    return heard


def _rules(config: RouterConfig, trials: Trials) -> Rules:
    rules = with_learned(rules_of(config, config.registry), config)
    return replace(rules, experiment=functools.partial(_arm_for, trials, rules.strategy)) if config.smart_routing else rules


def with_learned(rules: Rules, config: RouterConfig) -> Rules:
    """Return the rules with the trained model that the configuration names.

    Raises:
        ConfigurationError: Its folder holds none, or a damaged one.
    """
    if config.learning.model is None:
        return rules
    from crew_router.decide.learned.artifact import load
    from crew_router.decide.learned.predictor import LearnedPredictor

    learned = load(Path(config.learning.model))
    return replace(rules, learned=learned, predictor=LearnedPredictor(learned))


def _strategy_of(arm: Arm) -> Strategy | None:
    from crew_router.decide.strategies import make_strategy

    if arm.model is not None:
        return make_strategy("fixed", {"model": arm.model})
    return None if arm.strategy is None else make_strategy(arm.strategy, arm.parameters)


def _arm_for(trials: Trials, own: Strategy, request: RoutingRequest, task: TaskType) -> tuple[str, Strategy] | None:
    if trials.of(request, task) is None:
        return None
    from crew_router.learn.experiments.routing import Trialled

    return "experiment", Trialled(own, trials)


def _strategies_of(rules: Rules) -> Iterator[Strategy]:
    yield rules.strategy
    yield from (strategy for _, strategy in rules.task_strategies.values())
