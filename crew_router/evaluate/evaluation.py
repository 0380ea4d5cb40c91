"""Run the real router over an outcome file at many settings of willingness to pay ("the dial"), beside baselines."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.learned.cascade_table import settings_for
from crew_router.decide.learned.curve import CurvePoint, StrongShare, aiq, apgr, cost_for, cpt
from crew_router.errors import CrewRouterError
from crew_router.evaluate.baselines import ADEQUATE, Baseline, baselines, best_single, singles
from crew_router.evaluate.outcomes import OutcomeTable
from crew_router.testing.recorded import RecordedModel, RecordedOutcome
from crew_router.types import Latency, ModelCapability, ModelDefinition, ModelRef, Price, RoutingRequest
from crew_router.types.clock import SystemClock

if TYPE_CHECKING:
    from crew_router.router.router import Router
    from crew_router.types import RoutedResponse

PROVIDER: Final = "recorded"
_TOKENS: Final = 200.0  # tokens of an answer as the classifier expects it; so a recording's list price is right on average
_TWO_MODELS: Final = 2


@dataclass(frozen=True, slots=True)
class Routed:
    """One prompt at one setting.

    Args:
        setting: Willingness to pay, USD a right answer.
        id: Name of the prompt.
        models: The models called, in order.
        answered_by: The model whose answer was taken; ``None`` when all failed.
        score: Score of that answer, 0..1.
        cost_usd: Cost of all calls together.
        confidence: Probability, 0..1, given to the answer; ``None`` where none was.
        latency_s: Time of all calls, one after another.
        promised: Probability of being right that was expected before any call.
    """

    setting: float
    id: str
    models: tuple[str, ...]
    answered_by: str | None
    score: float
    cost_usd: float
    _: KW_ONLY
    confidence: float | None = None
    latency_s: float = 0.0
    promised: float | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """The result of one setting of the dial.

    Args:
        worth_usd: The setting: USD that a right answer is worth.
        cost_usd: Mean over all prompts.
        quality: Mean score, 0..1.
        standard_error: Standard error of the quality.
        calls: Mean number of calls.
        escalated: Share of prompts, 0..1, with more than one call.
        confidence: Mean confidence; ``None`` where no answer had one.
        latency_s: Mean over all prompts.
    """

    worth_usd: float
    cost_usd: float
    quality: float
    standard_error: float
    calls: float
    escalated: float
    confidence: float | None
    latency_s: float

    @property
    def point(self) -> CurvePoint:
        """Return cost and quality as a point of the curve."""
        return CurvePoint(self.cost_usd, self.quality)


@dataclass(frozen=True, slots=True)
class Figures:
    """Summary of a curve in comparison with the single models.

    Args:
        aiq: Area under the curve between the costs of the cheapest and the dearest model, as mean quality.
        max_quality: Highest quality of the curve.
        cost_at_95_usd: USD a request at 95 % of the best single model's quality; ``None`` when that is not reached.
        cost_at_100_usd: The same at its whole quality.
    """

    aiq: float
    max_quality: float
    cost_at_95_usd: float | None
    cost_at_100_usd: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of an evaluation.

    Args:
        prompts: Number of prompts.
        models: Names of the models.
        singles: Cost and quality of each model.
        settings: The result of each setting of the dial.
        router: Summary of the router's curve.
        baselines: Each baseline with the summary of its curve.
        apgr: Average performance gap recovered; ``None`` unless there are exactly two models, like the next two.
        cpt_50: Share of calls to the strong model that recovers 50 % of the gap between the two models.
        cpt_80: The same for 80 %.
        decision_p50_s: Median time of a decision.
        decision_p99_s: 99th percentile of the time of a decision.
        rows: Every prompt at every setting.
    """

    prompts: int
    models: tuple[str, ...]
    singles: tuple[CurvePoint, ...]
    settings: tuple[Setting, ...]
    router: Figures
    baselines: tuple[tuple[Baseline, Figures], ...]
    apgr: float | None
    cpt_50: float | None
    cpt_80: float | None
    decision_p50_s: float
    decision_p99_s: float
    rows: tuple[Routed, ...] = field(repr=False)


