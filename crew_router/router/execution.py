"""The executor as the configuration says, with its gates and limits."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from crew_router.execute.admission.breaker import BreakerGate
from crew_router.execute.admission.budget import BudgetGate, scopes_of
from crew_router.execute.admission.sla import SlaGate
from crew_router.execute.attempts import Services
from crew_router.execute.executor import Executor
from crew_router.execute.policy import BackOff, CascadePolicy, ConsensusMethod, ConsensusPolicy, ExecutionPolicy, StreamPolicy
from crew_router.execute.response_cache import ResponseCache
from crew_router.types import ModelRef

if TYPE_CHECKING:
    from crew_router.config.router_config import RouterConfig
    from crew_router.config.settings import EscalationSettings
    from crew_router.decide.learned.trained_model import Learned
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
    learned: Learned | None,
) -> Executor:
    """Return the executor over what a router consists of."""
    gate = BudgetGate(budgets, functools.partial(scopes_of, limits, kept.clock))
    services = Services(
        lambda ref: models.registry[ref],
        kept.transports,
        kept.clock,
        gates=(BreakerGate(kept.state, kept.clock), SlaGate(kept.rng), gate),
        slow=gate if config.budgets.limits() else None,
        capacity=kept.concurrency,
        recorder=recorder,
        counting=kept.token_counts,
    )
    cache = config.cache
    return Executor(
        services,
        policy=_execution(config),
        rng=kept.rng,
        weigh=None if learned is None else _weigh(learned),
        cache=ResponseCache(kept.clock, ttl_s=cache.ttl_s, max_entries=cache.max_entries) if cache.enabled else None,
    )


def _weigh(learned: Learned) -> Weigh:
    from crew_router.decide.learned.answer_weigher import Weigher

    return Weigher(learned)


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


def _cascade(said: EscalationSettings) -> CascadePolicy:
    judge = None if said.judge is None else ModelRef(said.judge)
    return CascadePolicy(said.threshold if said.enabled else 0.0, said.samples, judge)
