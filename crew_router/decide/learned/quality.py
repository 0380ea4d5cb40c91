"""Predict P(success), cost and length of the answer of every model on a prompt, from the prompt's text alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.learned.linear import Ridge, folds, k_means, nearest, ridge

if TYPE_CHECKING:
    from crew_router.types.arrays import Codes, Floats

_FOLDS: Final = 5
_PENALTIES: Final = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1e9)
_CLUSTER_COUNTS: Final = (1, 2, 3, 4, 6, 8)
_ROWS_PER_CLUSTER: Final = 150
_CLUSTER_DIRECTIONS: Final = 24
_PRIOR_ROWS: Final = 5.0  # rows that the mean over all prompts counts for in the mean of a cluster
_MAX_ERROR_RATIO: Final = 0.985  # a finer clustering has to lower the error to this share of the coarser one's
_COST_FLOOR: Final = 0.05  # share of a model's mean cost that is added; keeps the logarithm of a free call finite
_EDGE: Final = 0.01
_TAIL: Final = 0.05  # share of the values outside a band on each side
_MIN_FOR_BAND: Final = 10
_TINY: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions, prompts x models: ``quality`` 0..1, ``cost_usd``, ``tokens`` of the answer; and each prompt's ``cluster``."""

    quality: Floats
    cost_usd: Floats
    tokens: Floats
    cluster: Codes


@dataclass(frozen=True, slots=True)
class Head:
    """A mean per cluster, plus a ridge regression of the remainder on the text features."""

    means: Floats
    rest: Ridge

    def __call__(self, inputs: Floats, cluster: Codes) -> Floats:
        """Return the predictions for some prompts."""
        predicted: Floats = self.means[cluster] + self.rest(inputs)
        return predicted