def figures(points: Sequence[CurvePoint], single: tuple[CurvePoint, ...]) -> Figures:
    """Return the summary of a curve, compared with the single models on the same prompts."""
    best = single[best_single(single)].quality
    costs = [point.cost_usd for point in single]
    return Figures(
        aiq(points, low_usd=min(costs), high_usd=max(costs)),
        max((point.quality for point in points), default=0.0),
        cost_for(points, ADEQUATE * best),
        cost_for(points, best),
    )


def recorded_models(table: OutcomeTable) -> dict[str, ModelDefinition]:
    """Return registry entries for the models of a table: recorded answers, with mean score and mean price as figures."""
    models: dict[str, ModelDefinition] = {}
    for column, name in enumerate(table.models):
        known = [row for row in range(len(table)) if not np.isnan(table.score[row, column])]
        ref = ModelRef(f"{PROVIDER}:{name}")
        models[ref] = ModelDefinition(
            ref,
            provider=PROVIDER,
            model=name,
            price=Price(0.0, float(np.nanmean(table.cost_usd[:, column])) / _TOKENS * 1e6),
            quality=float(np.nanmean(table.score[:, column])),
            capabilities=frozenset({ModelCapability.STREAMING}),
            latency=Latency(ttft_s=0.0),
            source="mean of the outcome file",
            instance=RecordedModel({table.prompts[row]: _recorded(table, row, column) for row in known}),
        )
    return models


def _recorded(table: OutcomeTable, row: int, column: int) -> RecordedOutcome:
    latency = float(table.latency_s[row, column])
    return RecordedOutcome(
        float(table.score[row, column]),
        cost_usd=float(table.cost_usd[row, column]),
        latency_s=None if math.isnan(latency) else latency,
        answer=table.answers[row][column],
    )


def dial(table: OutcomeTable, learned: Sequence[float]) -> tuple[float, ...]:
    """Return the settings to run, USD a right answer: 0, a grid, and one at which every call is worth its price.

    Args:
        table: The outcomes.
        learned: The settings of a trained model, used as the grid; empty to take one from the prices of the table.
    """
    known = table.complete()
    grid = tuple(learned) or tuple(float(worth_usd) for worth_usd in settings_for(known.score, known.cost_usd))
    return (0.0, *grid, 30 * grid[-1])


def open_recorded(table: OutcomeTable, model: Path | None) -> Router:
    """Return a router over the recorded models, with a trained model when one is given; online learning is off."""
    from crew_router.router.router import Router  # slow to import, and only needed here

    learning: dict[str, object] = {"enabled": False} if model is None else {"enabled": False, "model": str(model)}
    config: dict[str, object] = {"registry": "none", "learning": learning, "breaker": {"failures": 1_000_000, "window_calls": 1_000_000}}
    return Router(config, models=recorded_models(table), ledger_url="sqlite://", seed=0)


def evaluate(table: OutcomeTable, router: Router, settings: Sequence[float], *, progress: Callable[[], None] = lambda: None) -> Evaluation:
    """Run a router over every prompt at every setting.

    Args:
        table: The outcomes; rows without a score and a price of every model are left out of the comparison.
        router: A router over :func:`recorded_models`.
        settings: USD that a right answer is worth.
        progress: Called as often as there are settings, at equal steps.
    """
    known = table.complete()
    rows: dict[float, list[Routed]] = {worth: [] for worth in settings}
    seconds: list[float] = []
    steps_done = 0
    # All settings of one prompt together: what a trained model reads from a prompt is kept for the newest prompts only.
    for row in range(len(known)):
        routed_by_plan: dict[tuple[tuple[str, ...], tuple[float, ...]], Routed] = {}
        for worth_usd in settings:
            rows[worth_usd].append(_routed(known, row, router, worth_usd=worth_usd, routed_by_plan=routed_by_plan, seconds=seconds))
        while steps_done < len(settings) * (row + 1) // len(known):
            steps_done += 1
            progress()
    return report(known, [each for routed in rows.values() for each in routed], seconds)


