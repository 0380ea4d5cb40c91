"""What a router must be held against: routers that choose before the call, and the clairvoyant one (``field/routers.md``)."""

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
_PENALTY: Final = 3.0
_SETTINGS: Final = 60
_LENGTH_STEPS: Final = 21

Predict = Callable[["Codes", "Codes"], "Floats"]
"""Learns on some rows and predicts scores and prices of others, side by side."""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """A curve to be held against."""

    name: str
    points: tuple[CurvePoint, ...]


def singles(table: OutcomeTable) -> tuple[CurvePoint, ...]:
    """Return every single model as a point, in the order of the table."""
    quality, cost = table.score.mean(axis=0), table.cost_usd.mean(axis=0)
    return tuple(CurvePoint(float(price), float(right)) for price, right in zip(cost, quality, strict=True))


def best_single(points: tuple[CurvePoint, ...]) -> int:
    """Return the place of the best model, the cheaper of equals."""
    return min(range(len(points)), key=lambda at: (-points[at].quality, points[at].cost_usd))


def cheapest_adequate(points: tuple[CurvePoint, ...]) -> int:
    """Return the place of the cheapest model within 95 % of the best."""
    least = ADEQUATE * points[best_single(points)].quality
    return min((at for at, point in enumerate(points) if point.quality >= least), key=lambda at: points[at].cost_usd)


def yardsticks(table: OutcomeTable, *, seed: int = 0) -> tuple[Yardstick, ...]:
    """Return all yardsticks; those that learn are judged on held-out fifths of the table.

    The domain mean is shown the true label of each prompt, which no router is.
    """
    points = singles(table)
    best, adequate = best_single(points), cheapest_adequate(points)
    return (
        Yardstick(f"best single: {table.models[best]}", (points[best],)),
        Yardstick(f"cheapest adequate single: {table.models[adequate]}", (points[adequate],)),
        Yardstick("hull of singles", hull(points)),
        Yardstick("random mix", (CurvePoint(float(table.cost_usd.mean()), float(table.score.mean())),)),
        Yardstick("domain mean (true label)", _swept(table, _domain_mean(table), seed=seed)),
        Yardstick("prompt length", tuple(_by_length(table, adequate, best))),
        Yardstick("kNN on tf-idf", _swept(table, _neighbours(table), seed=seed)),
        Yardstick("ridge on tf-idf", _swept(table, _ridge(table), seed=seed)),
        Yardstick("oracle", _chosen(table, table.score, table.cost_usd)),
    )


def _swept(table: OutcomeTable, predict: Predict, *, seed: int) -> tuple[CurvePoint, ...]:
    fold = folds(len(table), min(_FOLDS, len(table)), seed=seed)
    models = len(table.models)
    predicted = np.zeros((len(table), 2 * models))
    for at in range(int(fold.max()) + 1):
        out = np.flatnonzero(fold == at)
        predicted[out] = predict(np.flatnonzero(fold != at), out)
    return _chosen(table, predicted[:, :models], predicted[:, models:])


def _chosen(table: OutcomeTable, score: Floats, cost_usd: Floats) -> tuple[CurvePoint, ...]:
    """Return what choosing by predicted utility comes to at every setting of the dial."""
    rows = np.arange(len(table))
    low, high = float(table.cost_usd.mean(axis=0).min()), float(table.cost_usd.mean(axis=0).max())
    points: list[CurvePoint] = []
    for worth in (0.0, *np.geomspace(max(low, 1e-9), max(1000 * high, 1e-6), _SETTINGS)):
        choice = (worth * score - cost_usd).argmax(axis=1)
        points.append(CurvePoint(float(table.cost_usd[rows, choice].mean()), float(table.score[rows, choice].mean())))
    return tuple(points)


def _domain_mean(table: OutcomeTable) -> Predict:
    names = sorted(set(table.domains))
    label = np.array([names.index(domain) for domain in table.domains])
    both = np.hstack([table.score, table.cost_usd])

    def predict(known: Codes, out: Codes) -> Floats:
        means: Floats = cluster_means(both[known], label[known], len(names), prior_rows=1.0)[label[out]]
        return means

    return predict


def _neighbours(table: OutcomeTable) -> Predict:
    words = weighted_words(table.prompts)
    both = np.hstack([table.score, table.cost_usd])

    def predict(known: Codes, out: Codes) -> Floats:
        near = np.argsort(-(words[out] @ words[known].T), axis=1)[:, :_NEIGHBOURS]
        means: Floats = both[known][near].mean(axis=1)
        return means

    return predict


def _ridge(table: OutcomeTable) -> Predict:
    words = weighted_words(table.prompts)
    both = np.hstack([table.score, table.cost_usd])

    def predict(known: Codes, out: Codes) -> Floats:
        mean = both[known].mean(axis=0)
        gram = words[known] @ words[known].T + _PENALTY * np.eye(len(known))
        weights = solved(gram, both[known] - mean)
        predicted: Floats = mean + words[out] @ words[known].T @ weights
        return predicted

    return predict


def _by_length(table: OutcomeTable, cheap: int, dear: int) -> Iterator[CurvePoint]:
    """Yield what sending the longest prompts to the best model and the rest to the cheap one comes to."""
    order = np.argsort([-len(prompt) for prompt in table.prompts], kind="stable")
    for share in np.linspace(0.0, 1.0, _LENGTH_STEPS):
        choice = np.full(len(table), cheap)
        choice[order[: round(share * len(table))]] = dear
        rows = np.arange(len(table))
        yield CurvePoint(float(table.cost_usd[rows, choice].mean()), float(table.score[rows, choice].mean()))
