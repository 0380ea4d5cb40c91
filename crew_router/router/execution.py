"""Build the executor, with its admission checks and limits, from the configuration."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from crew_router.execute.admission.breaker import BreakerCheck
from crew_router.execute.admission.budget import BudgetCheck, scopes_of
from crew_router.execute.admission.sla import SlaCheck
from crew_router.execute.attempts import Services
from crew_router.execute.executor import Executor
from crew_router.execute.policy import BackOff, CascadePolicy, ConsensusMethod, ConsensusPolicy, ExecutionPolicy, StreamPolicy
from crew_router.execute.response_cache import ResponseCache
from crew_router.types import ModelRef

if TYPE_CHECKING:
    from crew_router.config.router_config import RouterConfig
    from crew_router.config.settings import EscalationSettings
    from crew_router.decide.learned.trained_model import TrainedModel
    from crew_router.execute.flows.cascade import Weigh
    from crew_router.record.ledger.budgets import Budgets
    from crew_router.record.ledger.limits import Limits
    from crew_router.record.recorder import Recorder
    from crew_router.router.model_pool import ModelPool
    from crew_router.router.runtime import Lasting


def executor_of(
    config: RouterConfig,
    kept: Lasting,
    *,
    models: ModelPool,
    limits: Limits,
    budgets: Budgets,
    recorder: Recorder,
    learned: TrainedModel | None,
) -> Executor:
    """Return the executor.

    Args:
        config: The configuration.
        kept: The parts of the router that outlast a reload.
        models: The models.
        limits: The configured budgets.
        budgets: What is left of the budgets.
        recorder: Records attempts.
        learned: The trained model that weighs answers of a cascade; ``None`` without one.
    """
    budget_check, breakers = BudgetCheck(budgets, functools.partial(scopes_of, limits, kept.clock)), BreakerCheck(kept.state, kept.clock)
    services = Services(
        lambda ref: models.registry[ref],
        kept.transports,
        kept.clock,
        checks=(breakers, SlaCheck(kept.rng), budget_check),
        slow=budget_check if config.budgets.limits() else None,
        also_slow=(breakers,) if kept.state.asks else (),
        capacity=kept.concurrency,
        recorder=recorder,
        calibrator=kept.token_counts,
    )
    cache = config.cache
    return Executor(
        services,
        policy=_execution(config),
        rng=kept.rng,
        weigh=None if learned is None else _weigh(learned),
        cache=ResponseCache(kept.clock, ttl_s=cache.ttl_s, max_entries=cache.max_entries) if cache.enabled else None,
    )


def _weigh(learned: TrainedModel) -> Weigh:
    from crew_router.decide.learned.answer_weigher import AnswerWeigher

    return AnswerWeigher(learned)


def _execution(config: RouterConfig) -> ExecutionPolicy:
    attempts = config.attempts
    return ExecutionPolicy(
        attempts=attempts.limit,
        attempt_timeout_s=attempts.timeout_s,
        stall_s=attempts.stall_s,
        back_off=BackOff(retries=attempts.retries),
        consensus=ConsensusPolicy(ConsensusMethod(config.parallel.method), attempts.consensus_s),
        stream=StreamPolicy(config.stream.policy),
        hold_chars=config.stream.hold_chars,
        hedge=config.hedge.budget,
        hedge_sync=config.hedge.sync,
        cascade=_cascade(config.escalation),
    )


def _cascade(settings: EscalationSettings) -> CascadePolicy:
    judge = None if settings.judge is None else ModelRef(settings.judge)
    return CascadePolicy(settings.threshold if settings.enabled else 0.0, settings.samples, judge)
