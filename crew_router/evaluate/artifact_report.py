"""Judging a trained model, or none, on an outcome file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from crew_router.decide.learned.artifact import load
from crew_router.evaluate.evaluation import Evaluation, dial, evaluate, open_recorded
from crew_router.evaluate.outcomes import OutcomeTable


def judged(table: OutcomeTable, model: Path | None, *, progress: Callable[[int], None] = lambda _total: None) -> Evaluation:
    """Run the router over a file.

    Args:
        table: The outcomes.
        model: Folder of a trained model; without one the router knows each model's mean score and price only.
        progress: Told after each setting how many there are.
    """
    settings = dial(table, () if model is None else load(model).settings)
    with open_recorded(table, model) as router:
        return evaluate(table, router, settings, progress=lambda: progress(len(settings)))
