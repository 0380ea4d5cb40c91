"""Several models at once and one answer from them (requirement A11)."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import KW_ONLY, dataclass

from crew_router.execute.flows.call import one_call
from crew_router.execute.flows.fallback import fallback
from crew_router.execute.flows.panel import Gathered, Said, gather, show
from crew_router.execute.job import Job
from crew_router.execute.policy import ConsensusMethod
from crew_router.execute.posterior import Vote, posterior
from crew_router.execute.protocol import Answer, Command, Event, Failure, Flow, Start
from crew_router.execute.signals.judged import choice_payload, chosen
from crew_router.types.canonical_answer import CodeRunner, answer_key
from crew_router.types.model import ModelDefinition
from crew_router.types.transport import Payload
from crew_router.types.vocabulary import ModelRef


@dataclass(frozen=True, slots=True)
class Panel:
    """Who answers at once, and how one answer is chosen.

    Args:
        models: The members, of different vendors where possible.
        method: How the answer is chosen.
        payload: What they are asked.
        judge: A model outside the members that chooses, for the method ``judge``.
        accuracy: Chance 0..1 of each model of being right.
        timeout_s: Most seconds that members are waited for.
        runner: Runs code answers on given tests, if any.
    """

    models: tuple[ModelDefinition, ...]
    method: ConsensusMethod
    _: KW_ONLY
    payload: Payload
    judge: ModelDefinition | None
    accuracy: Mapping[ModelRef, float]
    timeout_s: float
    runner: CodeRunner | None = None


def consensus(job: Job, panel: Panel) -> Flow:
    """Ask all members, choose one answer; other models are tried when no member gives any.

    A stream starts after the verdict.
    """
    until = min(job.limit(others=False), job.clock.monotonic() + panel.timeout_s)
    timeout_s = until - job.clock.monotonic()
    starts = [(model, Start(next(job.numbers), model.ref, live=job.live, role="vote", timeout_s=timeout_s)) for model in panel.models]
    gathered = yield from gather(job, starts, until=until, enough=lambda said, running: _enough(said, running, panel))
    if not gathered.said:
        return (yield from _others(job, panel, gathered))
    best, confidence = yield from _verdict(job, panel, gathered.said)
    yield from show(best)
    said = tuple(zip((each.call for each in gathered.said), keyed(gathered.said, panel.runner), strict=True))
    return Answer(best.call, best.model.ref, best.reply, confidence, said=said)


def keyed(said: list[Said], runner: CodeRunner | None = None) -> list[str]:
    """Return what each member answers, equal for equal answers."""
    return [answer_key(each.reply, runner=runner) for each in said]


def _enough(said: list[Said], running: int, panel: Panel) -> bool:
    if panel.method is ConsensusMethod.FIRST_SUCCESS:
        return True
    if panel.method is not ConsensusMethod.VOTING:
        return False
    votes = [count for _, count in Counter(keyed(said, panel.runner)).most_common(2)]
    return votes[0] - (votes[1] if len(votes) > 1 else 0) > running


def _verdict(job: Job, panel: Panel, said: list[Said]) -> Generator[Command, Event | None, tuple[Said, float | None]]:
    if panel.method is ConsensusMethod.FIRST_SUCCESS:
        return said[0], None
    keys = keyed(said, panel.runner)
    beliefs = posterior([Vote(each.model.ref, key, panel.accuracy[each.model.ref]) for each, key in zip(said, keys, strict=True)])
    if panel.method is ConsensusMethod.JUDGE and len(set(keys)) > 1 and panel.judge is not None:
        judged = yield from _judged(job, panel, said)
        if judged is not None:
            return judged, max(beliefs[keys[said.index(judged)]], panel.accuracy.get(panel.judge.ref, 0.0))
    by_votes = panel.method is ConsensusMethod.VOTING
    best = _most_votes(keys, said, panel) if by_votes else max(beliefs, key=lambda key: beliefs[key])
    return _speaker(best, keys, said=said, panel=panel), beliefs[best]


def _judged(job: Job, panel: Panel, said: list[Said]) -> Generator[Command, Event | None, Said | None]:
    assert panel.judge is not None
    question, order = choice_payload(panel.payload, [each.reply.text or answer_key(each.reply) for each in said], rng=job.rng)
    limit = min(job.limit(others=False), job.clock.monotonic() + panel.timeout_s)
    start = Start(next(job.numbers), panel.judge.ref, role="judge", payload=question, timeout_s=limit - job.clock.monotonic())
    done = yield from one_call(job, start, limit=limit)
    at = None if done.reply is None else chosen(done.reply.text, order)
    return None if at is None else said[at]


def _most_votes(keys: list[str], said: list[Said], panel: Panel) -> str:
    """Return the answer with most votes; of equal ones that of the better models."""
    weight: dict[str, float] = {}
    for key, each in zip(keys, said, strict=True):
        weight[key] = weight.get(key, 0.0) + panel.accuracy[each.model.ref]
    counts = Counter(keys)
    return max(counts, key=lambda key: (counts[key], weight[key]))


def _speaker(key: str, keys: list[str], *, said: list[Said], panel: Panel) -> Said:
    """Return the best of the members that gave an answer."""
    return max((each for each, own in zip(said, keys, strict=True) if own == key), key=lambda each: panel.accuracy[each.model.ref])


def _others(job: Job, panel: Panel, gathered: Gathered) -> Flow:
    members = {model.ref for model in panel.models}
    rest = tuple(model for model in job.candidates if model.ref not in members)
    failure = Failure(tuple(gathered.errors), tuple(gathered.refusals), deadline=job.late)
    if job.late or not rest:
        return failure
    result = yield from fallback(dataclasses.replace(job, candidates=rest))
    return result if isinstance(result, Answer) else joined(failure, result)


def joined(first: Failure, then: Failure) -> Failure:
    """Return two failures as one."""
    return Failure((*first.errors, *then.errors), (*first.refusals, *then.refusals), fatal=then.fatal, deadline=then.deadline)
