"""What a router is made of, and the small rules between its parts."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from crew_router.clock import Clock
from crew_router.errors import InvalidRequestError, NoCandidateError
from crew_router.execute.breaker_gate import breaker_keys
from crew_router.learn.experiments.trials import Trials
from crew_router.learn.learning import Learning
from crew_router.line import Line, Pool
from crew_router.misfires import Misfires
from crew_router.orders import Orders
from crew_router.reachability import LOCAL_PROVIDERS, obstacle
from crew_router.recording import Recorder, outcome_reported
from crew_router.ruling import ORDINARY, Circumstances, Override
from crew_router.servers import Servers
from crew_router.sessions import Sessions
from crew_router.state.protocol import State
from crew_router.types import (
    CandidateRow,
    CostPrediction,
    FeedbackData,
    Limits,
    Mode,
    ModelDefinition,
    ModelRef,
    RoutingDecision,
    RoutingRequest,
    Snapshot,
    TaskType,
    Tier,
)
from crew_router.types.model import NANO_PER_USD
from crew_router.watch import Watch

if TYPE_CHECKING:
    from crew_router.columns import Flags
    from crew_router.execute.capacity import Capacity
    from crew_router.execute.counting import Counting
    from crew_router.execute.executor import Executor
    from crew_router.execute.transports import Transports
    from crew_router.health import Checked, Checks
    from crew_router.ledger.book import Book
    from crew_router.ledger.budgets import Budgets
    from crew_router.registry import Registry
    from crew_router.settings import RouterConfig
    from crew_router.tokenizers import Tokenizer

_INF: Final = float("inf")
_NOTHING_LEARNT: Final[Mapping[tuple[ModelRef, TaskType | None], Any]] = {}  # one object, so that what was worked out from it stands


@dataclass
class Parts:
    """The parts of one router.

    ``declared`` are the models whose entries the user wrote, ``found`` those that local servers listed, ``later`` the changed
    settings that wait for the next start.
    """

    config: RouterConfig
    registry: Registry
    line: Line
    executor: Executor
    state: State
    ledger: Book
    recorder: Recorder
    learning: Learning
    trials: Trials
    clock: Clock
    declared: frozenset[ModelRef]
    probes_usual_ports: bool
    servers: Servers
    transports: Transports | None = None
    capacity: Capacity | None = None
    counting: Counting | None = None
    budgets: Budgets | None = None
    found: tuple[ModelDefinition, ...] = ()
    later: tuple[str, ...] = ()
    _pool: Pool | None = None
    _limited: bool = False

    def __post_init__(self) -> None:
        """Make the parts that only need others."""
        self.orders = Orders(self.ledger, self.state, self.clock)
        self.misfires = Misfires(lambda ref: _is_local(self.registry.get(ref)))
        self.sessions = Sessions(lambda: self.config.sessions)
        self._checks: Checks | None = None

    def under(self, config: RouterConfig, registry: Registry, *, line: Line, declared: frozenset[ModelRef]) -> Parts:
        """Return parts for another configuration over the same stores, which remember what these do of sessions and runs."""
        new = dataclasses.replace(self, config=config, registry=registry, line=line, declared=declared, _pool=None)
        new.misfires = dataclasses.replace(self.misfires, is_local=new.misfires.is_local)
        if config.sessions == self.config.sessions:
            new.sessions = self.sessions
        return new

    # Decide

    def decide(self, request: RoutingRequest, *, executing: bool) -> RoutingDecision:
        """Return the decision for one request, by the numbers and orders of this moment.

        Raises:
            NoCandidateError: No model satisfies the request; what safety rules did to it stands in the audit.
        """
        snapshot = self.snapshot()
        try:
            return self.line.decide(
                self.resolved(request),
                pool=self.pool(),
                snapshot=snapshot,
                now=self.clock.now(),
                executing=executing,
                circumstances=self.circumstances(request, snapshot),
            )
        except NoCandidateError as error:
            self.recorder.ruled(error.effects)
            raise

    def frontier(self, request: RoutingRequest) -> tuple[CandidateRow, ...]:
        """Return the candidates that no other beats in everything."""
        snapshot = self.snapshot()
        seen = self.circumstances(request, snapshot)
        return self.line.frontier(self.resolved(request), pool=self.pool(), snapshot=snapshot, now=self.clock.now(), circumstances=seen)

    def snapshot(self) -> Snapshot:
        """Return the shared numbers, with what budgets have left and the load of this process where there are any limits."""
        snapshot, _ = self.state.snapshot(), self.pool()
        if not self.config.learning.enabled:
            snapshot = dataclasses.replace(snapshot, performance=_NOTHING_LEARNT, weights=_NOTHING_LEARNT)
        if self.budgets is not None and self.line.rules.budgets_usd:
            snapshot = dataclasses.replace(snapshot, spend_left_nano=self.budgets.left_nano())
        if self.capacity is None or not self._limited:
            return snapshot
        return dataclasses.replace(snapshot, in_flight=self.capacity.in_flight(), busy_until=self.capacity.busy_until())

    def circumstances(self, request: RoutingRequest, snapshot: Snapshot) -> Circumstances:
        """Return what an operator ordered, how local models did in the request's session or run, and what prompt caches hold."""
        now = self.clock.now()
        override, failures = self.orders.current(snapshot), self.misfires.count(request)
        warm = self.sessions.warm(request, now=now)
        return Circumstances(override, failures, warm) if failures or warm or override.holds(now) else ORDINARY

    def order(self, override: Override | None, *, by: str) -> None:
        """Put an operator's order in force, or end it."""
        if override is None:
            self.orders.take_back(by=by)
        else:
            self.orders.give(override, by=by)


    # Models

    def resolved(self, request: RoutingRequest) -> RoutingRequest:
        """Return the request with its forced model as a whole reference."""
        if request.force_model is None:
            return request
        return dataclasses.replace(request, force_model=self.registry.resolve(request.force_model).ref)

    def pool(self) -> Pool:
        """Return the models with what is known of their reachability; made again when a check found something new."""
        pool = self._pool
        if pool is None:
            import numpy as np  # noqa: PLC0415 - comes when first needed

            reach = np.array([self.obstacle(model) is None for model in self.registry.models], dtype=np.bool_)
            self._limited = any(model.limits != Limits() for model in self.registry.models)
            pool = self._pool = Pool(self.registry.models, self.registry.columns, reach, self.registry.version, self._tokenizers(reach))
        return pool

    def _tokenizers(self, reach: Flags) -> Mapping[str, Tokenizer]:
        if not self.config.tokenizers.enabled:
            return {}
        from crew_router.tokenizers import tokenizers_of  # noqa: PLC0415 - comes when first needed

        return tokenizers_of(self.registry.models[at].provider for at in reach.nonzero()[0])

    def obstacle(self, model: ModelDefinition) -> str | None:
        """Return what keeps a model from being called, or ``None``."""
        return obstacle(model, env=os.environ, serving=self.servers.listed, declared=model.ref in self.declared)

    def reachable_refs(self) -> frozenset[ModelRef]:
        """Return the models that nothing keeps from being called."""
        return frozenset(model.ref for model in self.registry.models if self.obstacle(model) is None)

    def look_for_servers(self, *, again: bool = False) -> None:
        """Ask the registry's local servers what they list, at most once in a while."""
        if self.servers.look(self.registry.models, again=again):
            self._pool = None

    def discover(self) -> None:
        """Check local servers, and add what the usual ports serve when the packaged registry is in use."""
        self.look_for_servers(again=True)
        if self.probes_usual_ports:
            new = self.servers.usual(model.ref for model in self.registry.models)
            if new:
                self.found += new
                self.registry = self.registry.with_models(new)
            self._pool = None

    # Predict, record, learn

    def predicted_costs(self, request: RoutingRequest) -> tuple[CostPrediction, ...]:
        """Return the expected cost on every model, cheapest first, unknown prices last."""
        from crew_router.predict.forecast import forecast  # noqa: PLC0415 - comes when first needed
        from crew_router.predict.warmth import saved_usd  # noqa: PLC0415

        pool, profile = self.pool(), self.line.classifier.classify(request)
        snapshot, now, tokens_in = self.snapshot(), self.clock.now(), profile.input_tokens.value
        warm = self.sessions.warm(request, now=now)
        saved = saved_usd(warm, pool.columns, models=pool.models, snapshot=snapshot, tokens_in=tokens_in, now=now)
        predicted = forecast(profile, pool.columns, models=pool.models, snapshot=snapshot, now=now, saved=saved)
        costs = [predicted.cost_of(at) for at in range(len(pool.models))]
        return tuple(sorted(costs, key=lambda cost: (_INF if cost.expected_usd is None else cost.expected_usd, cost.model)))

    def watch(self, decision: RoutingDecision) -> Watch:
        """Watch one request to its end."""
        return Watch(decision, recorder=self.recorder, learning=self.learning, clock=self.clock)

    def report(
        self,
        *,
        success: bool,
        decision_id: str | None,
        model_id: str | None,
        task_type: TaskType | str | None,
        latency_ms: float | None,
        cost_usd: float | None,
        quality: float | None,
    ) -> None:
        """Take what a caller reports of an answer."""
        for name, value, high in (("latency_ms", latency_ms, _INF), ("cost", cost_usd, _INF), ("quality", quality, 1.0)):
            if value is not None and not (0.0 <= value <= high and value < _INF):
                raise InvalidRequestError(name, value, expected=f"a number from 0 to {high}")
        model, task = self._subject(decision_id, model_id, task_type)
        outcome = outcome_reported(
            model,
            task,
            decision_id=decision_id,
            success=success,
            at=self.clock.now(),
            latency_ms=latency_ms,
            cost_usd=cost_usd,
            quality=quality,
        )
        self.recorder.reported(outcome)
        if decision_id is not None:
            self.learning.reported(decision_id, success=success, quality=quality)

    def learn(self, feedback: FeedbackData) -> float:
        """Take feedback into the ledger and, when learning is on, into everything that learns."""
        model = None if feedback.model_id is None else self.registry.resolve(feedback.model_id).ref
        return self.learning.take(feedback, model)

    def _subject(self, decision_id: str | None, model_id: str | None, task_type: TaskType | str | None) -> tuple[ModelRef, TaskType | None]:
        task = None if task_type is None else TaskType(task_type)
        if model_id is not None:
            return self.registry.resolve(model_id).ref, task
        if decision_id is None:
            raise InvalidRequestError("decision_id", None, expected="the id of a decision, or model_id")
        known = self.learning.subject(decision_id)
        return known.model, task or known.task_type

    # Look

    def explained(self, decision_id: str) -> RoutingDecision:
        """Return an earlier decision with the trade-off of its calls, as far as the ledger keeps them: answers are not kept."""
        decision = self.ledger.decision(decision_id)
        if decision.mode is Mode.SINGLE:
            return decision
        from crew_router.execute.plans import accuracies  # noqa: PLC0415 - only such decisions need it
        from crew_router.execute.trade_off import trade_off  # noqa: PLC0415

        models = tuple(model for ref in decision.models if (model := self.registry.get(ref)) is not None)
        report = trade_off(decision, self.ledger.attempts(decision_id), accuracy=accuracies(decision, models))
        return dataclasses.replace(decision, trade_off=report)

    def stats(self) -> dict[str, object]:
        """Return totals of the ledger and the age of what decisions see."""
        return {
            "project": self.config.project,
            "models": len(self.registry.models),
            **self.ledger.totals(),
            "state": dict(self.state.health()),
            "ledger": dict(self.ledger.health()),
        }

    def budget_left(self, name: str) -> float | None:
        """Return the USD left of a budget, ``None`` when it is not limited."""
        from crew_router.ledger.limits import Limits as Budgeted  # noqa: PLC0415 - only routers with budgets load it

        scope = Budgeted.from_settings(self.config.budgets).scope(name, at=self.clock.now())
        if scope is None or self.budgets is None:
            return None
        return self.budgets.remaining_nano(scope) / NANO_PER_USD

    def reset(self, *, before: float | None) -> None:
        """Start a new statistics epoch; without a time the shared numbers are emptied too. The audit says so."""
        self.ledger.reset(before=before)
        if before is None:
            self.state.reset()
        self.ledger.audited("reset", {"before": before, "deleted_rows": 0}, at=self.clock.now())

    def health(self) -> dict[str, object]:
        """Return what can be called and how the stores are."""
        states = {model.ref: self._state_of(model, None) for model in self.registry.models}
        return {
            "ok": any(state == "ready" for state in states.values()),
            "project": self.config.project,
            "models": states,
            "state": dict(self.state.health()),
            "ledger": dict(self.ledger.health()),
        }

    def check_health(self, model_id: str | None, *, active: bool) -> dict[str, object]:
        """Check servers, and the models themselves when asked to, then report; of one model when it is named."""
        self.discover()
        models = self.registry.models if model_id is None else (self.registry.resolve(model_id),)
        checked: Mapping[ModelRef, Checked] = self._checked(models) if active else {}
        states = {model.ref: self._state_of(model, checked.get(model.ref)) for model in models}
        report = {**self.health(), "ok": any(state == "ready" for state in states.values()), "models": states}
        now = self.clock.monotonic()
        return {**report, "checks": {ref: each.told(now=now) for ref, each in checked.items()}} if active else report

    def _checked(self, models: tuple[ModelDefinition, ...]) -> Mapping[ModelRef, Checked]:
        from crew_router.health import Checks  # noqa: PLC0415 - only routers that check need it

        if self._checks is None:
            self._checks = Checks(self)
        return self._checks.check(model for model in models if model.enabled and self.obstacle(model) is None)

    def _state_of(self, model: ModelDefinition, checked: Checked | None) -> str:
        failed = "" if checked is None or checked.ok else f"check failed: {checked.detail}"
        return self.obstacle(model) or failed or self._breaker_word(model)

    def _breaker_word(self, model: ModelDefinition) -> str:
        breakers = self.state.snapshot().breakers
        for key in breaker_keys(model):
            state = breakers.get(key)
            if state is not None and state.phase != "closed":
                because = f" ({state.cause})" if state.cause else ""
                return f"breaker of {key} is {state.phase.replace('_', '-')}{because}"
        return "ready" if model.enabled else "switched off"

    def close(self) -> None:
        """Write what is pending and release everything."""
        if self.transports is not None:
            self.transports.close()
        self.ledger.close()
        self.state.close()

    async def aclose(self) -> None:
        """Close, connections of the running loop too, without holding it up."""
        import asyncio  # noqa: PLC0415 - not needed to import the package

        if self.transports is not None:
            await self.transports.aclose()
        await asyncio.to_thread(self.close)


def _is_local(model: ModelDefinition | None) -> bool:
    return model is not None and (model.tier is Tier.LOCAL or (model.tier is None and model.ref.provider in LOCAL_PROVIDERS))
