"""From outcomes to an artifact: predict, read, agree, plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.learned.agreement import AgreementFitter, ballots_of
from crew_router.decide.learned.cascade_table import make_plans, settings_for
from crew_router.decide.learned.correctness_model import Before, Reader, fit_reader, read_drafts
from crew_router.decide.learned.nearest_prompt import Recollection, recollect, sketches
from crew_router.decide.learned.quality import fit_quality
from crew_router.decide.learned.text import fit_text
from crew_router.decide.learned.trained_model import Learned, TrainingReport
from crew_router.errors import ConfigurationError
from crew_router.evaluate.outcomes import OutcomeTable

if TYPE_CHECKING:
    from crew_router.types.arrays import Floats

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
    clusters = len(fitted.model.centres)
    before = Before(fitted.held_out.quality, fitted.held_out.cluster, inputs)
    reading = _reading(known, before, sketches(text, known.prompts), clusters=clusters, seed=seed) if known.has_answers else None
    tell("reading")
    final, read = (known.answers, before.quality) if reading is None else (reading.final, reading.read)
    ballots = ballots_of(final, read=read, cluster=before.cluster, clusters=clusters)
    fitter = AgreementFitter(ballots, known.score)
    plans, (said, worth) = make_plans(
        fitter,
        known.cost_usd,
        foreseen=(fitted.held_out.quality, fitted.held_out.cost_usd),
        agreeing=reading is not None,
        progress=lambda: tell("plans"),
    )
    prefixes = (tuple(sorted(plan.models[:at])) for plan in plans for at in range(1, len(plan.models) + 1))
    return Learned(
        known.models,
        text=text,
        quality=fitted.model,
        reader=None if reading is None else reading.reader,
        memory=None if reading is None else reading.memory,
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
            ece_after=calibration_error(read, known.score) if reading is not None else float("nan"),
            ece_plan=calibration_error(said, worth),
        ),
    )


def _silent(_step: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """Who reads answers with which memory, what each training answer comes down to, and how probable it is read to be, held out."""

    reader: Reader
    memory: Recollection
    final: tuple[tuple[str | None, ...], ...]
    read: Floats


def _reading(known: OutcomeTable, before: Before, sketch: Floats, *, clusters: int, seed: int) -> _Reading:
    drafts = read_drafts(known.prompts, known.answers)
    memory, recalled = recollect(sketch, known.prompts, drafts.final, known.score, seed=seed)
    fitted = fit_reader(drafts.beside(recalled), before, known.score, clusters=clusters, seed=seed)
    return _Reading(fitted.reader, memory, drafts.final, fitted.held_out)


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
