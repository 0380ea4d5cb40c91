"""Carries decisions out. The synchronous and asynchronous methods are twins over one flow and one desk."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import random
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from dataclasses import dataclass

from crew_router.errors import AllModelsFailedError, CrewRouterError, DeadlineExceededError, NoCandidateError
from crew_router.execute.attempts import AttemptRunner, Services, Validator
from crew_router.execute.engine import PrivateLoop, adrive, arun, drive, run
from crew_router.execute.flow_context import FlowContext
from crew_router.execute.flows.cascade import Weigh
from crew_router.execute.hedge import HedgeBudget
from crew_router.execute.plans import FlowFactory, FlowInput, accuracies, flow_of
from crew_router.execute.policy import ExecutionPolicy, StreamPolicy
from crew_router.execute.protocol import Answer, Emit, Failure, Flow, Result
from crew_router.execute.response_cache import ResponseCache
from crew_router.execute.trade_off import trade_off
from crew_router.types.canonical_answer import CodeRunner
from crew_router.types.decision import RoutingDecision
from crew_router.types.evidence import Rejection
from crew_router.types.exit_hooks import watch
from crew_router.types.model import ModelDefinition
from crew_router.types.outcome import total_usd
from crew_router.types.response import RoutedChunk, RoutedResponse
from crew_router.types.transport import Payload
from crew_router.types.vocabulary import Mode, ModelRef


@dataclass(frozen=True, slots=True)
class Options:
    """What a surface wants of one execution.

    Args:
        stream: Stream policy instead of the configured one, where a surface cannot carry a reset, for example.
        validate: The caller's own check of an answer: ``None`` for a sound one, else what is wrong.
        attempts: Most calls of the request, fallbacks included; it never widens the configured limit.
        approved_by: Who agreed to what a policy asks a person about; empty when nobody was asked.
        resets: Whether the surface can tell its consumer to forget what it saw; where it cannot, ``restart`` is ``buffer``.
        code_runner: Runs code in answers on given tests, so that several models agree when its output is the same. Only what it does
            keeps the caller's machine safe from that code.
        consent: Says why a person has to agree to a decision before it is executed, beside what policies say; empty when nobody has to.
    """

    stream: StreamPolicy | None = None
    validate: Validator | None = None
    attempts: int | None = None
    resets: bool = True
    approved_by: str = ""
    code_runner: CodeRunner | None = None
    consent: Callable[[RoutingDecision], str] | None = None


_PLAIN = Options()


class Executor:
    """Carries decisions out.

    Args:
        services: Registry, transports, clock, gates and recorder.
        policy: Limits of a request.
        rng: Draws jitter.
        flows: Flows that carry out decisions of a mode instead of the built-in ones.
        weigh: Weighs the answers of learned cascades.
        cache: Answers that are kept; none when it is not given.
    """

    def __init__(
        self,
        services: Services,
        *,
        policy: ExecutionPolicy | None = None,
        rng: random.Random | None = None,
        flows: Mapping[Mode, FlowFactory] | None = None,
        weigh: Weigh | None = None,
        cache: ResponseCache | None = None,
    ) -> None:
        self._services = services
        self._flows = dict(flows or {})
        self._weigh, self._cache = weigh, cache
        self._policy = policy or ExecutionPolicy()
        self._rng = rng or random.Random()  # noqa: S311 - jitter is no secret
        self._hedge = HedgeBudget(self._policy.hedge) if self._policy.hedge > 0 else None

    def run(self, decision: RoutingDecision, payload: Payload, *, options: Options | None = None) -> RoutedResponse:
        """Return the answer to one request.

        Raises:
            ModelCallError: The request itself is at fault (kind ``invalid_request``).
            AllModelsFailedError: Every attempt failed.
            DeadlineExceededError: The deadline passed first.
            NoCandidateError: No candidate could be called at all.
        """
        if (kept := self._kept(decision, payload, options)) is not None:
            return kept
        flow_input = self._work(decision, payload, options, live=False, sync=True)
        if not flow_input.concurrent:
            return self._answered(run(flow_input.flow, flow_input.runner), flow_input)
        loop = PrivateLoop()
        try:
            return self._answered(loop.run(arun(flow_input.flow, flow_input.runner)), flow_input)
        finally:
            loop.close()

    async def arun(self, decision: RoutingDecision, payload: Payload, *, options: Options | None = None) -> RoutedResponse:
        """Return the answer to one request, as :meth:`run` does."""
        if (kept := self._kept(decision, payload, options)) is not None:
            return kept
        await self._awarm(decision, payload)
        flow_input = self._work(decision, payload, options, live=False)
        return self._answered(await arun(flow_input.flow, flow_input.runner), flow_input)

    def stream(self, decision: RoutingDecision, payload: Payload, *, options: Options | None = None) -> Generator[RoutedChunk, None, None]:
        """Yield the answer to one request piece by piece; the last chunk carries the whole response.

        Raises:
            ModelCallError: As for :meth:`run`, or the stream broke after it was shown; ``partial`` holds the text.
            AllModelsFailedError: Every attempt failed before anything was shown.
            DeadlineExceededError: The deadline passed first.
            NoCandidateError: No candidate could be called at all.
        """
        if (kept := self._kept(decision, payload, options)) is not None:
            yield from _replayed(kept)
            return
        flow_input = self._work(decision, payload, options, live=True, sync=True)
        if not flow_input.concurrent:
            with contextlib.closing(drive(flow_input.flow, flow_input.runner)) as items:
                for item in items:
                    yield self._chunk(item, flow_input)
            return
        loop = PrivateLoop()
        try:
            for item in loop.iterate(adrive(flow_input.flow, flow_input.runner)):
                yield self._chunk(item, flow_input)
        finally:
            loop.close()

    async def astream(
        self, decision: RoutingDecision, payload: Payload, *, options: Options | None = None
    ) -> AsyncGenerator[RoutedChunk, None]:
        """Yield the answer to one request piece by piece, as :meth:`stream` does."""
        if (kept := self._kept(decision, payload, options)) is not None:
            for chunk in _replayed(kept):
                yield chunk
            return
        await self._awarm(decision, payload)
        flow_input = self._work(decision, payload, options, live=True)
        async with contextlib.aclosing(adrive(flow_input.flow, flow_input.runner)) as items:
            async for item in items:
                yield self._chunk(item, flow_input)

    async def _awarm(self, decision: RoutingDecision, payload: Payload) -> None:
        """Import and build on a thread what the first call of a model needs, so that the loop goes on."""
        if not all(map(self._services.is_warm, _at_once(decision))):
            await asyncio.to_thread(_warm, AttemptRunner(self._services, decision, payload=payload), decision)

    def _kept(self, decision: RoutingDecision, payload: Payload, options: Options | None) -> RoutedResponse | None:
        # A kept answer has not passed the check that this caller brings.
        checked = options is not None and options.validate is not None
        return None if self._cache is None or checked else self._cache.get(decision, payload)

    def _answered(self, result: Result, flow_input: _Running) -> RoutedResponse:
        response = _response(result, flow_input)
        return response if self._cache is None else self._cache.put(flow_input.decision, flow_input.payload, response)

    def _chunk(self, item: Emit | Result, flow_input: _Running) -> RoutedChunk:
        if isinstance(item, Emit):
            model = flow_input.runner.model(item.call)
            return RoutedChunk(item.piece.text, model=model, reset=item.reset, message=item.piece.raw)
        response = self._answered(item, flow_input)
        return RoutedChunk(model=response.model, response=response)

    def _work(self, decision: RoutingDecision, payload: Payload, options: Options | None, *, live: bool, sync: bool = False) -> _Running:
        options = options or _PLAIN
        policy = _policy(self._policy, options)
        services, deadline_s = self._services, decision.request.deadline_s
        runner = AttemptRunner(services, decision, payload=payload, validate=options.validate)
        watch(runner)
        _warm(runner, decision)
        context = FlowContext(
            tuple(services.registry(ref) for ref in _candidates(decision)), policy,
            clock=services.clock, rng=self._rng,
            deadline=None if deadline_s is None else services.clock.monotonic() + deadline_s,
            live=live, whole=payload.response_format is not None, hedge=self._hedge if policy.hedge_sync or not sync else None,
            seen_p95_s=_seen_p95_s(decision),
        )  # fmt: skip
        flow, concurrent = flow_of(
            FlowInput(decision, payload, context, services.registry, self._weigh, _once(options.code_runner)), self._flows
        )
        return _Running(decision, payload, runner, flow, deadline_s, concurrent, services.registry)


@dataclass(frozen=True, slots=True)
class _Running:
    """One request being carried out."""

    decision: RoutingDecision
    payload: Payload
    runner: AttemptRunner
    flow: Flow
    deadline_s: float | None
    concurrent: bool
    models: Callable[[ModelRef], ModelDefinition]


def _at_once(decision: RoutingDecision) -> tuple[ModelRef, ...]:
    """Return the models that are called first."""
    return decision.candidate, *decision.models


def _warm(runner: AttemptRunner, decision: RoutingDecision) -> None:
    for ref in _at_once(decision):
        runner.prepare(ref)


def _candidates(decision: RoutingDecision) -> tuple[ModelRef, ...]:
    first = decision.candidate
    return tuple(dict.fromkeys((first, *decision.fallbacks))) if decision.request.fallbacks else (first,)


def _once(runner: CodeRunner | None) -> CodeRunner | None:
    """Return a runner that runs each piece of code once a request, however often its answer is compared."""
    return None if runner is None else functools.cache(runner)


def _seen_p95_s(decision: RoutingDecision) -> Mapping[ModelRef, float]:
    """Return the 95th percentile that was observed of the chosen model, where it was."""
    seen = decision.latency.p95_s if decision.latency.source == "history" else None
    return {} if seen is None else {decision.candidate: seen}


def _policy(configured: ExecutionPolicy, options: Options) -> ExecutionPolicy:
    stream = configured.stream if options.stream is None else options.stream
    if stream is StreamPolicy.RESTART and not options.resets:
        stream = StreamPolicy.BUFFER
    attempts = configured.attempts if options.attempts is None else min(options.attempts, configured.attempts)
    if (stream, attempts) == (configured.stream, configured.attempts):
        return configured
    return dataclasses.replace(configured, stream=stream, attempts=attempts)


def _replayed(kept: RoutedResponse) -> tuple[RoutedChunk, RoutedChunk]:
    """Return a kept answer as a stream."""
    return RoutedChunk(kept.text, model=kept.model), RoutedChunk(model=kept.model, response=kept)


def _response(result: Result, flow_input: _Running) -> RoutedResponse:
    if isinstance(result, Failure):
        raise _error(result, flow_input)
    reply, attempts = result.reply, flow_input.runner.attempts
    if result.shown:
        reply = dataclasses.replace(flow_input.runner.join(result.call, result.shown), finish_reason=reply.finish_reason)
    return RoutedResponse(
        reply.text, reply.raw,
        model=result.model, attempts=attempts,
        decision=_with_trade_off(result, flow_input) if result.said else flow_input.decision, cost_usd=total_usd(attempts),
        usage=flow_input.runner.attempt(result.call).usage, tool_calls=reply.tool_calls,
        finish_reason=reply.finish_reason, confidence=result.confidence,
    )  # fmt: skip


def _with_trade_off(answer: Answer, flow_input: _Running) -> RoutingDecision:
    runner, decision = flow_input.runner, flow_input.decision
    report = trade_off(
        decision, runner.attempts,
        accuracy=accuracies(decision, tuple(map(flow_input.models, decision.models))),
        answers={runner.attempt(call).number: key for call, key in answer.said},
        chosen=runner.attempt(answer.call).number, quality=answer.confidence,
    )  # fmt: skip
    return dataclasses.replace(decision, trade_off=report)


def _error(failure: Failure, flow_input: _Running) -> CrewRouterError:
    attempts = flow_input.runner.attempts
    if failure.fatal is not None:
        failure.fatal.attempts = attempts
        return failure.fatal
    if failure.deadline and flow_input.deadline_s is not None:
        return DeadlineExceededError(flow_input.deadline_s, attempts=attempts)
    if failure.errors:
        return AllModelsFailedError(failure.errors, attempts)
    if failure.refusals and all(refusal.error is not None for refusal in failure.refusals):
        last = failure.refusals[-1].error
        assert last is not None
        return last
    rejected: dict[ModelRef, tuple[Rejection, ...]] = {}
    for refusal in failure.refusals:
        rejected[refusal.model] = (*rejected.get(refusal.model, ()), Rejection(refusal.reason, refusal.detail))
    why = "; ".join(f"{model}: {', '.join(reason.reason for reason in reasons)}" for model, reasons in rejected.items())
    return NoCandidateError(rejected, nearest=f"Every chosen model was refused just before its call: {why}.")
