"""From outcomes to an artifact: predict, read, agree, plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.errors import ConfigurationError
from crew_router.learn.agreement import AgreementFitter, ballots_of
from crew_router.learn.learned import Learned, TrainingReport
from crew_router.learn.outcomes import OutcomeTable
from crew_router.learn.plan_table import make_plans, settings_for
from crew_router.learn.quality import fit_quality
from crew_router.learn.reader import Reader, fit_reader, held_out_reading, read_drafts
from crew_router.learn.text import fit_text

if TYPE_CHECKING:
    from crew_router.columns import Floats
    from crew_router.learn.quality import Fitted

LEAST_ROWS: Final = 20
_DIRECTIONS: Final = 64
_BINS: Final = 10

Progress = Callable[[str], None]
"""Told what was done."""


def train(table: OutcomeTable, *, seed: int = 0, progress: Progress | None = None) -> Learned:
    """Learn from outcomes.

    Args:
        table: The outcomes; rows that lack a score or a price of a well covered model are left out, unless hardly any would be left.
        seed: Makes folds, clusters and projections repeatable.
        progress: Told after each step.

    Raises:
        ConfigurationError: There are too few rows.
    """
    tell = progress or _silent
    known = table.complete()
    if len(known) < LEAST_ROWS and len(table) >= LEAST_ROWS:
        known = table.filled()
    if len(known) < LEAST_ROWS:
        found = f"there are {len(table)} rows"
        raise ConfigurationError("outcomes", "", found, cure=f"give at least {LEAST_ROWS}.")
    text, inputs = fit_text(known.prompts, directions=_DIRECTIONS, seed=seed)
    tell("text")
    fitted = fit_quality(inputs, score=known.score, cost_usd=known.cost_usd, tokens=known.output_tokens, seed=seed)
    tell("quality")
    reader, read = _reading(known, fitted, seed=seed)
    tell("reading")
    clusters = len(fitted.model.centres)
    drafts = known.answers if reader is None else read_drafts(known.prompts, known.answers).final
    ballots = ballots_of(drafts, read=read, cluster=fitted.held_out.cluster, clusters=clusters)
    fitter = AgreementFitter(ballots, known.score)
    plans, (said, worth) = make_plans(
        fitter,
        known.cost_usd,
        foreseen=(fitted.held_out.quality, fitted.held_out.cost_usd),
        agreeing=reader is not None,
        progress=lambda: tell("plans"),
    )
    prefixes = (tuple(sorted(plan.models[:at])) for plan in plans for at in range(1, len(plan.models) + 1))
    return Learned(
        known.models,
        text=text,
        quality=fitted.model,
        reader=reader,
        agreement=fitter.done(prefixes, seed=seed),
        plans=plans,
        settings=tuple(float(worth) for worth in settings_for(known.score, known.cost_usd)),
        mean_quality=known.score.mean(axis=0),
        mean_cost_usd=known.cost_usd.mean(axis=0),
        report=TrainingReport(
            rows=len(known),
            clusters=clusters,
            explained=_explained(fitted.held_out.quality, known.score),
            ece_before=calibration_error(fitted.held_out.quality, known.score),
            ece_after=calibration_error(read, known.score) if reader is not None else float("nan"),
            ece_plan=calibration_error(said, worth),
        ),
    )


def _silent(_step: str) -> None:
    """Tell nobody."""


def _reading(known: OutcomeTable, fitted: Fitted, *, seed: int) -> tuple[Reader | None, Floats]:
    """Return the reader of answers, and what it says of each training answer when its row is held out."""
    held_out, clusters = fitted.held_out, len(fitted.model.centres)
    if not known.has_answers:
        return None, held_out.quality
    drafts = read_drafts(known.prompts, known.answers)
    read = held_out_reading(
        drafts, quality=held_out.quality, score=known.score, cluster=held_out.cluster, clusters=clusters, seed=seed
    )
    reader = fit_reader(drafts, quality=held_out.quality, score=known.score, cluster=held_out.cluster, clusters=clusters)
    return reader, read


def calibration_error(probability: Floats, score: Floats) -> float:
    """Return the expected calibration error over ten bins of equal width; NaN when there is nothing to judge."""
    flat, worth = probability.reshape(-1), score.reshape(-1)
    if not len(flat):
        return float("nan")
    place = np.minimum((flat * _BINS).astype(np.int64), _BINS - 1)
    gaps = [abs(float((flat[place == at] - worth[place == at]).sum())) for at in range(_BINS)]
    return sum(gaps) / len(flat)


def _explained(predicted: Floats, score: Floats) -> float:
    spread = float(((score - score.mean(axis=0)) ** 2).sum())
    return 1.0 - float(((predicted - score) ** 2).sum()) / spread if spread > 0 else 0.0
