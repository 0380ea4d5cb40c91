"""Decide requests with the current state, overrides and budgets."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from crew_router.decide.conditions import ORDINARY, RuntimeConditions
from crew_router.errors import NoCandidateError
from crew_router.types import CandidateRow, CostPrediction, Mode, ModelRef, RoutingDecision, RoutingRequest, Snapshot, TaskType

if TYPE_CHECKING:
    from crew_router.router.runtime import Runtime

# Always the same object, because results computed from it are cached by its identity.
_NO_FIGURES: Final[Mapping[tuple[ModelRef, TaskType | None], Any]] = {}


def decide(runtime: Runtime, request: RoutingRequest, *, executing: bool) -> RoutingDecision:
    """Return the decision for one request, without I/O: what may take a while is done before, by :mod:`readiness`.

    Args:
        runtime: The runtime of the router.
        request: The request.
        executing: Whether the chosen model will be called.

    Raises:
        NoCandidateError: No model satisfies the request; the effects of policies on it are in the audit.
    """
    snapshot = snapshot_of(runtime)
    try:
        return runtime.pipeline.decide(
            runtime.models.resolved(request),
            pool=runtime.models.current(),
            snapshot=snapshot,
            now=runtime.clock.now(),
            executing=executing,
            conditions=_conditions(runtime, request, snapshot),
        )
    except NoCandidateError as error:
        runtime.recorder.ruled(error.effects)
        raise


def frontier(runtime: Runtime, request: RoutingRequest) -> tuple[CandidateRow, ...]:
    """Return the candidates that no other beats in cost, latency and P(success) at once."""
    snapshot = snapshot_of(runtime)
    return runtime.pipeline.frontier(
        runtime.models.resolved(request),
        pool=runtime.models.current(),
        snapshot=snapshot,
        now=runtime.clock.now(),
        conditions=_conditions(runtime, request, snapshot),
    )


def what_if(
    runtime: Runtime, request: RoutingRequest, *, policies: Sequence[Mapping[str, object]], optimize: Literal["cost", "quality"] | None
) -> RoutingDecision:
    """Return the decision under further rules and another aim; nothing is recorded.

    Raises:
        ConfigurationError: A rule means nothing.
        NoCandidateError: No model would satisfy the request.
    """
    from crew_router.config.schema.validation import validated  # pydantic and the rules come when somebody asks
    from crew_router.config.settings import PolicySettings
    from crew_router.router.rules import rules_of

    added = tuple(validated(PolicySettings, rule, place_of=lambda _path: "policies") for rule in policies)
    config = dataclasses.replace(
        runtime.config, policies=(*runtime.config.policies, *added), optimize=optimize or runtime.config.optimize
    )
    known = runtime.rules
    rules = dataclasses.replace(
        rules_of(config, config.registry), learned=known.learned, predictor=known.predictor, experiment=known.experiment
    )
    snapshot = snapshot_of(runtime)
    return dataclasses.replace(runtime.pipeline, rules=rules).decide(
        runtime.models.resolved(request),
        pool=runtime.models.current(),
        snapshot=snapshot,
        now=runtime.clock.now(),
        executing=False,
        conditions=_conditions(runtime, request, snapshot),
    )


def predicted_costs(runtime: Runtime, request: RoutingRequest) -> tuple[CostPrediction, ...]:
    """Return the expected cost with every model, cheapest first, unknown prices last (requirement A9)."""
    from crew_router.decide.predict.cache_savings import saved_usd
    from crew_router.decide.predict.forecast import forecast

    pool, profile = runtime.models.current(), runtime.kept.classifier.classify(request)
    snapshot, now, tokens_in = snapshot_of(runtime), runtime.clock.now(), profile.input_tokens.value
    prefixes, table = runtime.kept.caches.cached_prefixes(request, now=now), pool.model_table
    saved = saved_usd(prefixes, table, models=table.models, snapshot=snapshot, tokens_in=tokens_in, now=now)
    predicted = forecast(profile, table, models=table.models, snapshot=snapshot, now=now, saved=saved)
    costs = [predicted.cost_of(index) for index in range(len(table.refs))]
    return tuple(sorted(costs, key=lambda cost: (math.inf if cost.expected_usd is None else cost.expected_usd, cost.model)))


def snapshot_of(runtime: Runtime) -> Snapshot:
    """Return the shared numbers, with what is left of budgets and, if models have limits, the load of this process."""
    snapshot = runtime.state.snapshot()
    if not runtime.config.learning.enabled:
        snapshot = dataclasses.replace(snapshot, performance=_NO_FIGURES, weights=_NO_FIGURES)
    if runtime.rules.budgets_usd:
        snapshot = dataclasses.replace(snapshot, spend_left_nano=runtime.budgets.left_nano())
    if not runtime.models.limited:
        return snapshot
    limiter = runtime.kept.concurrency
    return dataclasses.replace(snapshot, in_flight=limiter.in_flight(), busy_until=limiter.busy_until())


def explained(runtime: Runtime, decision_id: str) -> RoutingDecision:
    """Return an earlier decision; of a cascade or parallel run with the trade-off of its calls, as far as the ledger tells.

    Raises:
        UnknownDecisionError: The ledger does not have it.
    """
    decision = runtime.ledger.decision(decision_id)
    if decision.mode is Mode.SINGLE:
        return decision
    from crew_router.execute.plans import accuracies
    from crew_router.execute.trade_off import trade_off

    models = tuple(model for ref in decision.models if (model := runtime.models.registry.get(ref)) is not None)
    report = trade_off(decision, runtime.ledger.attempts(decision_id), accuracy=accuracies(decision, models))
    return dataclasses.replace(decision, trade_off=report)


def _conditions(runtime: Runtime, request: RoutingRequest, snapshot: Snapshot) -> RuntimeConditions:
    """Return the override in force, the failures of local models in the session or run, and the cached prompt prefixes."""
    now, kept = runtime.clock.now(), runtime.kept
    override, failures = kept.overrides.current(snapshot), kept.failures.count(request)
    prefixes = kept.caches.cached_prefixes(request, now=now)
    return RuntimeConditions(override, failures, prefixes) if failures or prefixes or override.holds(now) else ORDINARY
