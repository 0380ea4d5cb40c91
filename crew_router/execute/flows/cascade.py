"""Cheap models first; the next one only while the answer is not sure enough (requirement E2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

from crew_router.execute.flows.call import one_call
from crew_router.execute.flows.consensus import joined
from crew_router.execute.flows.fallback import fallback
from crew_router.execute.flows.panel import Gathered, Said, gather, show
from crew_router.execute.job import Job
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
class Ladder:
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
class Belief:
    """The most probable answer so far, its probability, and who gave it."""

    key: str
    probability: float
    said: Said


def cascade(job: Job, ladder: Ladder) -> Flow:
    """Ask one model after the other until an answer is probable enough; a stream starts after acceptance."""
    gathered = Gathered()
    for at, model in enumerate(ladder.models):
        step = yield from _step(job, ladder, model)
        gathered.said += step.said
        gathered.errors += step.errors
        gathered.refusals += step.refusals
        if gathered.said and (yield from _accepted(job, ladder, gathered.said, rest=ladder.models[at + 1 :])):
            break
        if job.late:
            break
    if not gathered.said or (job.late and job.deadline is not None):
        return (yield from _others(job, ladder, gathered))
    best = believed(ladder, gathered.said)
    yield from show(best.said)
    said = tuple((each.call, answer_key(each.reply, runner=ladder.runner)) for each in gathered.said)
    return Answer(best.said.call, best.said.model.ref, best.said.reply, best.probability, said=said)


def believed(ladder: Ladder, said: list[Said]) -> Belief:
    """Return the most probable answer, by agreement and by what the signals read from each."""
    learned = None if ladder.weigh is None else ladder.weigh(ladder.payload, [(each.model.ref, spoken(each)) for each in said])
    if learned is not None:
        best, probability = learned
        return Belief(spoken(said[best]), probability, said[best])
    votes = _votes(ladder, said)
    beliefs = posterior(votes)
    key = max(beliefs, key=lambda each: beliefs[each])
    speaker = max(
        (each for each, vote in zip(said, votes, strict=True) if vote.key == key), key=lambda each: ladder.accuracy[each.model.ref]
    )
    return Belief(key, beliefs[key], speaker)


def spoken(said: Said) -> str:
    """Return an answer as text; tool calls in the form in which they are compared."""
    return answer_key(said.reply) if said.reply.tool_calls else said.reply.text


def _votes(ladder: Ladder, said: list[Said]) -> list[Vote]:
    return [
        Vote(each.model.ref, answer_key(each.reply, runner=ladder.runner), shifted(ladder.accuracy[each.model.ref], _read(ladder, each)))
        for each in said
    ]


def _read(ladder: Ladder, said: Said) -> float:
    draft = Drafted(ladder.payload, said.reply, said.model)
    return sum(value for value in (signal(draft) for signal in ladder.signals) if value is not None)


def _step(job: Job, ladder: Ladder, model: ModelDefinition) -> Generator[Command, Event | None, Gathered]:
    limit = job.limit(others=True)
    payload = ladder.payload
    if ladder.samples > 1:
        payload = dataclasses.replace(payload, parameters={"temperature": 0.7, **payload.parameters})
    starts = [
        Start(
            next(job.numbers), model.ref,
            live=job.live, role="draft", timeout_s=limit - job.clock.monotonic(),
            payload=payload if ladder.samples > 1 else None,
        )
        for _ in range(ladder.samples)
    ]  # fmt: skip
    return (yield from gather(job, [(model, start) for start in starts], until=limit, enough=lambda _said, _running: False))


def _accepted(job: Job, ladder: Ladder, said: list[Said], *, rest: tuple[ModelDefinition, ...]) -> Generator[Command, Event | None, bool]:
    """Tell whether the best answer so far is good enough to stop."""
    if not rest or _too_late(job, rest[0]):
        return True
    best = believed(ladder, said)
    probability = best.probability
    if ladder.stops:
        return probability >= ladder.stops[len(ladder.models) - len(rest) - 1]
    if ladder.judge is not None and ladder.value_usd is None and ladder.threshold > probability >= ladder.threshold - 0.3:
        probability = yield from _judged(job, ladder, best)
    if ladder.value_usd is None:
        return probability >= ladder.threshold
    then = expected_best(_votes(ladder, said), rest[0].ref, accuracy=ladder.accuracy[rest[0].ref])
    return ladder.value_usd * (then - probability) <= ladder.cost_usd.get(rest[0].ref, 0.0)


def _judged(job: Job, ladder: Ladder, best: Belief) -> Generator[Command, Event | None, float]:
    assert ladder.judge is not None
    limit = job.limit(others=True)
    question = grade_payload(ladder.payload, best.said.reply.text or best.key)
    start = Start(next(job.numbers), ladder.judge.ref, role="judge", payload=question, timeout_s=limit - job.clock.monotonic())
    done = yield from one_call(job, start, limit=limit)
    grade = None if done.reply is None else graded(done.reply.text)
    # The judge knows the answer and the model's history does not: both count the same.
    return best.probability if grade is None else (best.probability + grade) / 2


def _too_late(job: Job, following: ModelDefinition) -> bool:
    if job.deadline is None or following.latency.p95_s is None:
        return False
    return job.clock.monotonic() + following.latency.p95_s > job.deadline


def _others(job: Job, ladder: Ladder, gathered: Gathered) -> Flow:
    asked = {model.ref for model in ladder.models}
    rest = tuple(model for model in job.candidates if model.ref not in asked)
    failure = Failure(tuple(gathered.errors), tuple(gathered.refusals), deadline=job.late)
    if job.late or not rest:
        return failure
    result = yield from fallback(dataclasses.replace(job, candidates=rest))
    return result if isinstance(result, Answer) else joined(failure, result)
