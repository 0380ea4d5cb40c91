"""The steps of one decision: classify, ask the policies, predict, filter, score, choose, select. No I/O."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.choose import Chosen, choose, strategy_of
from crew_router.decide.classify.lengths import count_tokens
from crew_router.decide.classify.protocol import Classifier
from crew_router.decide.conditions import ORDINARY, RuntimeConditions
from crew_router.decide.context import RoutingContext
from crew_router.decide.filter import reaches_any
from crew_router.decide.learned.options import options_for
from crew_router.decide.policies import apply_policies
from crew_router.decide.predict.cache_savings import saved_usd
from crew_router.decide.predict.forecast import forecast
from crew_router.decide.rules import Pool, Rules
from crew_router.decide.score import Scores, score
from crew_router.decide.score_table import ScoreTable
from crew_router.decide.select import pareto
from crew_router.decide.select.mode import Selection
from crew_router.types import CandidateRow, CostPrediction, Evidence, Mode, RoutingDecision, RoutingRequest, Snapshot

if TYPE_CHECKING:
    from crew_router.decide.strategies import Choice, Strategy

ACCEPTS_RIGHT: Final = 0.85  # guess, not measured: share of right answers of a step that are accepted
ACCEPTS_WRONG: Final = 0.5  # guess, not measured: share of wrong ones
_NANO: Final = 1e9
_PERSONAL: Final = {"run": "run_id", "session": "session_id", "user": "user_id"}


@dataclass(frozen=True, slots=True)
class DecisionPipeline:
    """Decides; every random choice comes from ``rng``, every id from ``new_id``."""

    classifier: Classifier
    rules: Rules
    rng: random.Random
    new_id: Callable[[], str]

    def decide(
        self,
        request: RoutingRequest,
        *,
        pool: Pool,
        snapshot: Snapshot,
        now: float,
        executing: bool,
        conditions: RuntimeConditions = ORDINARY,
    ) -> RoutingDecision:
        """Pick a model and its fallbacks for one request.

        Args:
            request: What is asked, with its text.
            pool: The models.
            snapshot: The shared numbers.
            now: Seconds since the epoch.
            executing: Whether the choice will be called, so that unreachable models are out.
            conditions: Overrides, and what happened earlier in this session or run.

        Raises:
            NoCandidateError: Every model was removed; the error lists each with what removed it.
        """
        context = self.context(request, pool=pool, snapshot=snapshot, now=now, executing=executing, conditions=conditions)
        scores = score(context)
        name, strategy = strategy_of(self.rules, context)
        chosen = choose(context, scores, strategy, rng=self.rng, implicit=self.rules.implicit_parallel)
        return self._decision(context, name, strategy=strategy, scores=scores, chosen=chosen)

    def frontier(
        self, request: RoutingRequest, *, pool: Pool, snapshot: Snapshot, now: float, conditions: RuntimeConditions = ORDINARY
    ) -> tuple[CandidateRow, ...]:
        """Return the candidates that no other beats in cost, latency and P(success) at once, the cheapest first.

        Raises:
            NoCandidateError: No model satisfies the request.
        """
        return pareto.frontier(self.decide(request, pool=pool, snapshot=snapshot, now=now, executing=False, conditions=conditions))

    def context(
        self, request: RoutingRequest, *, pool: Pool, snapshot: Snapshot, now: float, executing: bool, conditions: RuntimeConditions
    ) -> RoutingContext:
        """Classify, ask the policies, and predict."""
        rules = self.rules
        profile = self.classifier.classify(request)
        policy_result = apply_policies(rules.policies, request, profile, now=now)
        predicted = None if rules.predictor is None else rules.predictor.predict(request, profile, model_table=pool.model_table)
        limits, by_provider = _hard_limits(rules, request, snapshot, conditions=conditions, now=now)
        tokens_in = profile.input_tokens.value
        saved = saved_usd(
            conditions.warm, pool.model_table, models=pool.model_table.models, snapshot=snapshot, tokens_in=tokens_in, now=now
        )
        if policy_result.cost_cap is not None:
            limits = {**limits, policy_result.cost_cap.who: policy_result.cost_cap.value}
        return RoutingContext(
            request,
            profile,
            pool.model_table.models,
            pool.model_table,
            forecast(
                profile,
                pool.model_table,
                models=pool.model_table.models,
                snapshot=snapshot,
                now=now,
                predicted=predicted,
                saved=saved,
                counted=count_tokens(request, profile, pool.tokenizers) if pool.tokenizers else None,
            ),
            snapshot,
            reachable=pool.reachable,
            obstacles=pool.obstacles,
            executing=executing,
            now=now,
            weights=rules.weights,
            preferences=rules.preferences,
            limits_usd=limits,
            provider_limits_usd=by_provider,
            cost_scale_usd=rules.cost_scale_usd,
            unpriced_allowed=rules.unpriced_allowed,
            policy_result=policy_result,
            conditions=conditions,
            optimize=rules.optimize,
            waiting_usd_per_s=rules.waiting_usd_per_s.get(profile.urgency.value, 0.0),
            provider_multiplier=rules.provider_multiplier,
            capacity_factor=rules.capacity_factor,
            escalation=rules.escalation,
            plans=() if rules.learned is None else options_for(rules.learned, request, refs=pool.model_table.candidates, snapshot=snapshot),
        )

    def _decision(self, context: RoutingContext, name: str, *, strategy: Strategy, scores: Scores, chosen: Chosen) -> RoutingDecision:
        choice, selection = chosen.choice, chosen.selection
        at, refs, predicted = selection.selected, context.model_table.candidates, context.forecast
        stops = _stops(choice, selection)
        expected = choice.expects if stops and choice.expects is not None else (predicted.success_of(at), None)
        cost = predicted.cost_of(at) if selection.mode is not Mode.PARALLEL else _sum_of(context, selection)
        if selection.mode is Mode.CASCADE and expected[1] is None:
            cost, right = _cascade_of(context, selection.models)
            expected = right, None
        warnings = (*choice.notes, *selection.notes, *_warnings(context, at))
        return RoutingDecision(
            self.new_id(),
            context.model_table.refs[at],
            tuple([refs[place] for place in selection.fallbacks]),
            effort=context.model_table.efforts[at],
            mode=selection.mode,
            models=(refs[at],) if selection.mode is Mode.SINGLE else tuple([refs[place] for place in selection.models]),
            judge=None if selection.judge is None else refs[selection.judge],
            strategy=name,
            request=context.request,
            profile=context.profile,
            cost=cost if expected[1] is None else replace(cost, expected_usd=expected[1], source="learned plan"),
            latency=predicted.latency_of(at),
            score=scores.score_of(at),
            confidence=expected[0],
            propensity=choice.propensity,
            policy_version=self.rules.policy_version,
            project=context.request.project or self.rules.project,
            at=context.now,
            draw=choice.draw,
            stops=stops,
            effects=context.policy_result.effects,
            approval=context.policy_result.approval,
            table=ScoreTable(
                context,
                scores,
                chosen.eligible,
                warnings,
                order=choice.order,
                selected=at,
                redecide=_Redecide(scores, strategy, self.rules.implicit_parallel) if choice.propensity == 1.0 else None,
                steady=choice.steady and context.request.tier is None,
            ),
        )


def _hard_limits(
    rules: Rules, request: RoutingRequest, snapshot: Snapshot, *, conditions: RuntimeConditions, now: float
) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Return what is left of every budget that this request counts against, and of those of single providers, in USD."""
    override, left = conditions.override, snapshot.spend_left_nano
    limits: dict[str, float] = {}
    by_provider: dict[str, float] = {}
    for name, limit_usd in rules.budgets_usd.items():
        field = _PERSONAL.get(name)
        whose = None if field is None else getattr(request, field)
        if field is not None and whose is None:
            continue
        key = name if field is None else f"{name}:{whose}"
        known = left.get(key)
        usd = limit_usd if known is None else known / _NANO
        if name.startswith("provider:"):
            by_provider[name.partition(":")[2]] = usd
        else:
            limits[f"budgets.{name}"] = usd
    if override.cost_ceiling_usd is not None and override.holds(now):
        limits["the operator's cost ceiling"] = override.cost_ceiling_usd
    return limits, by_provider


