"""Compare the measured figures of the tier cascade with the goals of requirement E12."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crew_router.evaluate.baselines import best_single
from crew_router.evaluate.evaluation import Evaluation, Setting
from crew_router.evaluate.outcomes import OutcomeTable

_MIN_SAVING: Final = 0.8
_MIN_CONFIDENCE: Final = 0.75
_MAX_ADDED_LATENCY: Final = 0.10
_MAX_ESCALATED: Final = 0.25


@dataclass(frozen=True, slots=True)
class Goal:
    """One measured figure and its goal.

    Args:
        what: What is measured.
        figure: The figure; ``None`` where the data do not contain it.
        goal: The goal, in words.
        met: Whether it is met; ``None`` where that is not known.
    """

    what: str
    figure: float | None
    goal: str
    met: bool | None

    def cells(self) -> tuple[str, str, str, str]:
        """Return the cells of a table row."""
        figure = "unknown" if self.figure is None else f"{self.figure:.4f}"
        return self.what, figure, self.goal, {None: "unknown", True: "yes", False: "no"}[self.met]


@dataclass(frozen=True, slots=True)
class TierReport:
    """All goals at one setting of the dial, USD a right answer."""

    worth_usd: float
    lines: tuple[Goal, ...]


def tier_report(evaluation: Evaluation, table: OutcomeTable) -> TierReport:
    """Compare one setting with the goals of E12: the cheapest that keeps the best model's quality, else the one of best quality."""
    best = best_single(evaluation.singles)
    single = evaluation.singles[best]
    as_good = [each for each in evaluation.settings if each.quality >= single.quality - each.standard_error]
    setting = min(as_good, key=lambda each: each.cost_usd) if as_good else max(evaluation.settings, key=lambda each: each.quality)
    saving = 1 - setting.cost_usd / single.cost_usd if single.cost_usd else 0.0
    failed = [row.answered_by is None for row in evaluation.rows if row.setting == setting.worth_usd]
    is_confident = None if setting.confidence is None else setting.confidence > _MIN_CONFIDENCE
    added_latency = _added_latency(setting, table, evaluation.models[best])
    return TierReport(
        setting.worth_usd,
        (
            Goal("share of the best model's price saved", saving, "0.80", saving >= _MIN_SAVING),
            Goal("quality against the best model", setting.quality - single.quality, "0, within a standard error", bool(as_good)),
            Goal("mean confidence", setting.confidence, "> 0.75", is_confident),
            Goal("latency added", added_latency, "< 0.10", None if added_latency is None else added_latency < _MAX_ADDED_LATENCY),
            Goal("escalated", setting.escalated, "< 0.25", setting.escalated < _MAX_ESCALATED),
            Goal("requests without an answer", float(np.mean(failed)), "0", not any(failed)),
        ),
    )


def _added_latency(setting: Setting, table: OutcomeTable, best: str) -> float | None:
    """Return the added latency as a share of the best model's mean, ``None`` where no latency was recorded."""
    latency = table.latency_s[:, table.models.index(best)]
    if np.isnan(latency).all():
        return None
    return setting.latency_s / float(np.nanmean(latency)) - 1
