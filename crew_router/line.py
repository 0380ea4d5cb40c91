"""The line up to the decision: classify → predict → filter → score → choose → select. Pure, no I/O."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING

from crew_router.classify.protocol import Classifier
from crew_router.errors import NoCandidateError
from crew_router.types import Evidence, Mode, ModelDefinition, ModelRef, Rejection, RoutingDecision, RoutingRequest, Snapshot, TaskType

if TYPE_CHECKING:
    from crew_router.columns import Columns, Flags
    from crew_router.situation import Situation, TaskPreference, Weights
    from crew_router.strategies import Choice, Strategy


@dataclass(frozen=True, slots=True)
class Pool:
    """The models of one registry version, as values and as arrays; ``reachable`` tells where a call could be made."""

    models: tuple[ModelDefinition, ...]
    columns: Columns
    reachable: Flags
    version: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says about deciding."""

    weights: Weights
    preferences: Mapping[TaskType, TaskPreference]
    strategy_name: str
    strategy: Strategy
    project: str
    policy_version: str
    _: KW_ONLY
    task_strategies: Mapping[TaskType, tuple[str, Strategy]] = field(default_factory=dict[TaskType, "tuple[str, Strategy]"])
    limits_usd: Mapping[str, float] = field(default_factory=dict[str, float])
    unpriced_allowed: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """Decides; every random choice comes from ``rng``."""

    classifier: Classifier
    rules: Rules
    rng: random.Random
    new_id: Callable[[], str]

    def decide(self, request: RoutingRequest, *, pool: Pool, snapshot: Snapshot, now: float, executing: bool) -> RoutingDecision:
        """Pick a model and its fallbacks for one request.

        Args:
            request: What is asked, with its text.
            pool: The models.
            snapshot: The shared numbers.
            now: Seconds since the epoch.
            executing: Whether the choice will be called, so that unreachable models are out.

        Raises:
            NoCandidateError: Every model was removed; the error lists each with what removed it.
        """
        from crew_router.filters import surviving  # noqa: PLC0415 - numpy comes when first needed
        from crew_router.scoring import score  # noqa: PLC0415

        situation = self._situation(request, pool=pool, snapshot=snapshot, now=now, executing=executing)
        eligible = surviving(situation)
        if not eligible.any():
            raise _nobody(situation)
        scores = score(situation)
        name, strategy = self._strategy(situation)
        choice = strategy.choose(situation, scores, eligible=eligible, rng=self.rng)
        return self._decision(situation, name, choice=pinned(choice, situation, eligible), scores=scores, eligible=eligible)

    def _situation(self, request: RoutingRequest, *, pool: Pool, snapshot: Snapshot, now: float, executing: bool) -> Situation:
        from crew_router.predict.forecast import forecast  # noqa: PLC0415
        from crew_router.situation import Situation  # noqa: PLC0415

        profile = self.classifier.classify(request)
        return Situation(
            request,
            profile,
            pool.models,
            pool.columns,
            forecast(profile, pool.columns, models=pool.models, snapshot=snapshot),
            snapshot,
            reachable=pool.reachable,
            executing=executing,
            now=now,
            weights=self.rules.weights,
            preferences=self.rules.preferences,
            limits_usd={**self.rules.limits_usd, **{scope: left / 1e9 for scope, left in snapshot.spend_left_nano.items()}},
            unpriced_allowed=self.rules.unpriced_allowed,
        )

    def _strategy(self, situation: Situation) -> tuple[str, Strategy]:
        asked = situation.request.strategy or ("utility" if situation.request.willingness_to_pay is not None else None)
        if asked is not None and asked != self.rules.strategy_name:
            from crew_router.strategies import make_strategy  # noqa: PLC0415

            return asked, make_strategy(asked)
        return self.rules.task_strategies.get(situation.profile.task_type.value, (self.rules.strategy_name, self.rules.strategy))

    def _decision(self, situation: Situation, strategy: str, *, choice: Choice, scores: object, eligible: Flags) -> RoutingDecision:
        from crew_router.scoring import Scores  # noqa: PLC0415
        from crew_router.selection import select  # noqa: PLC0415
        from crew_router.table import LiveTable  # noqa: PLC0415

        assert isinstance(scores, Scores)
        selection = select(situation, choice.order)
        at, refs = selection.selected, situation.columns.refs
        return RoutingDecision(
            self.new_id(),
            refs[at],
            tuple(refs[place] for place in selection.fallbacks),
            mode=Mode.SINGLE,
            models=(refs[at],),
            judge=None,
            strategy=strategy,
            request=situation.request,
            profile=situation.profile,
            cost=situation.forecast.cost_of(situation.columns, at),
            latency=situation.forecast.latency_of(situation.columns, at),
            score=float(scores.score[at]),
            confidence=float(situation.forecast.success[at]),
            propensity=choice.propensity,
            policy_version=self.rules.policy_version,
            project=situation.request.project or self.rules.project,
            at=situation.now,
            draw=choice.draw,
            table=LiveTable(situation, scores, eligible, (*choice.notes, *_warnings(situation, at))),
        )


def pinned(choice: Choice, situation: Situation, eligible: Flags) -> Choice:
    """Put a forced model first (``CONTRACT.md``: scoring is skipped, hard constraints are not).

    Raises:
        NoCandidateError: The forced model does not satisfy a hard constraint.
    """
    forced = situation.request.force_model
    if forced is None:
        return choice
    at = situation.columns.refs.index(ModelRef(forced))
    if not eligible[at]:
        raise _nobody(situation, only=at)
    note = Evidence("force_model", f"the caller asked for {forced}", 1.0, situation.now)
    return replace(choice, order=(at, *(place for place in choice.order if place != at)), propensity=1.0, notes=(*choice.notes, note))


def _warnings(situation: Situation, at: int) -> Iterator[Evidence]:
    ref = situation.columns.refs[at]
    if not situation.executing and not situation.reachable.any():
        yield Evidence("reachable", "no model is reachable from here; the advice assumes that keys and servers exist", 0.0, situation.now)
    if situation.models[at].price is None:
        yield Evidence("cost", f"{ref} has no price; cost constraints passed it unchecked", 0.0, situation.now)
    if not situation.columns.measured_for(situation.profile.task_type.value)[at]:
        yield Evidence("registry", f"the quality of {ref} is unmeasured; a prior of its tier stands in", 0.0, situation.now)


def _nobody(situation: Situation, only: int | None = None) -> NoCandidateError:
    from crew_router.filters import rejections  # noqa: PLC0415

    places = range(len(situation.models)) if only is None else (only,)
    table = {situation.columns.refs[at]: rejections(situation, at) for at in places}
    return NoCandidateError(table, nearest=_nearest(table))


def _nearest(table: Mapping[ModelRef, tuple[Rejection, ...]]) -> str:
    misses = [(len(why), ref, why) for ref, why in table.items()]
    if not misses:
        return ""
    _, ref, why = min(misses)
    cures = " and ".join(reason.cure for reason in why if reason.cure)
    return f"Nearest miss: {cures}, and {ref} qualifies." if cures else ""