@dataclass(frozen=True, slots=True)
class _Redecide:
    """Decides a changed situation by the scores of the first, for choices in which chance had no part."""

    scores: Scores
    strategy: Strategy
    implicit: bool

    def __call__(self, context: RoutingContext) -> tuple[int, ...]:
        unused = random.Random(0)  # noqa: S311 - nothing is drawn from it
        return choose(context, self.scores, self.strategy, rng=unused, implicit=self.implicit).choice.order


def _stops(choice: Choice, selection: Selection) -> tuple[float, ...]:
    """Return the stop rule of a learned cascade, of the steps that the budget left; nothing where another plan was taken."""
    steps = len(selection.models)
    kept = selection.mode is Mode.CASCADE and tuple(selection.models) == choice.ladder[:steps]
    return choice.stops[:steps] if kept else ()


def _sum_of(context: RoutingContext, selection: Selection) -> CostPrediction:
    """Return the cost of a parallel run: that of its models and of the judge together, unknown as soon as one is."""
    places = selection.models if selection.judge is None else (*selection.models, selection.judge)
    parts = [context.forecast.cost_of(at) for at in places]
    known = all(part.expected_usd is not None for part in parts)
    return replace(
        parts[0],
        min_usd=sum(part.min_usd or 0.0 for part in parts) if known else None,
        expected_usd=sum(part.expected_usd or 0.0 for part in parts) if known else None,
        max_usd=sum(part.max_usd or 0.0 for part in parts) if known else None,
        source=f"sum over {len(places)} calls; {parts[0].source}",
    )


