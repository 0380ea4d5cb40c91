"""The promises of the tier cascade (requirement E12), as measured figures beside their goals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crew_router.evaluate.baselines import best_single
from crew_router.evaluate.evaluation import Evaluation, Setting
from crew_router.evaluate.outcomes import OutcomeTable

_CHEAPER: Final = 0.8
_CONFIDENT: Final = 0.75
_SLOWER: Final = 0.10
_ESCALATED: Final = 0.25


@dataclass(frozen=True, slots=True)
class Promise:
    """One figure beside its goal; ``figure`` is ``None`` where the data do not say."""

    what: str
    figure: float | None
    goal: str
    met: bool | None

    def cells(self) -> tuple[str, str, str, str]:
        """Return it as cells of a table."""
        figure = "unknown" if self.figure is None else f"{self.figure:.4f}"
        return self.what, figure, self.goal, {None: "unknown", True: "yes", False: "no"}[self.met]


@dataclass(frozen=True, slots=True)
class SmartCost:
    """All promises at one setting of the dial."""

    worth_usd: float
    lines: tuple[Promise, ...]


def smart_cost(found: Evaluation, table: OutcomeTable) -> SmartCost:
    """Hold the cheapest setting that keeps the best model's quality, or else the best setting, against E12."""
    best = best_single(found.singles)
    single = found.singles[best]
    kept = [each for each in found.settings if each.quality >= single.quality - each.standard_error]
    setting = min(kept, key=lambda each: each.cost_usd) if kept else max(found.settings, key=lambda each: each.quality)
    cheaper = 1 - setting.cost_usd / single.cost_usd if single.cost_usd else 0.0
    failed = [row.answered_by is None for row in found.rows if row.setting == setting.worth_usd]
    sure = None if setting.confidence is None else setting.confidence > _CONFIDENT
    slower = _slower(setting, table, found.models[best])
    return SmartCost(
        setting.worth_usd,
        (
            Promise("share of the best model's price saved", cheaper, "0.80", cheaper >= _CHEAPER),
            Promise("quality against the best model", setting.quality - single.quality, "0, within a standard error", bool(kept)),
            Promise("mean confidence", setting.confidence, "> 0.75", sure),
            Promise("latency added", slower, "< 0.10", None if slower is None else slower < _SLOWER),
            Promise("escalated", setting.escalated, "< 0.25", setting.escalated < _ESCALATED),
            Promise("requests without an answer", float(np.mean(failed)), "0", not any(failed)),
        ),
    )


def _slower(setting: Setting, table: OutcomeTable, best: str) -> float | None:
    latency = table.latency_s[:, table.models.index(best)]
    if np.isnan(latency).all():
        return None
    return setting.latency_s / float(np.nanmean(latency)) - 1