@dataclass(frozen=True, slots=True)
class QualityModel:
    """Predicts from text features.

    Args:
        centres: Centres of the clusters of prompts.
        difficulty: Mean score of all models; one column.
        deviation: Each model's score minus that mean.
        cost: Logarithm of the cost in USD.
        cost_scale: Factor by model that makes the mean of the predicted costs right.
        tokens: Logarithm of the length of the answer, in tokens.
        cost_band: Multiples of the predicted cost between which nine in ten held-out costs lie; two rows (low, high) x models.
        tokens_band: The same for lengths; NaN where lengths are not known.
    """

    centres: Floats
    difficulty: Head
    deviation: Head
    cost: Head
    cost_scale: Floats
    tokens: Head
    cost_band: Floats
    tokens_band: Floats

    def __call__(self, inputs: Floats) -> Predictions:
        """Return the predictions for some prompts."""
        cluster = self.clusters(inputs)
        quality = self.difficulty(inputs, cluster) + self.deviation(inputs, cluster)
        return Predictions(
            np.clip(quality, _EDGE, 1 - _EDGE),
            np.exp(self.cost(inputs, cluster)) * self.cost_scale,
            np.expm1(self.tokens(inputs, cluster)),
            cluster,
        )

    def clusters(self, inputs: Floats) -> Codes:
        """Return the cluster of each prompt."""
        return nearest(inputs[:, : self.centres.shape[1]], self.centres)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model, and the predictions for each training row when that row is held out."""

    model: QualityModel
    held_out: Predictions


def fit_quality(inputs: Floats, *, score: Floats, cost_usd: Floats, tokens: Floats, seed: int) -> Fitted:
    """Fit on complete arrays; the strength of every penalty and the number of clusters are chosen on held-out rows.

    Args:
        inputs: Text features, a row per prompt.
        score: Score of each model, 0..1.
        cost_usd: Cost of each call.
        tokens: Length of each answer; NaN where it is not known.
        seed: Makes folds and clusters repeatable.
    """
    fold = folds(len(inputs), min(_FOLDS, len(inputs)), seed=seed)
    count = _cluster_count(inputs, score, fold=fold, seed=seed)
    centres = _centres(inputs, count, seed=seed)
    cluster = nearest(inputs[:, : centres.shape[1]], centres)
    mean = score.mean(axis=1, keepdims=True)
    floor = _COST_FLOOR * cost_usd.mean(axis=0) + _TINY
    difficulty, held_difficulty = _head(inputs, mean, cluster=cluster, fold=fold)
    deviation, held_deviation = _head(inputs, score - mean, cluster=cluster, fold=fold)
    cost, held_cost = _head(inputs, np.log(cost_usd + floor), cluster=cluster, fold=fold)
    length, held_length = _head(inputs, np.log1p(_filled(tokens)), cluster=cluster, fold=fold)
    scale = cost_usd.mean(axis=0) / np.exp(held_cost).mean(axis=0)
    held_out = Predictions(
        np.clip(held_difficulty + held_deviation, _EDGE, 1 - _EDGE), np.exp(held_cost) * scale, np.expm1(held_length), cluster
    )
    bands = band(cost_usd, held_out.cost_usd), band(tokens, held_out.tokens)
    return Fitted(QualityModel(centres, difficulty, deviation, cost, scale, length, *bands), held_out)


def band(true: Floats, predicted: Floats) -> Floats:
    """Return the multiples of the prediction between which nine in ten true values lie; two rows (low, high) x columns.

    The quantiles are those of split conformal prediction, slightly wider than plain ones when there are few rows.
    """
    bounds = np.full((2, true.shape[1]), np.nan)
    for column in range(true.shape[1]):
        valid = np.isfinite(true[:, column]) & (predicted[:, column] > 0)
        count = int(valid.sum())
        if count >= _MIN_FOR_BAND:
            tail = _TAIL * (count + 1) / count - 1 / count
            bounds[:, column] = np.quantile(true[valid, column] / predicted[valid, column], (max(tail, 0.0), min(1 - tail, 1.0)))
    return bounds


def cluster_means(values: Floats, cluster: Codes, count: int, *, prior_rows: float = _PRIOR_ROWS) -> Floats:
    """Return the mean of each cluster, shrunk towards the mean over all rows."""
    overall = values.mean(axis=0)
    rows = [values[cluster == index] for index in range(count)]
    return np.array([(members.sum(axis=0) + prior_rows * overall) / (len(members) + prior_rows) for members in rows])


def _head(inputs: Floats, targets: Floats, *, cluster: Codes, fold: Codes) -> tuple[Head, Floats]:
    """Fit a head with the penalty that predicts held-out rows best; return it with those predictions."""
    count = int(cluster.max()) + 1
    predictions = {penalty: np.zeros_like(targets) for penalty in _PENALTIES}
    for part in range(int(fold.max()) + 1):
        training, held_out = fold != part, fold == part
        means = cluster_means(targets[training], cluster[training], count)
        residual = targets[training] - means[cluster[training]]
        for penalty, predicted in predictions.items():
            predicted[held_out] = means[cluster[held_out]] + ridge(inputs[training], residual, penalty=penalty)(inputs[held_out])
    best = min(_PENALTIES, key=lambda penalty: float(((predictions[penalty] - targets) ** 2).mean()))
    means = cluster_means(targets, cluster, count)
    return Head(means, ridge(inputs, targets - means[cluster], penalty=best)), predictions[best]


def _cluster_count(inputs: Floats, score: Floats, *, fold: Codes, seed: int) -> int:
    """Return the number of clusters that predicts the scores of held-out prompts best; the smaller where it hardly matters."""
    best, best_loss = 1, np.inf
    for count in _CLUSTER_COUNTS:
        if count > 1 and count * _ROWS_PER_CLUSTER > len(inputs):
            break
        centres = _centres(inputs, count, seed=seed)
        cluster = nearest(inputs[:, : centres.shape[1]], centres)
        loss = 0.0
        for part in range(int(fold.max()) + 1):
            means = cluster_means(score[fold != part], cluster[fold != part], count)
            loss += float(((score[fold == part] - means[cluster[fold == part]]) ** 2).sum())
        if loss < best_loss * _MAX_ERROR_RATIO:
            best, best_loss = count, loss
    return best


def _centres(inputs: Floats, count: int, *, seed: int) -> Floats:
    width = min(_CLUSTER_DIRECTIONS, inputs.shape[1])
    return k_means(inputs[:, :width], count, seed=seed)


def _filled(tokens: Floats) -> Floats:
    known = ~np.isnan(tokens)
    mean = np.array([tokens[known[:, column], column].mean() if known[:, column].any() else 0.0 for column in range(tokens.shape[1])])
    filled: Floats = np.where(known, tokens, mean)
    return filled
