"""Cheap models first; the next one only while the answer is not sure enough (requirement E2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

from crew_router.execute.flow_context import FlowContext
from crew_router.execute.flows.call import one_call
from crew_router.execute.flows.consensus import joined
from crew_router.execute.flows.fallback import fallback
from crew_router.execute.flows.panel import MemberAnswer, MemberResults, gather, show
from crew_router.execute.posterior import Vote, expected_best, posterior, shifted
from crew_router.execute.protocol import Answer, Command, Event, Failure, Flow, Start
from crew_router.execute.signals.judged import grade_payload, graded
from crew_router.execute.signals.protocol import Drafted, Signal
from crew_router.types.canonical_answer import CodeRunner, answer_key
from crew_router.types.model import ModelDefinition
from crew_router.types.transport import Payload
from crew_router.types.vocabulary import ModelRef

Weigh = Callable[[Payload, Sequence[tuple[ModelRef, str]]], tuple[int, float] | None]
"""Returns the place of the best of some answers (who, what) and the probability that it is right; ``None`` when it cannot tell."""


@dataclass(frozen=True, slots=True)
class CascadePlan:
    """Which models in which order, and when to stop.

    Args:
        models: The models, cheapest first.
        payload: What they are asked.
        threshold: Probability of being right at which an answer is accepted.
        value_usd: USD that a right answer is worth; then the next model is asked while its expected gain exceeds its cost.
        cost_usd: Expected cost of each model in USD.
        accuracy: Chance 0..1 of each model of being right.
        signals: What is read from each answer.
        samples: Calls of one step; more than one asks the same model several times and looks whether it agrees with itself.
        judge: A model that grades an answer that is close to acceptance, if any.
        runner: Runs code answers on given tests, if any.
        weigh: Weighs the answers as it learnt to, instead of the general rule.
        stops: Probability at which the best answer after each model is accepted, instead of ``threshold``.
    """

    models: tuple[ModelDefinition, ...]
    _: KW_ONLY
    payload: Payload
    threshold: float
    value_usd: float | None
    cost_usd: Mapping[ModelRef, float]
    accuracy: Mapping[ModelRef, float]
    signals: tuple[Signal, ...]
    samples: int = 1
    judge: ModelDefinition | None = None
    runner: CodeRunner | None = None
    weigh: Weigh | None = None
    stops: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class LeadingAnswer:
    """The most probable answer so far, its probability, and who gave it."""

    key: str
    probability: float
    said: MemberAnswer


def cascade(context: FlowContext, plan: CascadePlan) -> Flow:
    """Ask one model after the other until an answer is probable enough; a stream starts after acceptance."""
    results = MemberResults()
    for at, model in enumerate(plan.models):
        step = yield from _step(context, plan, model)
        results.said += step.said
        results.errors += step.errors
        results.refusals += step.refusals
        if results.said and (yield from _accepted(context, plan, results.said, rest=plan.models[at + 1 :])):
            break
        if context.late:
            break
    if not results.said or (context.late and context.deadline is not None):
        return (yield from _others(context, plan, results))
    best = believed(plan, results.said)
    yield from show(best.said)
    said = tuple((each.call, answer_key(each.reply, runner=plan.runner)) for each in results.said)
    return Answer(best.said.call, best.said.model.ref, best.said.reply, best.probability, said=said)


def believed(plan: CascadePlan, said: list[MemberAnswer]) -> LeadingAnswer:
    """Return the most probable answer, by agreement and by what the signals read from each."""
    learned = None if plan.weigh is None else plan.weigh(plan.payload, [(each.model.ref, spoken(each)) for each in said])
    if learned is not None:
        best, probability = learned
        return LeadingAnswer(spoken(said[best]), probability, said[best])
    votes = _votes(plan, said)
    beliefs = posterior(votes)
    key = max(beliefs, key=lambda each: beliefs[each])
    speaker = max((each for each, vote in zip(said, votes, strict=True) if vote.key == key), key=lambda each: plan.accuracy[each.model.ref])
    return LeadingAnswer(key, beliefs[key], speaker)


def spoken(said: MemberAnswer) -> str:
    """Return an answer as text; tool calls in the form in which they are compared."""
    return answer_key(said.reply) if said.reply.tool_calls else said.reply.text


def _votes(plan: CascadePlan, said: list[MemberAnswer]) -> list[Vote]:
    return [
        Vote(each.model.ref, answer_key(each.reply, runner=plan.runner), shifted(plan.accuracy[each.model.ref], _read(plan, each)))
        for each in said
    ]


def _read(plan: CascadePlan, said: MemberAnswer) -> float:
    draft = Drafted(plan.payload, said.reply, said.model)
    return sum(value for value in (signal(draft) for signal in plan.signals) if value is not None)


def _step(context: FlowContext, plan: CascadePlan, model: ModelDefinition) -> Generator[Command, Event | None, MemberResults]:
    limit = context.limit(others=True)
    payload = plan.payload
    if plan.samples > 1:
        payload = dataclasses.replace(payload, parameters={"temperature": 0.7, **payload.parameters})
    starts = [
        Start(
            next(context.numbers), model.ref,
            live=context.live, role="draft", timeout_s=limit - context.clock.monotonic(),
            payload=payload if plan.samples > 1 else None,
        )
        for _ in range(plan.samples)
    ]  # fmt: skip
    return (yield from gather(context, [(model, start) for start in starts], until=limit, enough=lambda _said, _running: False))


def _accepted(
    context: FlowContext, plan: CascadePlan, said: list[MemberAnswer], *, rest: tuple[ModelDefinition, ...]
) -> Generator[Command, Event | None, bool]:
    """Tell whether the best answer so far is good enough to stop."""
    if not rest or _too_late(context, rest[0]):
        return True
    best = believed(plan, said)
    probability = best.probability
    if plan.stops:
        return probability >= plan.stops[len(plan.models) - len(rest) - 1]
    if plan.judge is not None and plan.value_usd is None and plan.threshold > probability >= plan.threshold - 0.3:
        probability = yield from _judged(context, plan, best)
    if plan.value_usd is None:
        return probability >= plan.threshold
    then = expected_best(_votes(plan, said), rest[0].ref, accuracy=plan.accuracy[rest[0].ref])
    return plan.value_usd * (then - probability) <= plan.cost_usd.get(rest[0].ref, 0.0)


def _judged(context: FlowContext, plan: CascadePlan, best: LeadingAnswer) -> Generator[Command, Event | None, float]:
    assert plan.judge is not None
    limit = context.limit(others=True)
    question = grade_payload(plan.payload, best.said.reply.text or best.key)
    start = Start(next(context.numbers), plan.judge.ref, role="judge", payload=question, timeout_s=limit - context.clock.monotonic())
    done = yield from one_call(context, start, limit=limit)
    grade = None if done.reply is None else graded(done.reply.text)
    # The judge knows the answer and the model's history does not: both count the same.
    return best.probability if grade is None else (best.probability + grade) / 2


def _too_late(context: FlowContext, following: ModelDefinition) -> bool:
    if context.deadline is None or following.latency.p95_s is None:
        return False
    return context.clock.monotonic() + following.latency.p95_s > context.deadline


def _others(context: FlowContext, plan: CascadePlan, results: MemberResults) -> Flow:
    asked = {model.ref for model in plan.models}
    rest = tuple(model for model in context.candidates if model.ref not in asked)
    failure = Failure(tuple(results.errors), tuple(results.refusals), deadline=context.late)
    if context.late or not rest:
        return failure
    result = yield from fallback(dataclasses.replace(context, candidates=rest))
    return result if isinstance(result, Answer) else joined(failure, result)
