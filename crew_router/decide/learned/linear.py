"""Small linear models: ridge and logistic regression, folds, k-means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from crew_router.types.arrays import Codes, Flags, Floats

_STEPS: Final = 6
_MIN_CURVATURE: Final = 1e-3
_MIN_LEAVE_OUT: Final = 0.2
_EDGE: Final = 1e-4


def logit(probability: Floats) -> Floats:
    """Return log-odds, kept finite."""
    inside = np.clip(probability, _EDGE, 1 - _EDGE)
    odds: Floats = np.log(inside / (1 - inside))
    return odds


def expit(log_odds: Floats) -> Floats:
    """Return probabilities."""
    probability: Floats = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -30.0, 30.0)))
    return probability


@dataclass(frozen=True, slots=True)
class Ridge:
    """A linear map with intercepts, one output a column."""

    weights: Floats
    intercept: Floats

    def __call__(self, inputs: Floats) -> Floats:
        """Return the outputs for some rows."""
        outputs: Floats = inputs @ self.weights + self.intercept
        return outputs


def solved(matrix: Floats, right: Floats) -> Floats:
    """Return the solution of a system of linear equations, one column per right side."""
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)


def ridge(inputs: Floats, targets: Floats, *, penalty: float) -> Ridge:
    """Return the ridge regression of the targets; the intercept has no penalty."""
    centre, mean = inputs.mean(axis=0), targets.mean(axis=0)
    centred = inputs - centre
    gram = centred.T @ centred + penalty * np.eye(inputs.shape[1])
    weights = solved(gram, centred.T @ (targets - mean))
    return Ridge(weights, mean - centre @ weights)


def logistic(inputs: Floats, target: Floats, *, penalty: float, start: Floats) -> Floats:
    """Return the weights of a logistic regression whose penalty pulls them towards ``start``; column 0 is the intercept."""
    weights = start.copy()
    penalties = np.full(len(weights), penalty)
    penalties[0] = 0.1
    for _ in range(_STEPS):
        mean = expit(inputs @ weights)
        curvature = np.maximum(mean * (1 - mean), _MIN_CURVATURE)
        hessian = (inputs * curvature[:, None]).T @ inputs
        hessian[np.diag_indices(len(weights))] += penalties
        weights = weights + solved(hessian, inputs.T @ (target - mean) - penalties * (weights - start))
    return weights


def leave_one_out(inputs: Floats, target: Floats, weights: Floats, *, penalty: float) -> Floats:
    """Return leave-one-out probabilities of a logistic regression, approximated by one Newton step."""
    mean = expit(inputs @ weights)
    curvature = np.maximum(mean * (1 - mean), _MIN_CURVATURE)
    hessian = (inputs * curvature[:, None]).T @ inputs
    penalties = np.full(len(weights), penalty)
    penalties[0] = 0.1
    hessian[np.diag_indices(len(weights))] += penalties
    leverage = np.einsum("ij,ij->i", inputs @ np.linalg.inv(hessian), inputs) * curvature
    step = (target - mean) * leverage / curvature / np.maximum(1 - leverage, _MIN_LEAVE_OUT)
    return expit(inputs @ weights - step)


def folds(rows: int, count: int, *, seed: int) -> Codes:
    """Return the fold, 0 to ``count - 1``, of each row: drawn at random, of equal sizes."""
    fold = np.empty(rows, dtype=np.int64)
    fold[np.random.default_rng(seed).permutation(rows)] = np.arange(rows) % count
    return fold


def nearest(points: Floats, centres: Floats) -> Codes:
    """Return the index of the nearest centre of each point."""
    distance = (points**2).sum(axis=1)[:, None] - 2 * points @ centres.T + (centres**2).sum(axis=1)
    index: Codes = distance.argmin(axis=1)
    return index


def k_means(points: Floats, count: int, *, seed: int, starts: int = 8) -> Floats:
    """Return the centres of the clustering of least variance among several k-means++ starts."""
    best: tuple[float, Floats] | None = None
    for start in range(starts):
        centres = _iterated(points, _start_centres(points, count, np.random.default_rng((seed, start))))
        loss = float(((points - centres[nearest(points, centres)]) ** 2).sum())
        if best is None or loss < best[0]:
            best = loss, centres
    assert best is not None
    return best[1]


def _start_centres(points: Floats, count: int, rng: np.random.Generator) -> Floats:
    centres = [points[rng.integers(len(points))]]
    while len(centres) < count:
        distance = np.min([((points - centre) ** 2).sum(axis=1) for centre in centres], axis=0)
        total = distance.sum()
        index = rng.choice(len(points), p=distance / total) if total > 0 else rng.integers(len(points))
        centres.append(points[index])
    return np.array(centres)


def _iterated(points: Floats, centres: Floats) -> Floats:
    for _ in range(30):
        cluster = nearest(points, centres)
        members: list[Flags] = [cluster == index for index in range(len(centres))]
        centres = np.array([points[rows].mean(axis=0) if rows.any() else centres[index] for index, rows in enumerate(members)])
    return centres
