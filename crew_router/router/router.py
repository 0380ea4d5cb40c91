"""The line as a whole: classify → filter → score → select → execute → record → learn."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, TextIO

from crew_router.errors import ApprovalRequiredError, InvalidRequestError
from crew_router.router import decisions, health_report, readiness, reports
from crew_router.router.overrides import ordered
from crew_router.types import (
    Attempt,
    CandidateRow,
    CostPrediction,
    FeedbackData,
    ModelDefinition,
    ModelRef,
    PerformanceMetrics,
    RoutedChunk,
    RoutedResponse,
    RoutingDecision,
    RoutingRequest,
    TaskType,
)
from crew_router.types.transport import Payload
from crew_router.types.vocabulary import EFFORT_ORDER

if TYPE_CHECKING:
    from crew_router.config.reachability import Obstacle
    from crew_router.config.router_config import RouterConfig
    from crew_router.decide.classify.protocol import Classifier
    from crew_router.execute.executor import Options
    from crew_router.learn.experiments.facade import Experiments
    from crew_router.learn.replay.estimators import OffPolicy
    from crew_router.learn.replay.queue import Reruns
    from crew_router.record.ledger.protocol import Ledger
    from crew_router.router.reload import Reloader
    from crew_router.router.runtime import Runtime
    from crew_router.types.clock import Clock

Prompt = str | Sequence[object] | Payload
_ANYTHING = RoutingRequest()


class Router:
    """Picks a model for every request, runs it, remembers what came of it, and can say why.

    Args:
        config: A file, a folder, a mapping or a loaded configuration; the packaged one when not given.
        models: These models only: ``"provider:model"`` to a registry entry, a :class:`ModelDefinition` or a ready client.
        state_url: Where the shared numbers live (``memory://``, ``sqlite:///file``, ``redis://…``).
        redis_url: The same, by another name.
        ledger_url: Where the history lives (``sqlite://`` in memory, ``sqlite:///file``, ``postgresql://…``).
        project: Name space of state, budgets and learning.
        enable_learning: Whether outcomes change later decisions.
        enable_escalation: Whether a weak answer is escalated (E2).
        escalation_threshold: Confidence, 0..1, below which it is.
        cost_optimization_mode: True prefers cheap models, false prefers quality (E1).
        classifier: Reads the profile of requests instead of the built-in one.
        clock: Time; the machine's when not given.
        seed: Makes every random choice repeatable.

    Raises:
        ConfigurationError: The configuration cannot be read or means nothing.

    Example:
        >>> from crew_router import Router, RoutingRequest
        >>> from crew_router.testing import ScriptedModel
        >>> with Router(models={"lab:a": ScriptedModel(replies=["Paris"])}, ledger_url="sqlite://") as router:
        ...     router.invoke("What is the capital of France?").text
        'Paris'
    """

    def __init__(
        self,
        config: str | Path | Mapping[str, object] | RouterConfig | None = None,
        *,
        models: Mapping[str, object] | None = None,
        state_url: str | None = None,
        redis_url: str | None = None,
        ledger_url: str | None = None,
        project: str | None = None,
        enable_learning: bool | None = None,
        enable_escalation: bool | None = None,
        escalation_threshold: float | None = None,
        cost_optimization_mode: bool | None = None,
        classifier: Classifier | None = None,
        clock: Clock | None = None,
        seed: int | None = None,
    ) -> None:
        from crew_router.router.build import build
        from crew_router.router.reload import Reloader
        from crew_router.router.source import Arguments, ConfigSource
        from crew_router.types.exit_hooks import release_with

        threshold = escalation_threshold
        if threshold is not None and (isinstance(threshold, bool) or not 0.0 <= threshold <= 1.0):
            raise InvalidRequestError("escalation_threshold", threshold, expected="a number from 0 to 1")
        if state_url is not None and redis_url is not None:
            raise InvalidRequestError("redis_url", redis_url, expected="either state_url or redis_url, not both")
        arguments = Arguments(
            state_url=state_url or redis_url,
            ledger_url=ledger_url,
            project=project,
            learning=enable_learning,
            escalation=enable_escalation,
            escalation_threshold=escalation_threshold,
            cost_mode=cost_optimization_mode,
        )
        source = ConfigSource.of(config, models, arguments)
        fingerprint = source.fingerprint()
        self._reloader = Reloader(source, build(source, classifier=classifier, clock=clock, seed=seed), fingerprint)
        release_with(self, functools.partial(_released, self._reloader))

    @property
    def _runtime(self) -> Runtime:
        """The runtime of this moment; whoever needs it twice for one request keeps it."""
        return self._reloader.runtime

    def __enter__(self) -> Self:
        """Return the router; leaving closes it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the router."""
        self.close()

    async def __aenter__(self) -> Self:
        """Return the router; leaving closes it."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the router."""
        await self.aclose()

    # Decide

    def select_model(self, request: RoutingRequest, *, record: bool = True) -> RoutingDecision:
        """Decide only; no provider is called.

        Models that cannot be called from here are left out when any can be; otherwise the advice assumes keys and servers.

        Args:
            request: What is asked.
            record: Whether the decision goes into the history; without it, it is only looked at.

        Raises:
            NoCandidateError: No model satisfies the request.
            UnknownModelError: ``force_model`` is not in the registry.
        """
        runtime = self._runtime
        readiness.prepare(runtime, servers=False)
        decision = decisions.decide(runtime, request, executing=False)
        if record:
            runtime.recorder.decided(decision, text=request.task_description)
        return decision

    async def aselect_model(self, request: RoutingRequest, *, record: bool = True) -> RoutingDecision:
        """Decide only, as :meth:`select_model` does; it waits for nothing but the disk with ``durability: full``."""
        runtime = self._runtime
        await readiness.aprepare(runtime, servers=False)
        decision = decisions.decide(runtime, request, executing=False)
        if record:
            async with runtime.ledger.deferred(decision.id):
                runtime.recorder.decided(decision, text=request.task_description)
        return decision

    def predict_cost(self, request: RoutingRequest) -> tuple[CostPrediction, ...]:
        """Return the expected cost of a request on every model, cheapest first, unknown prices last (A9)."""
        return decisions.predicted_costs(self._runtime, request)

    def pareto(self, request: RoutingRequest) -> tuple[CandidateRow, ...]:
        """Return the models that no other beats in cost, latency and P(success) at once, the cheapest first (A17).

        Raises:
            NoCandidateError: No model satisfies the request.
        """
        readiness.prepare(self._runtime, servers=False)
        return decisions.frontier(self._runtime, request)

    def what_if(
        self, request: RoutingRequest, *, policies: Sequence[Mapping[str, object]] = (), optimize: Literal["cost", "quality"] | None = None
    ) -> RoutingDecision:
        """Return what would be decided if there were further rules, or another aim; nothing is recorded and no provider is called.

        Args:
            request: What is asked.
            policies: Rules as ``policies:`` of the configuration has them; they hold beside its own.
            optimize: What is preferred instead of what the configuration says.

        Raises:
            ConfigurationError: A rule means nothing.
            NoCandidateError: No model would satisfy the request.
        """
        readiness.prepare(self._runtime, servers=False)
        return decisions.what_if(self._runtime, request, policies=policies, optimize=optimize)

    # Order

    def override(
        self, *, pin: str | None = None, cost_ceiling: float | None = None, until: float | datetime | None = None, by: str = "operator"
    ) -> None:
        """Pin a model or cap the cost of every request, in all processes of the project, without a restart (requirement D13).

        A new order takes the place of the last one. It stands in the ledger's audit with who gave it.

        Args:
            pin: The model that answers first wherever it satisfies the hard constraints.
            cost_ceiling: Most USD that a request may be expected to cost.
            until: When the order ends: seconds since the epoch or a date with a time zone; ``None`` until it is cleared.
            by: Who gives it.

        Raises:
            InvalidRequestError: Nothing is ordered, a figure is out of range, or the end has passed.
            UnknownModelError: The registry has no such model.
        """
        runtime = self._runtime
        model = None if pin is None else runtime.models.registry.resolve(pin).ref
        runtime.kept.overrides.set(ordered(model, cost_ceiling, until, now=runtime.clock.now()), by=by)

    def clear_override(self, *, by: str = "operator") -> None:
        """End what :meth:`override` ordered."""
        self._runtime.kept.overrides.clear(by=by)

    # Execute

    def invoke(self, prompt: Prompt, *, request: RoutingRequest = _ANYTHING, options: Options | None = None) -> RoutedResponse:
        """Return the answer of the model that serves the request best.

        Args:
            prompt: A text, a chat (texts, dictionaries or LangChain messages), or a :class:`Payload`.
            request: Constraints and wishes.
            options: What the surface wants of this execution.

        Raises:
            NoCandidateError: No model satisfies the request.
            ApprovalRequiredError: A policy wants a person to agree, and ``options`` do not say that one has.
            AllModelsFailedError: Every attempt failed.
            DeadlineExceededError: ``deadline_s`` passed first.
            ModelCallError: The request itself is at fault.
        """
        runtime = self._runtime
        payload, decision = _plan(runtime, prompt, request, options)
        with runtime.observe(decision) as observer:
            return observer.answered(runtime.executor.run(decision, payload, options=options))

    async def ainvoke(self, prompt: Prompt, *, request: RoutingRequest = _ANYTHING, options: Options | None = None) -> RoutedResponse:
        """Return the answer, as :meth:`invoke` does."""
        runtime = self._runtime
        await readiness.aprepare(runtime, servers=True)
        payload, decision = _decided(runtime, prompt, request)
        async with runtime.ledger.deferred(decision.id):
            _record(runtime, decision, request, options)
            with runtime.observe(decision) as observer:
                return observer.answered(await runtime.executor.arun(decision, payload, options=options))

    def stream(self, prompt: Prompt, *, request: RoutingRequest = _ANYTHING, options: Options | None = None) -> Iterator[RoutedChunk]:
        """Yield the answer piece by piece; the last chunk carries the whole response. Raises what :meth:`invoke` does."""
        runtime = self._runtime
        payload, decision = _plan(runtime, prompt, request, options)
        chunks = runtime.executor.stream(decision, payload, options=options)
        with runtime.observe(decision) as observer, contextlib.closing(chunks):
            for chunk in chunks:
                yield observer.on_chunk(chunk)

    async def astream(
        self, prompt: Prompt, *, request: RoutingRequest = _ANYTHING, options: Options | None = None
    ) -> AsyncGenerator[RoutedChunk, None]:
        """Yield the answer piece by piece, as :meth:`stream` does."""
        runtime = self._runtime
        await readiness.aprepare(runtime, servers=True)
        payload, decision = _decided(runtime, prompt, request)
        async with runtime.ledger.deferred(decision.id):
            _record(runtime, decision, request, options)
            with runtime.observe(decision) as observer:
                # Closed here, so that a consumer that goes away ends the call at once.
                async with contextlib.aclosing(runtime.executor.astream(decision, payload, options=options)) as chunks:
                    async for chunk in chunks:
                        yield observer.on_chunk(chunk)

    def batch(
        self, prompts: Iterable[Prompt], *, request: RoutingRequest = _ANYTHING, max_concurrency: int = 8
    ) -> list[RoutedResponse | Exception]:
        """Answer several prompts, at most ``max_concurrency`` at once, in order; a failure stands in its place."""
        _at_least_one("max_concurrency", max_concurrency)
        from concurrent.futures import ThreadPoolExecutor

        def one(prompt: Prompt) -> RoutedResponse | Exception:
            try:
                return self.invoke(prompt, request=request)
            except Exception as error:  # noqa: BLE001 - handed to the caller in its place
                return error

        with ThreadPoolExecutor(max_concurrency) as pool:
            return list(pool.map(one, prompts))

    async def abatch(
        self, prompts: Iterable[Prompt], *, request: RoutingRequest = _ANYTHING, max_concurrency: int = 8
    ) -> list[RoutedResponse | Exception]:
        """Answer several prompts, as :meth:`batch` does."""
        _at_least_one("max_concurrency", max_concurrency)
        import asyncio

        gate = asyncio.Semaphore(max_concurrency)

        async def one(prompt: Prompt) -> RoutedResponse | Exception:
            async with gate:
                try:
                    return await self.ainvoke(prompt, request=request)
                except Exception as error:  # noqa: BLE001 - handed to the caller in its place
                    return error

        return await asyncio.gather(*(one(prompt) for prompt in prompts))

    # Record and learn

    def record_request_outcome(
        self,
        *,
        success: bool,
        decision_id: str | None = None,
        model_id: str | None = None,
        task_type: TaskType | str | None = None,
        latency_ms: float | None = None,
        cost: float | None = None,
        quality: float | None = None,
    ) -> None:
        """Report what an answer came to, or a call that was made without this router.

        Args:
            success: Whether it served.
            decision_id: The decision it belongs to; model and task type are then known.
            model_id: The model, when no decision is named.
            task_type: What it was for.
            latency_ms: Milliseconds it took.
            cost: USD it cost.
            quality: How good it was, 0..1.

        Raises:
            InvalidRequestError: Neither decision nor model is named, or a figure is out of range.
            UnknownDecisionError: The ledger does not hold the decision.
        """
        reports.take_outcome(
            self._runtime,
            success=success,
            decision_id=decision_id,
            model_id=model_id,
            task_type=task_type,
            latency_ms=latency_ms,
            cost_usd=cost,
            quality=quality,
        )

    def record_feedback(self, feedback: FeedbackData) -> float:
        """Take what somebody said later; returns its reward 0..1 (rule 4).

        Raises:
            UnknownDecisionError: The ledger does not hold the decision, and the feedback names no model.
        """
        return reports.take_feedback(self._runtime, feedback)

    @property
    def experiments(self) -> Experiments:
        """Comparisons of strategies or models on live traffic: start, assign, analyze, stop (A13)."""
        from crew_router.learn.experiments.facade import Experiments

        return Experiments(self._runtime.kept.trials, baseline=self._runtime.config.baseline)

    def replay(self, strategy: str, parameters: Mapping[str, object] | None = None, *, since: float | None = None) -> OffPolicy:
        """Estimate the mean reward that another strategy would have got on the logged decisions (D11); nothing is called.

        Raises:
            ConfigurationError: The strategy or a parameter is not known.
            NoOverlapError: The log says too little of it.
        """
        from crew_router.learn.replay.history import judge

        runtime = self._runtime
        return judge(
            runtime.ledger.logged(since=since),
            strategy,
            parameters or {},
            pipeline=runtime.pipeline,
            pool=runtime.models.current(),
            snapshot=runtime.state.snapshot(),
        )

    def rerun(self, strategy: str, *, budget_usd: float, since: float | None = None) -> Reruns:
        """Execute kept prompts again with another strategy, within a budget (D10)."""
        from crew_router.learn.replay.queue import rerun

        logged = [decision for decision, _ in self._runtime.ledger.logged(since=since)]
        return rerun(self, logged, strategy=strategy, budget_usd=budget_usd)

    def audit(self, event: str, detail: Mapping[str, object]) -> None:
        """Append a row to the ledger's audit, for what a surface did in a person's name."""
        runtime = self._runtime
        runtime.ledger.audited(event, detail, at=runtime.clock.now())

    # Look

    @property
    def models(self) -> tuple[ModelDefinition, ...]:
        """The models of the registry."""
        return self._runtime.models.registry.models

    @property
    def policy_version(self) -> str:
        """Changes when models, rules or the strategy do; answers of two versions are not the same policy's."""
        return self._runtime.rules.policy_version

    @property
    def config(self) -> RouterConfig:
        """The configuration that holds."""
        return self._runtime.config

    @property
    def history(self) -> Ledger:
        """The ledger: decisions, calls, outcomes and feedback."""
        return self._runtime.ledger

    def explain(self, decision_id: str) -> RoutingDecision:
        """Return an earlier decision; ``.explain()`` on it tells the story, with what several calls brought where it had some.

        Raises:
            UnknownDecisionError: The ledger does not hold it.
        """
        return decisions.explained(self._runtime, decision_id)

    def attempts(self, decision_id: str) -> tuple[Attempt, ...]:
        """Return the calls that were made for a decision, in order."""
        return self._runtime.ledger.attempts(decision_id)

    def performance(self, model_id: str, task_type: TaskType | str | None = None) -> PerformanceMetrics | None:
        """Return the decayed figures of a model (A10), over all task types when none is given; ``None`` without history."""
        model = self._runtime.models.registry.resolve(model_id)
        return self._runtime.state.performance(model.ref, None if task_type is None else reports.task_named(task_type))

    def stats(self) -> dict[str, object]:
        """Return counts, sums, the age of the snapshot, and which configuration holds."""
        return {**reports.stats(self._runtime), "configuration": self._reloader.status()}

    def budget_remaining(self, budget: str) -> float | None:
        """Return the USD that are left of a budget, read from its rows; ``None`` when there is no such limit (A17).

        Args:
            budget: ``day``, ``project``, ``provider:openai``, ``run:ID``, ``session:ID`` or ``user:ID``.

        Raises:
            StorageError: The ledger's database cannot be reached.
        """
        return reports.budget_left(self._runtime, budget)

    def export(self, out: str | Path | TextIO, *, before: float = math.inf) -> int:
        """Write the ledger as JSON lines and return their number; texts are in it only where they are kept.

        Args:
            out: A file to write, or one that is open.
            before: Rows of earlier times only, in seconds since the epoch.
        """
        if not isinstance(out, (str, Path)):
            return self._runtime.ledger.export(out, before=before)
        with Path(out).open("w", encoding="utf-8") as file:
            return self._runtime.ledger.export(file, before=before)

    def reset(self, *, before: float | None = None) -> None:
        """Start statistics afresh, now or from a time on (seconds since the epoch); spend, budgets and audit stay (rule 8)."""
        reports.reset(self._runtime, before=before)

    def reachable(self) -> frozenset[ModelRef]:
        """Return the models that could be called from here, as far as is known without asking anybody."""
        return self._runtime.models.reachable()

    def reaches(self, model_id: str) -> bool:
        """Tell whether one model could be called from here, as :meth:`reachable` does for all.

        Raises:
            UnknownModelError: The registry has no such model.
        """
        models = self._runtime.models
        return models.obstacle(models.registry.resolve(model_id)) is None

    def obstacles(self) -> Mapping[ModelRef, Obstacle]:
        """Return what keeps each of the other models from being called, and what to do about it."""
        return self._runtime.models.obstacles()

    def discover(self) -> None:
        """Look for local servers: those of the registry, and the usual ports of LM Studio, Ollama and vLLM."""
        self._runtime.models.discover()

    def health(self) -> dict[str, object]:
        """Return whether any model can be called, what keeps the others, open breakers, the stores, and the configuration."""
        return {**health_report.health(self._runtime), "configuration": self._reloader.status()}

    def check_health(self, model_id: str | None = None, *, active: bool = False) -> dict[str, object]:
        """Ask local servers whether they answer, then return :meth:`health`, of one model when it is named.

        Args:
            model_id: The model; all when not given.
            active: Check the models themselves, remote ones too: by their server's listing where an entry has an address, else by a
                real call of a few tokens, which is paid for. Results are kept for ``health.max_age_s`` seconds and stand under
                ``checks``; what fails counts against breakers.

        Raises:
            UnknownModelError: The registry has no such model.
        """
        return {**health_report.check_health(self._runtime, model_id, active=active), "configuration": self._reloader.status()}

    async def acheck_health(self, model_id: str | None = None, *, active: bool = False) -> dict[str, object]:
        """Check as :meth:`check_health` does, without holding up the event loop."""
        import asyncio

        return await asyncio.to_thread(self.check_health, model_id, active=active)

    # End

    def reload(self) -> None:
        """Take the configuration over as it stands; changed files are taken over within a second or two without this.

        Requests that run end as they began. Stores stay the ones that are open.

        Raises:
            ConfigurationError: It cannot be read or means nothing; the old one stays.
        """
        self._reloader.reload()

    def close(self) -> None:
        """Write what is pending and release everything."""
        self._reloader.close()
        self._runtime.close()

    async def aclose(self) -> None:
        """Close, without holding up the event loop."""
        self._reloader.close()
        await self._runtime.aclose()


def _released(reloader: Reloader) -> None:
    """Do what :meth:`Router.close` does, for a router that nobody holds any more."""
    reloader.close()
    reloader.runtime.release()


def _at_least_one(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:  # pyright: ignore[reportUnnecessaryIsInstance] - the caller's
        raise InvalidRequestError(name, value, expected="a whole number of at least 1")


def _plan(runtime: Runtime, prompt: Prompt, request: RoutingRequest, options: Options | None) -> tuple[Payload, RoutingDecision]:
    readiness.prepare(runtime, servers=True)
    payload, decision = _decided(runtime, prompt, request)
    _record(runtime, decision, request, options)
    return payload, decision


def _decided(runtime: Runtime, prompt: Prompt, request: RoutingRequest) -> tuple[Payload, RoutingDecision]:
    payload = payload_of(prompt)
    return payload, decisions.decide(runtime, described(request, payload), executing=True)


def _record(runtime: Runtime, decision: RoutingDecision, request: RoutingRequest, options: Options | None) -> None:
    by = "" if options is None else options.approved_by
    if options is not None and options.consent is not None and (wanted := options.consent(decision)):
        decision, by = replace(decision, approval=wanted), ""
    runtime.recorder.decided(decision, text=request.task_description, runs=not decision.approval or bool(by))
    if decision.approval:
        runtime.recorder.approved(decision, by=by)
        if not by:
            raise ApprovalRequiredError(decision)


def payload_of(prompt: Prompt) -> Payload:
    """Return what is sent for a prompt.

    Raises:
        InvalidRequestError: There is nothing to send.
    """
    payload = prompt if isinstance(prompt, Payload) else Payload((prompt,) if isinstance(prompt, str) else tuple(prompt))
    if not payload.messages or payload.messages == ("",):
        raise InvalidRequestError("prompt", prompt if isinstance(prompt, str) else [], expected="a text or at least one message")
    return payload


def described(request: RoutingRequest, payload: Payload) -> RoutingRequest:
    """Add to a request what its payload shows: the messages, tools, a response format, and the effort that its parameters ask for."""
    said = request.described(messages=tuple(payload.messages), tools=bool(payload.tools), json=payload.response_format is not None)
    effort = payload.parameters.get("reasoning_effort", payload.parameters.get("effort")) if payload.parameters else None
    return replace(said, effort=effort) if said.effort is None and isinstance(effort, str) and effort in EFFORT_ORDER else said
