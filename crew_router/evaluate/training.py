"""Train a model from outcomes: predict quality, judge answers, weigh agreement, plan cascades."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.learned.agreement import AgreementFitter, ballots_of
from crew_router.decide.learned.cascade_table import make_plans, settings_for
from crew_router.decide.learned.correctness_model import CorrectnessModel, PromptTable, answer_table, fit_correctness
from crew_router.decide.learned.nearest_prompt import NearestPrompt, fit_nearest_prompt, sketches
from crew_router.decide.learned.quality import fit_quality
from crew_router.decide.learned.text import fit_text
from crew_router.decide.learned.trained_model import TrainedModel, TrainingReport
from crew_router.errors import ConfigurationError
from crew_router.evaluate.outcomes import OutcomeTable

if TYPE_CHECKING:
    from crew_router.types.arrays import Floats

MIN_ROWS: Final = 20
_DIRECTIONS: Final = 64
_BINS: Final = 10

Progress = Callable[[str], None]
"""Called with the name of each step that is done."""


def train(table: OutcomeTable, *, seed: int = 0, progress: Progress | None = None) -> TrainedModel:
    """Train a model from outcomes.

    Args:
        table: The outcomes. Rows without a score or price of a well covered model are left out; when fewer than 20 would
            remain, missing values are filled in instead.
        seed: Makes folds, clusters and projections repeatable.
        progress: Called after each step.

    Raises:
        ConfigurationError: There are too few rows.
    """
    report_step = progress or _no_progress
    complete = table.complete()
    if len(complete) < MIN_ROWS and len(table) >= MIN_ROWS:
        complete = table.filled()
    if len(complete) < MIN_ROWS:
        problem = f"there are {len(table)} rows"
        raise ConfigurationError("outcomes", "", problem, cure=f"give at least {MIN_ROWS}.")
    text, inputs = fit_text(complete.prompts, directions=_DIRECTIONS, seed=seed)
    report_step("text")
    fitted = fit_quality(inputs, score=complete.score, cost_usd=complete.cost_usd, tokens=complete.output_tokens, seed=seed)
    report_step("quality")
    clusters = len(fitted.model.centres)
    prompt_table = PromptTable(fitted.held_out.quality, fitted.held_out.cluster, inputs)
    fitted_answers = (
        _fit_answers(complete, prompt_table, sketches(text, complete.prompts), clusters=clusters, seed=seed)
        if complete.has_answers
        else None
    )
    report_step("reading")
    final, read_probability = (
        (complete.answers, prompt_table.quality) if fitted_answers is None else (fitted_answers.final, fitted_answers.probability)
    )
    ballots = ballots_of(final, read=read_probability, cluster=prompt_table.cluster, clusters=clusters)
    fitter = AgreementFitter(ballots, complete.score)
    plans, (plan_predicted, plan_actual) = make_plans(
        fitter,
        complete.cost_usd,
        predicted=(fitted.held_out.quality, fitted.held_out.cost_usd),
        has_answers=fitted_answers is not None,
        progress=lambda: report_step("plans"),
    )
    prefixes = (tuple(sorted(plan.models[:end])) for plan in plans for end in range(1, len(plan.models) + 1))
    return TrainedModel(
        complete.models,
        text=text,
        quality=fitted.model,
        correctness=None if fitted_answers is None else fitted_answers.correctness,
        nearest_prompt=None if fitted_answers is None else fitted_answers.nearest_prompt,
        agreement=fitter.done(prefixes, seed=seed),
        plans=plans,
        settings=tuple(float(value) for value in settings_for(complete.score, complete.cost_usd)),
        mean_quality=complete.score.mean(axis=0),
        mean_cost_usd=complete.cost_usd.mean(axis=0),
        report=TrainingReport(
            rows=len(complete),
            clusters=clusters,
            explained=_explained_variance(fitted.held_out.quality, complete.score),
            ece_before=calibration_error(fitted.held_out.quality, complete.score),
            ece_after=calibration_error(read_probability, complete.score) if fitted_answers is not None else float("nan"),
            ece_plan=calibration_error(plan_predicted, plan_actual),
        ),
    )


def _no_progress(_step: str) -> None:
    """Ignore the progress."""


@dataclass(frozen=True, slots=True)
class _FittedAnswers:
    """What was fitted to the answers.

    Args:
        correctness: Judges answers.
        nearest_prompt: Finds nearly equal training prompts.
        final: The final answer that each training answer comes down to, by prompt and model.
        probability: Probability that each training answer is right, predicted out of fold; prompts x models.
    """

    correctness: CorrectnessModel
    nearest_prompt: NearestPrompt
    final: tuple[tuple[str | None, ...], ...]
    probability: Floats


def _fit_answers(table: OutcomeTable, prompt_table: PromptTable, sketch: Floats, *, clusters: int, seed: int) -> _FittedAnswers:
    answers = answer_table(table.prompts, table.answers)
    nearest_prompt, nearest = fit_nearest_prompt(sketch, table.prompts, answers.final, table.score, seed=seed)
    fitted = fit_correctness(answers.beside(nearest), prompt_table, table.score, clusters=clusters, seed=seed)
    return _FittedAnswers(fitted.model, nearest_prompt, answers.final, fitted.held_out)


def calibration_error(probability: Floats, score: Floats) -> float:
    """Return the expected calibration error over ten bins of equal width; NaN without any values."""
    predicted, actual = probability.reshape(-1), score.reshape(-1)
    if not len(predicted):
        return float("nan")
    bins = np.minimum((predicted * _BINS).astype(np.int64), _BINS - 1)
    gaps = [abs(float((predicted[bins == index] - actual[bins == index]).sum())) for index in range(_BINS)]
    return sum(gaps) / len(predicted)


def _explained_variance(predicted: Floats, score: Floats) -> float:
    """Return the share of the scores' variance around each model's mean that is predicted."""
    spread = float(((score - score.mean(axis=0)) ** 2).sum())
    return 1.0 - float(((predicted - score) ** 2).sum()) / spread if spread > 0 else 0.0