def report(known: OutcomeTable, rows: Sequence[Routed], seconds: Sequence[float]) -> Evaluation:
    """Return the evaluation of routed prompts.

    Args:
        known: The outcomes, complete.
        rows: What the router did with every prompt at every setting.
        seconds: Times of decisions.
    """
    single = singles(known)
    settings = tuple(_settings(rows))
    points = [setting.point for setting in settings]
    pair = _pair(known, rows) if len(known.models) == _TWO_MODELS else None
    return Evaluation(
        len(known),
        known.models,
        single,
        settings,
        figures(points, single),
        tuple((baseline, figures(baseline.points, single)) for baseline in baselines(known)),
        apgr=None if pair is None else pair[0],
        cpt_50=None if pair is None else pair[1],
        cpt_80=None if pair is None else pair[2],
        decision_p50_s=float(np.percentile(seconds, 50)),
        decision_p99_s=float(np.percentile(seconds, 99)),
        rows=tuple(rows),
    )


def _routed(
    table: OutcomeTable,
    row: int,
    router: Router,
    *,
    worth_usd: float,
    routed_by_plan: dict[tuple[tuple[str, ...], tuple[float, ...]], Routed],
    seconds: list[float],
) -> Routed:
    """Decide, and execute the decision unless the same prompt was already answered by the same plan."""
    clock = SystemClock()
    request = RoutingRequest(willingness_to_pay=worth_usd)
    started_s = clock.monotonic()
    decision = router.select_model(RoutingRequest(task_description=table.prompts[row], willingness_to_pay=worth_usd), record=False)
    seconds.append(clock.monotonic() - started_s)
    key = tuple(decision.models), decision.stops
    if key not in routed_by_plan:
        try:
            routed_by_plan[key] = _outcome(table, row, router.invoke(table.prompts[row], request=request))
        except CrewRouterError:
            routed_by_plan[key] = Routed(worth_usd, table.ids[row], tuple(ref.name for ref in decision.models), None, 0.0, 0.0)
    routed = routed_by_plan[key]
    return dataclasses.replace(routed, setting=worth_usd, promised=decision.confidence)


def _outcome(table: OutcomeTable, row: int, response: RoutedResponse) -> Routed:
    called = tuple(attempt.model.name for attempt in response.attempts)
    columns = [table.models.index(name) for name in called]
    return Routed(
        0.0,
        table.ids[row],
        called,
        response.model.name,
        float(table.score[row, table.models.index(response.model.name)]),
        response.cost_usd or 0.0,
        confidence=response.confidence if response.confidence is not None else response.decision.confidence,
        latency_s=float(np.nansum([table.latency_s[row, column] for column in columns])),
    )


def _settings(rows: Sequence[Routed]) -> Iterator[Setting]:
    for worth_usd in dict.fromkeys(row.setting for row in rows):
        at_setting = [row for row in rows if row.setting == worth_usd]
        scores = np.array([row.score for row in at_setting])
        confidences = [row.confidence for row in at_setting if row.confidence is not None]
        yield Setting(
            worth_usd,
            float(np.mean([row.cost_usd for row in at_setting])),
            float(scores.mean()),
            float(scores.std() / np.sqrt(len(scores))),
            calls=float(np.mean([len(row.models) for row in at_setting])),
            escalated=float(np.mean([len(row.models) > 1 for row in at_setting])),
            confidence=float(np.mean(confidences)) if confidences else None,
            latency_s=float(np.mean([row.latency_s for row in at_setting])),
        )


def _pair(table: OutcomeTable, rows: Sequence[Routed]) -> tuple[float, float | None, float | None]:
    """Return APGR, and the shares of strong calls that recover 50 % and 80 % of the gap between two models."""
    single = singles(table)
    strong = best_single(single)
    shares: list[StrongShare] = []
    for worth_usd in dict.fromkeys(row.setting for row in rows):
        at_setting = [row for row in rows if row.setting == worth_usd]
        share = float(np.mean([table.models[strong] in row.models for row in at_setting]))
        shares.append(StrongShare(share, float(np.mean([row.score for row in at_setting]))))
    weak, best = single[1 - strong].quality, single[strong].quality
    if best <= weak:
        return 0.0, None, None
    return apgr(shares, weak=weak, strong=best), cpt(shares, 0.5, weak=weak, strong=best), cpt(shares, 0.8, weak=weak, strong=best)
