"""The ledger's decisions, made again by another strategy."""

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

_DRAWS: Final = 100  # of a strategy that draws and does not say its chances; the error of a chance is at most 0.05


@dataclass(frozen=True, slots=True)
class _Recorded:
    """Reads the profile that was recorded, since the text may not be kept (rule 13)."""

    profile: RequestProfile

    def classify(self, request: RoutingRequest) -> RequestProfile:  # noqa: ARG002 - it was read when the decision was made
        return self.profile


@dataclass(slots=True)
class _Noting:
    """Lets a strategy choose among the models that were candidates then, and notes how likely each was."""

    strategy: Strategy
    candidates: frozenset[ModelRef]
    chances: Mapping[str, float] = field(default_factory=dict[str, float])

    def choose(self, context: RoutingContext, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:
        were = eligible.copy()
        for at, ref in enumerate(context.model_table.candidates):
            were[at] &= ref in self.candidates or ref.model in self.candidates
        if not were.any():
            return self.strategy.choose(context, scores, eligible=eligible, rng=rng)
        choice = self.strategy.choose(context, scores, eligible=were, rng=rng)
        refs = context.model_table.candidates
        if choice.chances is not None:
            self.chances = {refs[at]: chance for at, chance in choice.chances.items() if chance > 0}
        elif choice.propensity == 1.0:
            self.chances = {refs[choice.order[0]]: 1.0}
        else:
            drawn = [self.strategy.choose(context, scores, eligible=were, rng=rng).order[0] for _ in range(_DRAWS)]
            self.chances = {refs[at]: drawn.count(at) / _DRAWS for at in set(drawn)}
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
    """Estimate what a strategy would have got on the logged decisions that have a reward.

    Learning strategies are judged with what they know today. Decisions of cascades and parallel runs, and those that a caller or
    an operator fixed, are left out.

    Raises:
        ConfigurationError: The strategy or a parameter is not known.
        NoOverlapError: The log says too little of it.
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
    """Return how likely a strategy calls each model for a logged decision; nothing where it has no candidate."""
    candidates = frozenset(row.model for row in decision.table.candidates() if not row.rejections)
    noting = _Noting(strategy, candidates)
    rules = dataclasses.replace(pipeline.rules, strategy_name="replay", strategy=noting, task_strategies={}, experiment=None)
    again = dataclasses.replace(pipeline, classifier=_Recorded(decision.profile), rules=rules, rng=random.Random(decision.id))  # noqa: S311 - no secret
    request = dataclasses.replace(decision.request, strategy=None, willingness_to_pay=None, messages=())
    try:
        again.decide(request, pool=pool, snapshot=snapshot, now=decision.at, executing=False)
    except NoCandidateError:
        return {}
    return noting.chances
