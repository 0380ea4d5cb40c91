"""The executor as the configuration says, with its gates and limits."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from crew_router.types import ModelRef

if TYPE_CHECKING:
    from crew_router.execute.budget_gate import BudgetGate
    from crew_router.execute.executor import Executor
    from crew_router.execute.flows.cascade import Weigh
    from crew_router.execute.policy import CascadePolicy, ExecutionPolicy
    from crew_router.learn.learned import Learned
    from crew_router.parts import Parts
    from crew_router.settings import EscalationSettings, RouterConfig


def executor_of(parts: Parts) -> Executor:
    """Return the executor over a router's parts; connections, places and ratios of counting that are there already stay in use."""
    from crew_router.execute.breaker_gate import BreakerGate  # noqa: PLC0415 - only routers that execute need it
    from crew_router.execute.capacity import Capacity  # noqa: PLC0415
    from crew_router.execute.counting import Counting  # noqa: PLC0415
    from crew_router.execute.desk import Services  # noqa: PLC0415
    from crew_router.execute.executor import Executor  # noqa: PLC0415
    from crew_router.execute.response_cache import ResponseCache  # noqa: PLC0415
    from crew_router.execute.sla_gate import SlaGate  # noqa: PLC0415
    from crew_router.execute.transports import Transports  # noqa: PLC0415

    rng = parts.line.rng
    parts.transports = transports = parts.transports or Transports()
    parts.capacity = capacity = parts.capacity or Capacity(parts.clock, parts.state)
    capacity.factor = parts.config.capacity.factor
    budgets = _budget_gate(parts)
    parts.counting = counting = parts.counting or Counting()
    services = Services(
        lambda ref: parts.registry[ref],
        transports,
        parts.clock,
        gates=(BreakerGate(parts.state, parts.clock), SlaGate(rng), budgets),
        slow=budgets if parts.config.budgets.limits() else None,
        capacity=capacity,
        recorder=parts.recorder,
        counting=counting,
    )
    learned, said = parts.line.rules.learned, parts.config.cache
    return Executor(
        services,
        policy=_execution(parts.config),
        rng=rng,
        weigh=None if learned is None else _weigh(learned),
        cache=ResponseCache(parts.clock, ttl_s=said.ttl_s, max_entries=said.max_entries) if said.enabled else None,
    )


def _budget_gate(parts: Parts) -> BudgetGate:
    from crew_router.execute.budget_gate import BudgetGate, scopes_of  # noqa: PLC0415 - as below
    from crew_router.ledger.limits import Limits  # noqa: PLC0415

    limits = Limits.from_settings(parts.config.budgets)
    parts.budgets = parts.ledger.budgets(limits)
    return BudgetGate(parts.budgets, functools.partial(scopes_of, limits, parts.clock))


def _weigh(learned: Learned) -> Weigh:
    from crew_router.learn.weighing import Weigher  # noqa: PLC0415 - as above

    return Weigher(learned)


def _execution(config: RouterConfig) -> ExecutionPolicy:
    from crew_router.execute.policy import (  # noqa: PLC0415 - as above
        BackOff,
        ConsensusMethod,
        ConsensusPolicy,
        ExecutionPolicy,
        StreamPolicy,
    )

    said = config.attempts
    return ExecutionPolicy(
        attempts=said.limit,
        attempt_timeout_s=said.timeout_s,
        stall_s=said.stall_s,
        back_off=BackOff(retries=said.retries),
        consensus=ConsensusPolicy(ConsensusMethod(config.parallel.method), said.consensus_s),
        stream=StreamPolicy(config.stream.policy),
        hold_chars=config.stream.hold_chars,
        hedge=config.hedge.budget,
        hedge_sync=config.hedge.sync,
        cascade=_cascade(config.escalation),
    )


def _cascade(said: EscalationSettings) -> CascadePolicy:
    from crew_router.execute.policy import CascadePolicy  # noqa: PLC0415 - as above

    judge = None if said.judge is None else ModelRef(said.judge)
    return CascadePolicy(said.threshold if said.enabled else 0.0, said.samples, judge)
