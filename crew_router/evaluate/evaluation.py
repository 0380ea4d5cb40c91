"""Runs the real router over an outcome file at many settings of the dial, and holds it against yardsticks."""

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
from crew_router.evaluate.baselines import ADEQUATE, Yardstick, best_single, singles, yardsticks
from crew_router.evaluate.outcomes import OutcomeTable
from crew_router.testing.recorded import RecordedModel, RecordedOutcome
from crew_router.types import Latency, ModelCapability, ModelDefinition, ModelRef, Price, RoutingRequest
from crew_router.types.clock import SystemClock

if TYPE_CHECKING:
    from crew_router.router.router import Router
    from crew_router.types import RoutedResponse

PROVIDER: Final = "recorded"
_TOKENS: Final = 200.0  # an answer of the size the classifier expects; makes the list price of a recording right on average
_PAIR: Final = 2


@dataclass(frozen=True, slots=True)
class Routed:
    """One prompt at one setting; ``cost_usd`` is that of all calls together."""

    setting: float
    id: str
    models: tuple[str, ...]
    answered_by: str | None
    score: float
    cost_usd: float
    _: KW_ONLY
    confidence: float | None = None
    latency_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What one setting of the dial came to: the means over all prompts, and the standard error of the quality."""

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
        """Return it as a point of the curve."""
        return CurvePoint(self.cost_usd, self.quality)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a curve comes to against the single models; costs are USD a request, ``None`` where a quality is not reached."""

    aiq: float
    max_quality: float
    cost_at_95_usd: float | None
    cost_at_100_usd: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that an evaluation reports."""

    prompts: int
    models: tuple[str, ...]
    singles: tuple[CurvePoint, ...]
    settings: tuple[Setting, ...]
    router: Figures
    yardsticks: tuple[tuple[Yardstick, Figures], ...]
    apgr: float | None
    cpt_50: float | None
    cpt_80: float | None
    decision_p50_s: float
    decision_p99_s: float
    rows: tuple[Routed, ...] = field(repr=False)


def figures(points: Sequence[CurvePoint], single: tuple[CurvePoint, ...]) -> Figures:
    """Return what a curve comes to, held against the single models on the same prompts."""
    best = single[best_single(single)].quality
    costs = [point.cost_usd for point in single]
    return Figures(
        aiq(points, low_usd=min(costs), high_usd=max(costs)),
        max((point.quality for point in points), default=0.0),
        cost_for(points, ADEQUATE * best),
        cost_for(points, best),
    )


def recorded_models(table: OutcomeTable) -> dict[str, ModelDefinition]:
    """Return the models of a table as the router sees them: recorded answers, mean score and mean price as priors."""
    found: dict[str, ModelDefinition] = {}
    for at, name in enumerate(table.models):
        known = [row for row in range(len(table)) if not np.isnan(table.score[row, at])]
        ref = ModelRef(f"{PROVIDER}:{name}")
        found[ref] = ModelDefinition(
            ref,
            provider=PROVIDER,
            model=name,
            price=Price(0.0, float(np.nanmean(table.cost_usd[:, at])) / _TOKENS * 1e6),
            quality=float(np.nanmean(table.score[:, at])),
            capabilities=frozenset({ModelCapability.STREAMING}),
            latency=Latency(ttft_s=0.0),
            source="mean of the outcome file",
            instance=RecordedModel({table.prompts[row]: _recorded(table, row, at) for row in known}),
        )
    return found


def _recorded(table: OutcomeTable, row: int, at: int) -> RecordedOutcome:
    latency = float(table.latency_s[row, at])
    return RecordedOutcome(
        float(table.score[row, at]),
        cost_usd=float(table.cost_usd[row, at]),
        latency_s=None if math.isnan(latency) else latency,
        answer=table.answers[row][at],
    )


def dial(table: OutcomeTable, learned: Sequence[float]) -> tuple[float, ...]:
    """Return the settings to run: nothing, those of the trained table (or of the prices), and one at which all pays."""
    known = table.complete()
    grid = tuple(learned) or tuple(float(worth) for worth in settings_for(known.score, known.cost_usd))
    return (0.0, *grid, 30 * grid[-1])


def open_recorded(table: OutcomeTable, model: Path | None) -> Router:
    """Return a router over the recorded models, with a trained model when one is given; it learns nothing on the way."""
    from crew_router.router.router import Router  # the router knows of learning, not the other way round

    learning: dict[str, object] = {"enabled": False} if model is None else {"enabled": False, "model": str(model)}
    config: dict[str, object] = {"registry": "none", "learning": learning, "breaker": {"failures": 1_000_000, "window_calls": 1_000_000}}
    return Router(config, models=recorded_models(table), ledger_url="sqlite://", seed=0)


def evaluate(table: OutcomeTable, router: Router, settings: Sequence[float], *, progress: Callable[[], None] = lambda: None) -> Evaluation:
    """Run a router over every prompt at every setting.

    Args:
        table: The outcomes; rows without a score and a price of every model are left out of the comparison.
        router: A router over :func:`recorded_models`.
        settings: USD that a right answer is worth.
        progress: Called after each setting.
    """
    known = table.complete()
    rows: list[Routed] = []
    seconds: list[float] = []
    seen: dict[tuple[int, tuple[str, ...], tuple[float, ...]], Routed] = {}
    for worth in settings:
        rows += (_routed(known, row, router, worth=worth, seen=seen, seconds=seconds) for row in range(len(known)))
        progress()
    return report(known, rows, seconds)


def report(known: OutcomeTable, rows: Sequence[Routed], seconds: Sequence[float]) -> Evaluation:
    """Return the figures of what was routed."""
    single = singles(known)
    settings = tuple(_settings(rows))
    points = [setting.point for setting in settings]
    pair = _pair(known, rows) if len(known.models) == _PAIR else None
    return Evaluation(
        len(known),
        known.models,
        single,
        settings,
        figures(points, single),
        tuple((yardstick, figures(yardstick.points, single)) for yardstick in yardsticks(known)),
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
    worth: float,
    seen: dict[tuple[int, tuple[str, ...], tuple[float, ...]], Routed],
    seconds: list[float],
) -> Routed:
    """Decide, and carry the decision out unless the same prompt was already answered by the same plan."""
    clock = SystemClock()
    request = RoutingRequest(willingness_to_pay=worth)
    began = clock.monotonic()
    decision = router.select_model(RoutingRequest(task_description=table.prompts[row], willingness_to_pay=worth), record=False)
    seconds.append(clock.monotonic() - began)
    key = row, tuple(decision.models), decision.stops
    if key not in seen:
        try:
            seen[key] = _outcome(table, row, router.invoke(table.prompts[row], request=request))
        except CrewRouterError:
            seen[key] = Routed(worth, table.ids[row], tuple(ref.name for ref in decision.models), None, 0.0, 0.0)
    known = seen[key]
    return dataclasses.replace(known, setting=worth)


def _outcome(table: OutcomeTable, row: int, response: RoutedResponse) -> Routed:
    called = tuple(attempt.model.name for attempt in response.attempts)
    places = [table.models.index(name) for name in called]
    return Routed(
        0.0,
        table.ids[row],
        called,
        response.model.name,
        float(table.score[row, table.models.index(response.model.name)]),
        response.cost_usd or 0.0,
        confidence=response.confidence if response.confidence is not None else response.decision.confidence,
        latency_s=float(np.nansum([table.latency_s[row, place] for place in places])),
    )


def _settings(rows: Sequence[Routed]) -> Iterator[Setting]:
    for worth in dict.fromkeys(row.setting for row in rows):
        own = [row for row in rows if row.setting == worth]
        scores = np.array([row.score for row in own])
        sure = [row.confidence for row in own if row.confidence is not None]
        yield Setting(
            worth,
            float(np.mean([row.cost_usd for row in own])),
            float(scores.mean()),
            float(scores.std() / np.sqrt(len(scores))),
            calls=float(np.mean([len(row.models) for row in own])),
            escalated=float(np.mean([len(row.models) > 1 for row in own])),
            confidence=float(np.mean(sure)) if sure else None,
            latency_s=float(np.mean([row.latency_s for row in own])),
        )


def _pair(table: OutcomeTable, rows: Sequence[Routed]) -> tuple[float, float | None, float | None]:
    """Return APGR and the strong calls that recover 50 % and 80 % of the gap."""
    single = singles(table)
    strong = best_single(single)
    shares: list[StrongShare] = []
    for worth in dict.fromkeys(row.setting for row in rows):
        own = [row for row in rows if row.setting == worth]
        share = float(np.mean([table.models[strong] in row.models for row in own]))
        shares.append(StrongShare(share, float(np.mean([row.score for row in own]))))
    weak, best = single[1 - strong].quality, single[strong].quality
    if best <= weak:
        return 0.0, None, None
    return apgr(shares, weak=weak, strong=best), cpt(shares, 0.5, weak=weak, strong=best), cpt(shares, 0.8, weak=weak, strong=best)
