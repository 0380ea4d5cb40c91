"""Baselines to compare a router with: single models, simple routers that choose before the call, and an oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.learned.curve import CurvePoint, hull
from crew_router.decide.learned.linear import folds, solved
from crew_router.decide.learned.quality import cluster_means
from crew_router.decide.learned.text import weighted_words
from crew_router.evaluate.outcomes import OutcomeTable

if TYPE_CHECKING:
    from crew_router.types.arrays import Codes, Floats

ADEQUATE: Final = 0.95
_FOLDS: Final = 5
_NEIGHBOURS: Final = 40
_RIDGE_PENALTY: Final = 3.0
_DIAL_SETTINGS: Final = 60
_LENGTH_STEPS: Final = 21

Predict = Callable[["Codes", "Codes"], "Floats"]
"""Fits on the rows of the first argument and predicts those of the second: scores, then prices, as 2 x models columns."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A named cost-quality curve; of a single model it is one point."""

    name: str
    points: tuple[CurvePoint, ...]


def singles(table: OutcomeTable) -> tuple[CurvePoint, ...]:
    """Return the mean cost and quality of every single model, in the order of the table."""
    quality, cost = table.score.mean(axis=0), table.cost_usd.mean(axis=0)
    return tuple(CurvePoint(float(price), float(right)) for price, right in zip(cost, quality, strict=True))


def best_single(points: tuple[CurvePoint, ...]) -> int:
    """Return the index of the best model, the cheaper of equals."""
    return min(range(len(points)), key=lambda index: (-points[index].quality, points[index].cost_usd))


def cheapest_adequate(points: tuple[CurvePoint, ...]) -> int:
    """Return the index of the cheapest model with at least 95 % of the best quality."""
    min_quality = ADEQUATE * points[best_single(points)].quality
    return min((index for index, point in enumerate(points) if point.quality >= min_quality), key=lambda index: points[index].cost_usd)


def baselines(table: OutcomeTable, *, seed: int = 0) -> tuple[Baseline, ...]:
    """Return all baselines; those that are fitted are cross-validated in five folds.

    The domain mean sees the true label of each prompt, which no router does; the oracle sees the outcomes.
    """
    points = singles(table)
    best, adequate = best_single(points), cheapest_adequate(points)
    return (
        Baseline(f"best single: {table.models[best]}", (points[best],)),
        Baseline(f"cheapest adequate single: {table.models[adequate]}", (points[adequate],)),
        Baseline("hull of singles", hull(points)),
        Baseline("random mix", (CurvePoint(float(table.cost_usd.mean()), float(table.score.mean())),)),
        Baseline("domain mean (true label)", _cross_validated(table, _domain_mean(table), seed=seed)),
        Baseline("prompt length", tuple(_by_length(table, adequate, best))),
        Baseline("kNN on tf-idf", _cross_validated(table, _neighbours(table), seed=seed)),
        Baseline("ridge on tf-idf", _cross_validated(table, _ridge(table), seed=seed)),
        Baseline("oracle", _curve_of(table, table.score, table.cost_usd)),
    )


def _cross_validated(table: OutcomeTable, predict: Predict, *, seed: int) -> tuple[CurvePoint, ...]:
    """Return the curve of a predictor that is fitted on four fifths of the table and predicts the rest, in turn."""
    fold = folds(len(table), min(_FOLDS, len(table)), seed=seed)
    models = len(table.models)
    predicted = np.zeros((len(table), 2 * models))
    for part in range(int(fold.max()) + 1):
        held_out = np.flatnonzero(fold == part)
        predicted[held_out] = predict(np.flatnonzero(fold != part), held_out)
    return _curve_of(table, predicted[:, :models], predicted[:, models:])


def _curve_of(table: OutcomeTable, score: Floats, cost_usd: Floats) -> tuple[CurvePoint, ...]:
    """Return the curve of choosing the model of highest predicted utility, ``worth x score - cost``, at every setting of the dial."""
    rows = np.arange(len(table))
    low, high = float(table.cost_usd.mean(axis=0).min()), float(table.cost_usd.mean(axis=0).max())
    points: list[CurvePoint] = []
    for worth_usd in (0.0, *np.geomspace(max(low, 1e-9), max(1000 * high, 1e-6), _DIAL_SETTINGS)):
        choice = (worth_usd * score - cost_usd).argmax(axis=1)
        points.append(CurvePoint(float(table.cost_usd[rows, choice].mean()), float(table.score[rows, choice].mean())))
    return tuple(points)


def _domain_mean(table: OutcomeTable) -> Predict:
    names = sorted(set(table.domains))
    label = np.array([names.index(domain) for domain in table.domains])
    targets = np.hstack([table.score, table.cost_usd])

    def predict(training: Codes, held_out: Codes) -> Floats:
        means: Floats = cluster_means(targets[training], label[training], len(names), prior_rows=1.0)[label[held_out]]
        return means

    return predict


def _neighbours(table: OutcomeTable) -> Predict:
    words = weighted_words(table.prompts)
    targets = np.hstack([table.score, table.cost_usd])

    def predict(training: Codes, held_out: Codes) -> Floats:
        nearest = np.argsort(-(words[held_out] @ words[training].T), axis=1)[:, :_NEIGHBOURS]
        means: Floats = targets[training][nearest].mean(axis=1)
        return means

    return predict


def _ridge(table: OutcomeTable) -> Predict:
    words = weighted_words(table.prompts)
    targets = np.hstack([table.score, table.cost_usd])

    def predict(training: Codes, held_out: Codes) -> Floats:
        mean = targets[training].mean(axis=0)
        gram = words[training] @ words[training].T + _RIDGE_PENALTY * np.eye(len(training))
        weights = solved(gram, targets[training] - mean)
        predicted: Floats = mean + words[held_out] @ words[training].T @ weights
        return predicted

    return predict


def _by_length(table: OutcomeTable, cheap: int, best: int) -> Iterator[CurvePoint]:
    """Yield the curve of sending a rising share of the longest prompts to the best model and the rest to the cheap one."""
    order = np.argsort([-len(prompt) for prompt in table.prompts], kind="stable")
    for share in np.linspace(0.0, 1.0, _LENGTH_STEPS):
        choice = np.full(len(table), cheap)
        choice[order[: round(share * len(table))]] = best
        rows = np.arange(len(table))
        yield CurvePoint(float(table.cost_usd[rows, choice].mean()), float(table.score[rows, choice].mean()))
