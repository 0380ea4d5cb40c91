"""Builds executors over scripted models, and decisions that name them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from crew_router.config.credential import credential_key
from crew_router.execute.admission.breaker import BreakerCheck
from crew_router.execute.admission.concurrency import ConcurrencyLimiter
from crew_router.execute.admission.protocol import AdmissionCheck, BlockingCheck
from crew_router.execute.attempts import Services
from crew_router.execute.executor import Executor
from crew_router.execute.policy import BackOff, ExecutionPolicy
from crew_router.execute.transports import Transports
from crew_router.record.state.observation import Observation
from crew_router.record.state.protocol import State
from crew_router.testing import RecordedModel, ScriptedModel
from crew_router.types import (
    Attempt,
    CostPrediction,
    Domain,
    LatencyPrediction,
    Mode,
    ModelDefinition,
    ModelRef,
    Reading,
    RequestProfile,
    RoutingDecision,
    RoutingRequest,
    TaskType,
    Urgency,
)
from crew_router.types.clock import Clock, SystemClock

QUICK = ExecutionPolicy(back_off=BackOff(first_s=0.01, longest_s=0.02))


@dataclass
class Notebook:
    """A recorder that keeps what it is told."""

    attempts: list[Attempt] = field(default_factory=list)

    def attempted(self, decision: RoutingDecision, attempt: Attempt) -> None:  # noqa: ARG002 - the protocol's
        """Keep the attempt."""
        self.attempts.append(attempt)


@dataclass
class Observer:
    """A recorder that tells the shared state, as the router's does."""

    state: State
    registry: Mapping[ModelRef, ModelDefinition]
    clock: Clock

    def attempted(self, decision: RoutingDecision, attempt: Attempt) -> None:
        """Tell the state how the call ended."""
        key = credential_key(self.registry[attempt.model])
        task = decision.profile.task_type.value
        self.state.observe(Observation(attempt.model, task, success=attempt.ok, at=self.clock.now(), error=attempt.error, credential=key))


@dataclass
class Bench:
    """An executor over models by short name, and everything it was told."""

    models: Mapping[str, ScriptedModel | RecordedModel]
    policy: ExecutionPolicy = QUICK
    clock: Clock = field(default_factory=SystemClock)
    checks: tuple[AdmissionCheck, ...] = ()
    capacity: ConcurrencyLimiter | None = None
    notebook: Notebook = field(default_factory=Notebook)
    state: State | None = None
    slow: BlockingCheck | None = None

    def __post_init__(self) -> None:
        """Build the registry and the executor."""
        self.registry = {ModelRef(f"lab:{name}"): model.describe(ModelRef(f"lab:{name}")) for name, model in self.models.items()}
        recorder = self.notebook if self.state is None else Observer(self.state, self.registry, self.clock)
        checks = self.checks if self.state is None else (BreakerCheck(self.state, self.clock), *self.checks)
        checks = checks if self.slow is None else (*checks, self.slow)
        services = Services(
            self.lookup, Transports(), self.clock, checks=checks, slow=self.slow, capacity=self.capacity, recorder=recorder
        )  # fmt: skip
        self.executor = Executor(services, policy=self.policy, rng=random.Random(1))

    def lookup(self, ref: ModelRef) -> ModelDefinition:
        """Return a registry entry."""
        return self.registry[ref]

    def decision(self, request: RoutingRequest | None = None, *, mode: Mode = Mode.SINGLE, judge: str | None = None) -> RoutingDecision:
        """Return a decision for the models in their order."""
        first, *others = self.registry
        if judge is not None:
            others = [ref for ref in others if ref != ModelRef(judge)]
        return decision_for(
            first, tuple(others), request=request or RoutingRequest(), mode=mode, judge=None if judge is None else ModelRef(judge)
        )


def decision_for(
    first: ModelRef,
    others: tuple[ModelRef, ...] = (),
    *,
    request: RoutingRequest,
    mode: Mode = Mode.SINGLE,
    judge: ModelRef | None = None,
) -> RoutingDecision:
    """Return a decision for named models."""
    return RoutingDecision(
        "d-1",
        first,
        others,
        mode=mode,
        models=(first,) if mode is Mode.SINGLE else (first, *others),
        judge=judge,
        strategy="weighted",
        request=request,
        profile=profile(),
        cost=CostPrediction(first, min_usd=0.0, expected_usd=0.0, max_usd=0.0, input_tokens=10, output_tokens=5),
        latency=LatencyPrediction(first, expected_s=None, ttft_s=None, p95_s=None),
        score=50.0,
        confidence=0.5,
        propensity=1.0,
        policy_version="test",
        project="test",
        at=0.0,
    )


def profile() -> RequestProfile:
    """Return the profile of a short, harmless prompt."""
    return RequestProfile(
        Reading(TaskType.GENERAL, 1.0, "caller"),
        Reading(3, 1.0, "caller"),
        domain=Reading(Domain.GENERAL, 1.0, "caller"),
        risk=Reading(frozenset(), 1.0, "caller"),
        modality=Reading(frozenset(), 1.0, "caller"),
        language=Reading("en", 1.0, "caller"),
        urgency=Reading(Urgency.NORMAL, 1.0, "caller"),
        input_tokens=Reading(10, 1.0, "caller"),
        expected_output_tokens=Reading(5, 1.0, "caller"),
        needs_retrieval=Reading(False, 1.0, "caller"),
        content_type=Reading("text", 1.0, "caller"),
    )
