"""What a router is made of, and the small rules between its parts."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from crew_router.clock import Clock
from crew_router.errors import InvalidRequestError
from crew_router.learn.reward import reward_of
from crew_router.ledger.protocol import Ledger
from crew_router.line import Line, Pool
from crew_router.probe import LOCAL_PROBE_S, listed_models, usual_servers
from crew_router.reachability import obstacle
from crew_router.recording import Recorder, outcome_reported
from crew_router.state.protocol import State
from crew_router.types import (
    CostPrediction,
    FeedbackData,
    ModelDefinition,
    ModelRef,
    RoutedChunk,
    RoutedResponse,
    RoutingDecision,
    RoutingRequest,
    TaskType,
)

if TYPE_CHECKING:
    from crew_router.execute.executor import Executor
    from crew_router.execute.transports import Transports
    from crew_router.registry import Registry
    from crew_router.settings import RouterConfig

_INF: Final = float("inf")


class Recent:
    """Who answered for which task type, for the newest decisions, so that an outcome reported at once needs no read.

    Args:
        keep: How many decisions are remembered.
    """

    def __init__(self, keep: int = 4096) -> None:
        self._keep = keep
        self._answered: dict[str, tuple[ModelRef, TaskType]] = {}
        self._lock = threading.Lock()

    def put(self, decision_id: str, model: ModelRef, task: TaskType) -> None:
        """Remember a decision, and forget the oldest beyond the limit."""
        with self._lock:
            self._answered[decision_id] = model, task
            while len(self._answered) > self._keep:
                del self._answered[next(iter(self._answered))]

    def get(self, decision_id: str) -> tuple[ModelRef, TaskType] | None:
        """Return who answered and for what, or ``None`` when the decision is older or another process's."""
        return self._answered.get(decision_id)


class Watch:
    """Times one request and tells the recorder how it ended."""

    def __init__(self, parts: Parts, decision: RoutingDecision) -> None:
        self._parts, self._decision = parts, decision
        self._began = parts.clock.monotonic()
        self._answered = False

    def answered(self, response: RoutedResponse) -> RoutedResponse:
        """Take the answer and return it."""
        self._answered = True
        self._parts.recent.put(response.decision.id, response.model, response.decision.profile.task_type.value)
        self._parts.recorder.answered(response, latency_s=self._elapsed())
        return response

    def seen(self, chunk: RoutedChunk) -> RoutedChunk:
        """Take a piece and return it; the last one carries the answer."""
        if chunk.response is not None:
            self.answered(chunk.response)
        return chunk

    def failed(self, error: BaseException) -> None:
        """Take the end without an answer; a consumer that stops reading after the answer has not failed."""
        if not self._answered:
            self._parts.recorder.failed(self._decision, error, latency_s=self._elapsed())

    def _elapsed(self) -> float:
        return self._parts.clock.monotonic() - self._began