def _cascade_of(context: RoutingContext, steps: tuple[int, ...]) -> tuple[CostPrediction, float]:
    """Return what a cascade is expected to cost, from its first step alone to all of them, and P(success) of its answer.

    Steps are taken to be right independently of one another; how often a check accepts an answer is a guess.
    """
    parts = [context.forecast.cost_of(at) for at in steps]
    reached, right, usd = 1.0, 0.0, 0.0
    for at, part in zip(steps, parts, strict=True):
        chance, last = context.forecast.success_of(at), at == steps[-1]
        usd += reached * (part.expected_usd or 0.0)
        right += reached * (chance if last else chance * ACCEPTS_RIGHT)
        reached *= 1.0 - chance * ACCEPTS_RIGHT - (1.0 - chance) * ACCEPTS_WRONG
    known = all(part.expected_usd is not None for part in parts)
    return replace(
        parts[0],
        expected_usd=usd if known else None,
        max_usd=sum(part.max_usd or 0.0 for part in parts) if known else None,
        source=f"all {len(parts)} steps by the chance that they are called; {parts[0].source}",
    ), right


def _warnings(context: RoutingContext, at: int) -> Iterator[Evidence]:
    ref, model_table = context.model_table.candidates[at], context.model_table
    if not context.executing and not reaches_any(context):
        yield Evidence("reachable", "no model is reachable from here; the advice assumes that keys and servers exist", 0.0, context.now)
    if context.models[at].price is None:
        yield Evidence("cost", f"{ref} has no price; cost constraints passed it unchecked", 0.0, context.now)
    if not model_table.measured_for(context.profile.task_type.value)[at]:
        said = "is unmeasured; what is known of such models stands in, an error below"
        yield Evidence("registry", f"the quality of {ref} {said}", 0.0, context.now)
    if context.forecast.outlook.guessed[at]:
        detail = f"nobody measured the speed of {ref}; that of other models stands in ({context.forecast.latency[at]:.1f} s)"
        yield Evidence("latency", detail, 0.0, context.now)
    if np.isnan(model_table.context_window[at]):
        yield Evidence("context", f"{ref} states no context window; whether the input fits was not checked", 0.0, context.now)
    yield from _affinity(context, at)
    for effect in context.policy_result.effects:
        yield Evidence("policy", f"{effect.policy} ({effect.order}): {effect.effect} {effect.value}", 0.0, context.now)


def _affinity(context: RoutingContext, at: int) -> Iterator[Evidence]:
    """Say what a session's prompt caches are worth, kept or left."""
    saved = context.forecast.saved
    for place in () if saved is None else np.flatnonzero(saved):
        ref, usd = context.model_table.candidates[place], float(saved[place]) if saved is not None else 0.0
        kept = "it is taken off its cost" if place == at else f"{context.model_table.candidates[at]} is chosen all the same"
        yield Evidence("affinity", f"the prompt cache of {ref} saves ${usd:.6f} of this session's history; {kept}", usd, context.now)
