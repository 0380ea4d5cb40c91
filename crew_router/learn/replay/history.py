"""Make the ledger's decisions again with another strategy, and estimate how it would have done."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from crew_router.errors import NoCandidateError
from crew_router.learn.replay.estimators import Logged, OffPolicy, estimate
from crew_router.types import Mode, ModelRef, Snapshot

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.pipeline import DecisionPipeline
    from crew_router.decide.rules import Pool
    from crew_router.decide.score import Scores
    from crew_router.decide.strategies import Choice, Strategy
    from crew_router.types import RequestProfile, RoutingDecision, RoutingRequest
    from crew_router.types.arrays import Flags

_DRAWS: Final = 100  # to estimate the chances of a strategy that does not state them; their standard error is at most 0.05


@dataclass(frozen=True, slots=True)
class _RecordedProfile:
    """A classifier that returns the recorded profile, since the text may not have been kept (rule 13)."""

    profile: RequestProfile

    def classify(self, request: RoutingRequest) -> RequestProfile:  # noqa: ARG002 - it was read when the decision was made
        return self.profile


@dataclass(slots=True)
class _RecordingStrategy:
    """Lets a strategy choose among the models that were candidates then, and keeps the probability of each."""

    strategy: Strategy
    candidates: frozenset[ModelRef]
    chances: Mapping[str, float] = field(default_factory=dict[str, float])

    def choose(self, context: RoutingContext, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:
        candidates_then = eligible.copy()
        for index, ref in enumerate(context.model_table.candidates):
            candidates_then[index] &= ref in self.candidates or ref.model in self.candidates
        if not candidates_then.any():
            return self.strategy.choose(context, scores, eligible=eligible, rng=rng)
        choice = self.strategy.choose(context, scores, eligible=candidates_then, rng=rng)
        refs = context.model_table.candidates
        if choice.chances is not None:
            self.chances = {refs[index]: chance for index, chance in choice.chances.items() if chance > 0}
        elif choice.propensity == 1.0:
            self.chances = {refs[choice.order[0]]: 1.0}
        else:
            drawn = [self.strategy.choose(context, scores, eligible=candidates_then, rng=rng).order[0] for _ in range(_DRAWS)]
            self.chances = {refs[index]: drawn.count(index) / _DRAWS for index in set(drawn)}
        return choice


def judge(
    logged: Iterable[tuple[RoutingDecision, float | None]],
    name: str,
    parameters: Mapping[str, object],
    *,
    pipeline: DecisionPipeline,
    pool: Pool,
    snapshot: Snapshot,
) -> OffPolicy:
    """Estimate the mean reward that a strategy would have had on the logged decisions that have one.

    Strategies that learn use what they have learnt until today. Decisions of cascades and parallel runs, and those where a
    model was forced, are left out.

    Raises:
        ConfigurationError: The strategy or a parameter is not known.
        NoOverlapError: The log cannot support an estimate for it.
    """
    from crew_router.decide.strategies import make_strategy  # numpy comes when first needed

    strategy = make_strategy(name, parameters)
    log: list[Logged] = []
    for decision, reward in logged:
        if reward is None or decision.mode is not Mode.SINGLE or decision.request.force_model is not None:
            continue
        chances = chances_of(pipeline, strategy, decision, pool=pool, snapshot=snapshot)
        if chances:
            log.append(Logged(decision.profile.task_type.value, decision.candidate, decision.propensity, reward, chances))
    return estimate(log)


def chances_of(
    pipeline: DecisionPipeline, strategy: Strategy, decision: RoutingDecision, *, pool: Pool, snapshot: Snapshot
) -> Mapping[str, float]:
    """Return the probability with which a strategy calls each model for a logged decision; empty when it has no candidate."""
    candidates = frozenset(row.model for row in decision.table.candidates() if not row.rejections)
    recording = _RecordingStrategy(strategy, candidates)
    rules = dataclasses.replace(pipeline.rules, strategy_name="replay", strategy=recording, task_strategies={}, experiment=None)
    replayed = dataclasses.replace(pipeline, classifier=_RecordedProfile(decision.profile), rules=rules, rng=random.Random(decision.id))  # noqa: S311 - no secret
    request = dataclasses.replace(decision.request, strategy=None, willingness_to_pay=None, messages=())
    try:
        replayed.decide(request, pool=pool, snapshot=snapshot, now=decision.at, executing=False)
    except NoCandidateError:
        return {}
    return recording.chances
