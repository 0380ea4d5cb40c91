"""Evaluate a trained model, or the router without one, on an outcome file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from crew_router.decide.learned.artifact import load
from crew_router.evaluate.evaluation import Evaluation, dial, evaluate, open_recorded
from crew_router.evaluate.outcomes import OutcomeTable


def evaluate_artifact(table: OutcomeTable, model: Path | None, *, progress: Callable[[int], None] = lambda _total: None) -> Evaluation:
    """Run the router over the outcomes, at every setting of the dial.

    Args:
        table: The outcomes.
        model: Folder of a trained model; without one the router knows each model's mean score and price only.
        progress: Called after each setting with the number of settings.
    """
    settings = dial(table, () if model is None else load(model).settings)
    with open_recorded(table, model) as router:
        return evaluate(table, router, settings, progress=lambda: progress(len(settings)))
