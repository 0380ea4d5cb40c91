"""Building a router's parts from configuration, environment and arguments, and building them again when it changed."""

from __future__ import annotations

import functools
import logging
import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crew_router.classify.classifier import TextClassifier
from crew_router.classify.protocol import Classifier
from crew_router.clock import Clock, SystemClock
from crew_router.execution import executor_of
from crew_router.identity import IdSource
from crew_router.learn.experiments.trials import Trials
from crew_router.learn.learning import Learning, learners_of
from crew_router.line import Line, Rules
from crew_router.parts import Parts
from crew_router.recording import Recorder
from crew_router.rules import rules_of
from crew_router.servers import Servers
from crew_router.storage import breaker_policy, opened_ledger, opened_state
from crew_router.types import ModelRef, RoutingRequest, TaskType

if TYPE_CHECKING:
    from crew_router.learn.experiments.plan import Arm, Experiment
    from crew_router.origin import Origin
    from crew_router.settings import RouterConfig
    from crew_router.strategies import Strategy

_log = logging.getLogger(__name__)
_AT_START: Final = ("project", "state", "ledger", "analytics")  # settings of what is open already


def assemble(origin: Origin, *, classifier: Classifier | None, clock: Clock | None, seed: int | None) -> Parts:
    """Return the parts of a router.

    Raises:
        ConfigurationError: The configuration cannot be read or means nothing.
    """
    config, time = origin.load(), clock or SystemClock()
    ledger, state = opened_ledger(config, time), opened_state(config, time)
    trials = Trials(state, time, _strategy_of, enabled=config.experiments_enabled)
    rng = random.Random(seed)  # noqa: S311 - choices between models are no secret
    parts = Parts(
        config=config,
        registry=config.registry,
        line=Line(classifier or TextClassifier(), _rules(config, trials), rng, IdSource("d").next),
        executor=None,  # type: ignore[arg-type]  # set below: it looks models up in the parts
        state=state,
        ledger=ledger,
        recorder=Recorder(ledger, state, time, trials=trials),
        learning=Learning(ledger, state, time),
        trials=trials,
        clock=time,
        declared=origin.declared(config.registry),
        servers=Servers(time),
        probes_usual_ports=origin.models is None,
    )
    return _joined(parts, _plans(config))


def renewed(old: Parts, origin: Origin) -> Parts:
    """Return parts that work as the configuration says by now, over the stores, connections, places and counts of others.

    Whoever holds the old parts can go on with them. Stores stay the ones that are open; settings of theirs take effect at the
    next start, which is logged and stands in ``health``.

    Raises:
        ConfigurationError: The configuration cannot be read or means nothing; nothing was changed.
    """
    found = origin.load()
    later = tuple(name for name in _AT_START if getattr(found, name) != getattr(old.config, name))
    config = replace(found, project=old.config.project, state=old.config.state, ledger=old.config.ledger, analytics=old.config.analytics)
    rules, plans = _rules(config, old.trials), _plans(config)
    registry = config.registry.with_models(model for model in old.found if model.ref not in config.registry)
    new = old.under(config, registry, line=replace(old.line, rules=rules), declared=origin.declared(config.registry))
    if later:
        _log.warning("changed settings of %s take effect at the next start", ", ".join(later))
    new.later = later
    old.state.adjust(policy=breaker_policy(config), alpha=config.learning.alpha)
    return _joined(new, plans)


def _joined(parts: Parts, plans: list[Experiment]) -> Parts:
    """Tell the parts that live on what holds, and make the executor."""
    config, trials, learning = parts.config, parts.trials, parts.learning
    trials.declare(plans)
    learning.enabled = config.learning.enabled
    _connect(trials, learning, parts.line.rules)
    parts.recorder = replace(
        parts.recorder,
        learns=config.learning.enabled,
        credential=functools.partial(_credential, parts),
        misfires=parts.misfires,
        sessions=parts.sessions,
    )
    parts.executor = executor_of(parts)
    return parts


def _rules(config: RouterConfig, trials: Trials) -> Rules:
    rules = with_learned(rules_of(config, config.registry), config)
    return replace(rules, experiment=functools.partial(_arm_for, trials, rules.strategy)) if config.smart_routing else rules


def _plans(config: RouterConfig) -> list[Experiment]:
    from crew_router.learn.experiments.facade import plan_of  # noqa: PLC0415 - only needed to build a router

    return [plan_of(each) for each in config.experiments if each.enabled]


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
