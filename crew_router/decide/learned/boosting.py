"""Boosted trees: what a few figures of an answer say together, where a sum of weights does not see it.

The trees are symmetric (the same question at all nodes of a level, as in CatBoost: Prokhorenkova and others 2018), fitted one after
the other to the rest of a logistic loss (Friedman 2001) that is left by log-odds known before. Without trees these log-odds stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.learned.linear import expit, folds

if TYPE_CHECKING:
    from crew_router.types.arrays import Codes, Flags, Floats

_MOST_TREES: Final = 240
_PATIENCE: Final = 30  # trees without a lower loss on held-out rows after which no more are grown
_DEPTH: Final = 4
_RATE: Final = 0.06
_PENALTY: Final = 8.0  # curvature that a leaf of 0 weighs
_ROWS: Final = 0.5  # share of the groups that a tree sees
_COLUMNS: Final = 0.5  # share of the figures
_BINS: Final = 32
_FOLDS: Final = 5
_LEAST_CURVATURE: Final = 1e-4
_EDGE: Final = 1e-6
_NO_GAIN: Final = 1e-9
_POWERS: Final = np.left_shift(1, np.arange(_DEPTH)[::-1])
_ERRORS: Final = 2.0  # standard errors by which trees have to lower the held-out loss
_WORTH_IT: Final = 1e-3  # of a nat by which trees have to lower the held-out loss of an answer


@dataclass(frozen=True, slots=True)
class Trees:
    """Symmetric trees; a row per tree.

    Args:
        figure: Place of the figure that each level asks for.
        above: The level goes right where the figure is above this.
        leaf: Log-odds added at each leaf, the answers of the levels read as a binary number.
    """

    figure: Codes
    above: Floats
    leaf: Floats

    @classmethod
    def none(cls) -> Trees:
        """Return no trees at all."""
        return cls(np.zeros((0, _DEPTH), dtype=np.int64), np.zeros((0, _DEPTH)), np.zeros((0, 1 << _DEPTH)))

    def __len__(self) -> int:
        """Return the number of trees."""
        return len(self.figure)

    def first(self, count: int) -> Trees:
        """Return the trees that were grown first."""
        return Trees(self.figure[:count], self.above[:count], self.leaf[:count])

    def __call__(self, inputs: Floats) -> Floats:
        """Return the log-odds that the trees add, one figure a row."""
        added = np.zeros(len(inputs))
        for figure, above, leaf in zip(self.figure, self.above, self.leaf, strict=True):
            added += leaf[_places(inputs, figure, above)]
        return added

    def one(self, row: Floats) -> float:
        """Return the log-odds that the trees add for one row."""
        if not len(self):
            return 0.0
        right: Codes = (row[self.figure] > self.above).astype(np.int64)
        place: Codes = (right * _POWERS).sum(axis=1)
        return float(self.leaf[np.arange(len(self)), place].sum())


def _places(inputs: Floats, figure: Codes, above: Floats) -> Codes:
    place = np.zeros(len(inputs), dtype=np.int64)
    for at, edge in zip(figure, above, strict=True):
        place = 2 * place + (inputs[:, at] > edge)
    return place


@dataclass(frozen=True, slots=True)
class Grown:
    """Trees, and those that had not seen some of the training groups.

    Args:
        trees: Grown on all rows.
        parts: Grown on all folds but one, by fold.
        fold: Fold of each group.
    """

    trees: Trees
    parts: tuple[Trees, ...]
    fold: Codes

    def held_out(self, inputs: Floats, group: Codes) -> Floats:
        """Return the log-odds that trees add which had not seen the group of a row."""
        return _by_fold(self.parts, self.fold[group], inputs)


def grow(inputs: Floats, target: Floats, *, start: Floats, group: Codes, groups: int, seed: int) -> Grown:
    """Grow as many trees as lower the loss of held-out groups.

    Args:
        inputs: Figures, a row per answer.
        target: What each answer was worth, 0..1.
        start: Log-odds known before.
        group: Rows of one group (one prompt) are held out together; numbered from 0.
        groups: Number of groups.
        seed: Makes folds and draws repeatable.
    """
    fold = folds(groups, min(_FOLDS, groups), seed=seed)
    if not (inputs != inputs[:1]).any():
        return Grown(Trees.none(), (), fold)
    held = [_Growth(inputs, target, start, group, fold[group] == at, seed=seed) for at in range(int(fold.max()) + 1)]
    losses = [_loss(start, target)]
    while len(losses) <= _MOST_TREES and len(losses) - int(np.argmin(losses)) <= _PATIENCE:
        for part in held:
            part.add()
        losses.append(sum(part.losses[-1] for part in held))
    count = int(np.argmin(losses))
    parts = tuple(part.trees().first(count) for part in held)
    if not _helps(start, start + _by_fold(parts, fold[group], inputs), target, group):
        return Grown(Trees.none(), (), fold)
    whole = _Growth(inputs, target, start, group, np.zeros(len(target), dtype=np.bool_), seed=seed)
    for _ in range(count):
        whole.add()
    return Grown(whole.trees(), parts, fold)


def _by_fold(parts: Sequence[Trees], fold: Codes, inputs: Floats) -> Floats:
    added = np.zeros(len(inputs))
    for at, trees in enumerate(parts):
        added[fold == at] = trees(inputs[fold == at])
    return added


def _helps(before: Floats, after: Floats, target: Floats, group: Codes) -> bool:
    """Tell whether held-out groups lose less by more than chance: the best of many counts of trees looks better than it is."""
    gain = np.bincount(group, weights=_losses(before, target) - _losses(after, target))
    error = float(gain.std()) * np.sqrt(len(gain))
    return bool(gain.sum() > max(_ERRORS * error, _WORTH_IT * len(target)))


class _Growth:
    """Trees that are being grown on the rows that are not held out."""

    def __init__(self, inputs: Floats, target: Floats, start: Floats, group: Codes, held: Flags, *, seed: int) -> None:
        self.losses: list[float] = []
        self._inputs, self._target = inputs, target
        self._odds = start.copy()
        self._group = group
        self._held, self._known = held, np.flatnonzero(~held)
        self._edges = [_edges(inputs[self._known, at]) for at in range(inputs.shape[1])]
        columns = [np.searchsorted(edges, inputs[:, at]) for at, edges in enumerate(self._edges)]
        self._codes = np.stack(columns, axis=1).astype(np.int64)
        self._asked = np.flatnonzero([len(edges) > 0 for edges in self._edges])
        self._rng = np.random.default_rng(seed)
        self._found: list[tuple[Codes, Floats, Floats]] = []

    def trees(self) -> Trees:
        figures, edges, leaves = zip(*self._found, strict=True)
        return Trees(np.array(figures), np.array(edges), np.array(leaves))

    def add(self) -> None:
        """Grow one more tree."""
        drawn = self._rng.random(int(self._group.max()) + 1) < _ROWS
        rows = self._known[drawn[self._group[self._known]]]
        shown = np.sort(self._rng.choice(self._asked, max(1, round(_COLUMNS * len(self._asked))), replace=False))
        chance = expit(self._odds[rows])
        slope = chance - self._target[rows]
        curvature = np.maximum(chance * (1 - chance), _LEAST_CURVATURE)
        places, codes = _grown(self._codes[np.ix_(rows, shown)], slope, curvature)
        figure = shown[places]
        above = np.array([_edge(self._edges[int(at)], int(code)) for at, code in zip(figure, codes, strict=True)])
        at_leaf = _places(self._inputs[rows], figure, above)
        leaves = 1 << _DEPTH
        total = np.bincount(at_leaf, weights=slope, minlength=leaves)
        leaf = -_RATE * total / (np.bincount(at_leaf, weights=curvature, minlength=leaves) + _PENALTY)
        self._odds += leaf[_places(self._inputs, figure, above)]
        self._found.append((figure, above, leaf))
        self.losses.append(_loss(self._odds[self._held], self._target[self._held]))


def _grown(codes: Codes, slope: Floats, curvature: Floats) -> tuple[Codes, Codes]:
    """Return the column and the code that each level asks for: the question that lowers the loss of all its nodes together most."""
    rows, width = codes.shape
    cell: Codes = codes + np.arange(width, dtype=np.int64) * _BINS
    slopes, curvatures = np.repeat(slope, width), np.repeat(curvature, width)
    node = np.zeros(rows, dtype=np.int64)
    places, found = np.zeros(_DEPTH, dtype=np.int64), np.zeros(_DEPTH, dtype=np.int64)
    for level in range(_DEPTH):
        shape = (1 << level, width, _BINS)
        flat: Codes = (cell + node[:, None] * (width * _BINS)).reshape(-1)
        left = np.bincount(flat, weights=slopes, minlength=int(np.prod(shape))).reshape(shape).cumsum(axis=2)
        below = np.bincount(flat, weights=curvatures, minlength=int(np.prod(shape))).reshape(shape).cumsum(axis=2)
        right, beyond = left[:, :, -1:] - left, below[:, :, -1:] - below
        gain = (left**2 / (below + _PENALTY) + right**2 / (beyond + _PENALTY)).sum(axis=0)
        gain -= gain[:, -1:]
        place, code = np.unravel_index(int(gain.argmax()), gain.shape)
        if gain[place, code] <= _NO_GAIN:
            code = np.int64(_BINS)
        places[level], found[level] = place, code
        node = 2 * node + (codes[:, place] > code)
    return places, found


def _edges(values: Floats) -> Floats:
    seen = np.unique(values)
    if len(seen) > _BINS:
        return np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]))
    between: Floats = (seen[1:] + seen[:-1]) / 2
    return between


def _edge(edges: Floats, code: int) -> float:
    """Return the edge above a code; a question that nothing is above of never goes right."""
    return float(edges[code]) if code < len(edges) else float(np.finfo(np.float64).max)


def _losses(odds: Floats, target: Floats) -> Floats:
    chance = np.clip(expit(odds), _EDGE, 1 - _EDGE)
    lost: Floats = -(target * np.log(chance) + (1 - target) * np.log(1 - chance))
    return lost


def _loss(odds: Floats, target: Floats) -> float:
    return float(_losses(odds, target).sum())
