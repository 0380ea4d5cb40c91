"""Gradient-boosted trees that find interactions of features, which a linear model cannot.

The trees are symmetric: all nodes of a level split on the same feature and threshold (as in CatBoost, Prokhorenkova and others
2018). They are fitted one after another to the gradient of a logistic loss (Friedman 2001), starting from given log-odds, and
what they return is added to those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.learned.linear import expit, folds

if TYPE_CHECKING:
    from crew_router.types.arrays import Codes, Flags, Floats

_MAX_TREES: Final = 240
_PATIENCE: Final = 30  # growing stops after this many trees without a lower loss on held-out rows
_DEPTH: Final = 4
_LEARNING_RATE: Final = 0.06
_PENALTY: Final = 8.0  # L2 penalty of a leaf, in units of curvature
_ROW_SHARE: Final = 0.5  # share of the groups that a tree is fitted on
_COLUMN_SHARE: Final = 0.5  # share of the features that a tree may use
_BINS: Final = 32
_FOLDS: Final = 5
_MIN_CURVATURE: Final = 1e-4
_EDGE: Final = 1e-6
_MIN_GAIN: Final = 1e-9
_POWERS: Final = np.left_shift(1, np.arange(_DEPTH)[::-1])
_MIN_GAIN_ERRORS: Final = 2.0  # standard errors by which the trees have to lower the held-out loss
_MIN_GAIN_NATS: Final = 1e-3  # nats by which the trees have to lower the mean held-out loss of an answer


@dataclass(frozen=True, slots=True)
class Trees:
    """Symmetric trees; one row per tree.

    Args:
        feature: Index of the feature that each level splits on.
        threshold: A row goes right at a level when the feature is above this.
        leaf: Log-odds added at each leaf; its index is the splits read as a binary number, right as 1.
    """

    feature: Codes
    threshold: Floats
    leaf: Floats

    @classmethod
    def none(cls) -> Trees:
        """Return no trees at all."""
        return cls(np.zeros((0, _DEPTH), dtype=np.int64), np.zeros((0, _DEPTH)), np.zeros((0, 1 << _DEPTH)))

    def __len__(self) -> int:
        """Return the number of trees."""
        return len(self.feature)

    def first(self, count: int) -> Trees:
        """Return the first trees, in the order in which they were grown."""
        return Trees(self.feature[:count], self.threshold[:count], self.leaf[:count])

    def __call__(self, inputs: Floats) -> Floats:
        """Return the log-odds that the trees add, one number a row."""
        added = np.zeros(len(inputs))
        for feature, threshold, leaf in zip(self.feature, self.threshold, self.leaf, strict=True):
            added += leaf[_leaf_indices(inputs, feature, threshold)]
        return added

    def one(self, row: Floats) -> float:
        """Return the log-odds that the trees add for one row."""
        if not len(self):
            return 0.0
        right: Codes = (row[self.feature] > self.threshold).astype(np.int64)
        leaf_index: Codes = (right * _POWERS).sum(axis=1)
        return float(self.leaf[np.arange(len(self)), leaf_index].sum())


def _leaf_indices(inputs: Floats, features: Codes, thresholds: Floats) -> Codes:
    leaf_index = np.zeros(len(inputs), dtype=np.int64)
    for column, threshold in zip(features, thresholds, strict=True):
        leaf_index = 2 * leaf_index + (inputs[:, column] > threshold)
    return leaf_index


@dataclass(frozen=True, slots=True)
class Grown:
    """Trees grown on all rows, and trees for predictions on held-out rows.

    Args:
        trees: Grown on all rows.
        parts: For each fold, trees grown on the other folds.
        fold: Fold of each group.
    """

    trees: Trees
    parts: tuple[Trees, ...]
    fold: Codes

    def held_out(self, inputs: Floats, group: Codes) -> Floats:
        """Return, for each row, the log-odds added by the trees that were not fitted on its group."""
        return _by_fold(self.parts, self.fold[group], inputs)


def grow(inputs: Floats, target: Floats, *, start: Floats, group: Codes, groups: int, seed: int) -> Grown:
    """Grow the number of trees at which the loss on held-out groups is lowest; none when they do not lower it significantly.

    Args:
        inputs: Features, one row per answer.
        target: Score of each answer, 0..1.
        start: Log-odds that the trees add to.
        group: Number, from 0, of each row's group (its prompt); a group is held out as a whole.
        groups: Number of groups.
        seed: Makes folds and draws repeatable.
    """
    fold = folds(groups, min(_FOLDS, groups), seed=seed)
    if not (inputs != inputs[:1]).any():
        return Grown(Trees.none(), (), fold)
    growths = [_Growth(inputs, target, start, group, fold[group] == part, seed=seed) for part in range(int(fold.max()) + 1)]
    losses = [_loss(start, target)]
    while len(losses) <= _MAX_TREES and len(losses) - int(np.argmin(losses)) <= _PATIENCE:
        for part in growths:
            part.add()
        losses.append(sum(part.losses[-1] for part in growths))
    count = int(np.argmin(losses))
    parts = tuple(part.trees().first(count) for part in growths)
    if not _helps(start, start + _by_fold(parts, fold[group], inputs), target, group):
        return Grown(Trees.none(), (), fold)
    on_all = _Growth(inputs, target, start, group, np.zeros(len(target), dtype=np.bool_), seed=seed)
    for _ in range(count):
        on_all.add()
    return Grown(on_all.trees(), parts, fold)


def _by_fold(parts: Sequence[Trees], fold: Codes, inputs: Floats) -> Floats:
    added = np.zeros(len(inputs))
    for part, trees in enumerate(parts):
        added[fold == part] = trees(inputs[fold == part])
    return added


def _helps(before: Floats, after: Floats, target: Floats, group: Codes) -> bool:
    """Tell whether the held-out loss falls significantly, as the best of many numbers of trees looks better than it is."""
    gain = np.bincount(group, weights=_losses(before, target) - _losses(after, target))
    error = float(gain.std()) * np.sqrt(len(gain))
    return bool(gain.sum() > max(_MIN_GAIN_ERRORS * error, _MIN_GAIN_NATS * len(target)))


class _Growth:
    """Grows trees on the rows that are not held out, and measures the loss on those that are."""

    def __init__(self, inputs: Floats, target: Floats, start: Floats, group: Codes, held: Flags, *, seed: int) -> None:
        self.losses: list[float] = []
        self._inputs, self._target = inputs, target
        self._odds = start.copy()
        self._group = group
        self._held, self._known = held, np.flatnonzero(~held)
        self._edges = [_edges(inputs[self._known, column]) for column in range(inputs.shape[1])]
        columns = [np.searchsorted(edges, inputs[:, column]) for column, edges in enumerate(self._edges)]
        self._codes = np.stack(columns, axis=1).astype(np.int64)
        self._varying = np.flatnonzero([len(edges) > 0 for edges in self._edges])
        self._rng = np.random.default_rng(seed)
        self._grown_trees: list[tuple[Codes, Floats, Floats]] = []

    def trees(self) -> Trees:
        features, thresholds, leaves = zip(*self._grown_trees, strict=True)
        return Trees(np.array(features), np.array(thresholds), np.array(leaves))

    def add(self) -> None:
        """Grow one more tree."""
        drawn_groups = self._rng.random(int(self._group.max()) + 1) < _ROW_SHARE
        rows = self._known[drawn_groups[self._group[self._known]]]
        drawn_columns = np.sort(self._rng.choice(self._varying, max(1, round(_COLUMN_SHARE * len(self._varying))), replace=False))
        chance = expit(self._odds[rows])
        slope = chance - self._target[rows]
        curvature = np.maximum(chance * (1 - chance), _MIN_CURVATURE)
        columns, codes = _best_questions(self._codes[np.ix_(rows, drawn_columns)], slope, curvature)
        feature = drawn_columns[columns]
        threshold = np.array([_edge(self._edges[int(column)], int(code)) for column, code in zip(feature, codes, strict=True)])
        leaf_index = _leaf_indices(self._inputs[rows], feature, threshold)
        leaves = 1 << _DEPTH
        total = np.bincount(leaf_index, weights=slope, minlength=leaves)
        leaf = -_LEARNING_RATE * total / (np.bincount(leaf_index, weights=curvature, minlength=leaves) + _PENALTY)
        self._odds += leaf[_leaf_indices(self._inputs, feature, threshold)]
        self._grown_trees.append((feature, threshold, leaf))
        self.losses.append(_loss(self._odds[self._held], self._target[self._held]))


def _best_questions(codes: Codes, slope: Floats, curvature: Floats) -> tuple[Codes, Codes]:
    """Return, for each level, the column and the bin to split at, chosen to lower the loss of all nodes of the level together most."""
    rows, width = codes.shape
    cell: Codes = codes + np.arange(width, dtype=np.int64) * _BINS
    slopes, curvatures = np.repeat(slope, width), np.repeat(curvature, width)
    node = np.zeros(rows, dtype=np.int64)
    columns, codes_found = np.zeros(_DEPTH, dtype=np.int64), np.zeros(_DEPTH, dtype=np.int64)
    for level in range(_DEPTH):
        shape = (1 << level, width, _BINS)
        flat: Codes = (cell + node[:, None] * (width * _BINS)).reshape(-1)
        left = np.bincount(flat, weights=slopes, minlength=int(np.prod(shape))).reshape(shape).cumsum(axis=2)
        left_curvature = np.bincount(flat, weights=curvatures, minlength=int(np.prod(shape))).reshape(shape).cumsum(axis=2)
        right, above_curvature = left[:, :, -1:] - left, left_curvature[:, :, -1:] - left_curvature
        gain = (left**2 / (left_curvature + _PENALTY) + right**2 / (above_curvature + _PENALTY)).sum(axis=0)
        gain -= gain[:, -1:]
        column, code = np.unravel_index(int(gain.argmax()), gain.shape)
        if gain[column, code] <= _MIN_GAIN:
            code = np.int64(_BINS)
        columns[level], codes_found[level] = column, code
        node = 2 * node + (codes[:, column] > code)
    return columns, codes_found


def _edges(values: Floats) -> Floats:
    distinct = np.unique(values)
    if len(distinct) > _BINS:
        return np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]))
    midpoints: Floats = (distinct[1:] + distinct[:-1]) / 2
    return midpoints


def _edge(edges: Floats, code: int) -> float:
    """Return the threshold above a bin; above the last one, a number that no value exceeds."""
    return float(edges[code]) if code < len(edges) else float(np.finfo(np.float64).max)


def _losses(odds: Floats, target: Floats) -> Floats:
    chance = np.clip(expit(odds), _EDGE, 1 - _EDGE)
    lost: Floats = -(target * np.log(chance) + (1 - target) * np.log(1 - chance))
    return lost


def _loss(odds: Floats, target: Floats) -> float:
    return float(_losses(odds, target).sum())