@dataclass
class Parts:
    """The parts of one router.

    ``serving`` tells which servers answered at their last check; ``declared`` are the models whose entries the user wrote.
    """

    config: RouterConfig
    registry: Registry
    line: Line
    executor: Executor
    state: State
    ledger: Ledger
    recorder: Recorder
    clock: Clock
    declared: frozenset[ModelRef]
    probes_usual_ports: bool
    serving: dict[str, bool] = field(default_factory=dict[str, bool])
    recent: Recent = field(default_factory=Recent)
    transports: Transports | None = None
    _pool: Pool | None = None
    _probed_at: float = -_INF
    _lock: threading.Lock = field(default_factory=threading.Lock)

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
            pool = self._pool = Pool(self.registry.models, self.registry.columns, reach, self.registry.version)
        return pool

    def obstacle(self, model: ModelDefinition) -> str | None:
        """Return what keeps a model from being called, or ``None``."""
        return obstacle(model, env=os.environ, serving=self.serving, declared=model.ref in self.declared)

    def reachable_refs(self) -> frozenset[ModelRef]:
        """Return the models that nothing keeps from being called."""
        return frozenset(model.ref for model in self.registry.models if self.obstacle(model) is None)

    def look_for_servers(self) -> None:
        """Ask the registry's local servers whether they answer, at most once in a while."""
        local = self._local_urls()
        now = self.clock.monotonic()
        if not local or now - self._probed_at < LOCAL_PROBE_S:
            return
        with self._lock:
            self._probed_at = now
            self.serving.update({url: listed_models(url) is not None for url in local})
            self._pool = None

    def discover(self) -> None:
        """Check local servers, and add what the usual ports serve when the packaged registry is in use."""
        self._probed_at = -_INF
        self.look_for_servers()
        if not self.probes_usual_ports:
            return
        found = usual_servers()
        known = {model.ref for model in self.registry.models}
        new = [server_model(ref, base_url=server.base_url) for server in found for ref in server.refs() if ref not in known]
        # An entry of the registry for a model that a running server does not list cannot be called.
        listed = {ref for server in found for ref in server.refs()}
        with self._lock:
            self.serving.update({server.base_url: True for server in found})
            absent = [model for model in self.registry.models if _is_absent(model, listed, self.declared)]
            changed = [dataclasses.replace(model, enabled=False) for model in absent]
            if new or changed:
                self.registry = self.registry.with_models([*changed, *new])
            self._pool = None

    def _local_urls(self) -> frozenset[str]:
        urls = {model.base_url for model in self.registry.models if model.base_url is not None and model.instance is None}
        return frozenset(url for url in urls if is_loopback(url))

    # Predict, record, learn

    def predicted_costs(self, request: RoutingRequest) -> tuple[CostPrediction, ...]:
        """Return the expected cost on every model, cheapest first, unknown prices last."""
        from crew_router.predict.forecast import forecast  # noqa: PLC0415 - comes when first needed

        pool = self.pool()
        predicted = forecast(self.line.classifier.classify(request), pool.columns, models=pool.models, snapshot=self.state.snapshot())
        costs = [predicted.cost_of(pool.columns, at) for at in range(len(pool.models))]
        return tuple(sorted(costs, key=lambda cost: (_INF if cost.expected_usd is None else cost.expected_usd, cost.model)))

    @contextlib.contextmanager
    def watch(self, decision: RoutingDecision) -> Generator[Watch, None, None]:
        """Watch one request to its end."""
        watch = Watch(self, decision)
        try:
            yield watch
        except BaseException as error:
            watch.failed(error)
            raise

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
            if value is not None and not 0.0 <= value <= high:
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

    def learn(self, feedback: FeedbackData) -> float:
        """Take feedback into the ledger and, when learning is on, into the learned weights."""
        reward = reward_of(feedback)
        model, task = self._subject(feedback.request_id if feedback.model_id is None else None, feedback.model_id, feedback.task_type)
        self.ledger.said(feedback, reward=reward, at=self.clock.now())
        if self.config.learning.enabled:
            self.state.learn(model, task, reward=reward)
        return reward

    def _subject(self, decision_id: str | None, model_id: str | None, task_type: TaskType | str | None) -> tuple[ModelRef, TaskType | None]:
        task = None if task_type is None else TaskType(task_type)
        if model_id is not None:
            return self.registry.resolve(model_id).ref, task
        if decision_id is None:
            raise InvalidRequestError("decision_id", None, expected="the id of a decision, or model_id")
        known = self.recent.get(decision_id)
        if known is not None:
            return known[0], task or known[1]
        decision = self.ledger.decision(decision_id)
        answered = [attempt.model for attempt in self.ledger.attempts(decision_id) if attempt.ok]
        return (answered[-1] if answered else decision.selected_model), task or decision.profile.task_type.value

    # Look

    def stats(self) -> dict[str, object]:
        """Return totals of the ledger and the age of what decisions see."""
        return {
            "project": self.config.project,
            "models": len(self.registry.models),
            **self.ledger.totals(),
            "state": dict(self.state.health()),
        }

    def health(self) -> dict[str, object]:
        """Return what can be called and how the stores are."""
        states = {model.ref: self.obstacle(model) or self._breaker_word(model) for model in self.registry.models}
        return {
            "ok": any(state == "ready" for state in states.values()),
            "project": self.config.project,
            "models": states,
            "state": dict(self.state.health()),
        }

    def check_health(self, model_id: str | None) -> dict[str, object]:
        """Check servers, then report; of one model when it is named."""
        self.discover()
        report = self.health()
        if model_id is None:
            return report
        model = self.registry.resolve(model_id)
        models: Mapping[ModelRef, str] = {model.ref: self.obstacle(model) or self._breaker_word(model)}
        return {**report, "ok": models[model.ref] == "ready", "models": models}

    def _breaker_word(self, model: ModelDefinition) -> str:
        breakers = self.state.snapshot().breakers
        for key in (model.ref, model.ref.provider):
            state = breakers.get(key)
            if state is not None and state.phase != "closed":
                return f"breaker of {key} is {state.phase.replace('_', '-')}"
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


def server_model(ref: ModelRef, *, base_url: str) -> ModelDefinition:
    """Return the entry of a model that a local server lists and the registry does not know."""
    from crew_router.types import ModelCapability, Price, Tier  # noqa: PLC0415 - only discovery needs them

    return ModelDefinition(
        ref,
        provider=ref.provider,
        model=ref.name,
        price=Price(0.0, 0.0),
        tier=Tier.LOCAL,
        capabilities=frozenset({ModelCapability.STREAMING}),
        base_url=base_url,
        source="unmeasured",
    )


def is_loopback(url: str) -> bool:
    """Tell whether a URL names this machine."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - only models with a URL need it

    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def _is_absent(model: ModelDefinition, listed: set[ModelRef], declared: frozenset[ModelRef]) -> bool:
    return (
        model.ref not in listed
        and model.ref not in declared
        and model.enabled
        and model.base_url is not None
        and is_loopback(model.base_url)
    )
