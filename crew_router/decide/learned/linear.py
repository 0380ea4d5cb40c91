"""Small linear models: ridge and logistic regression, folds, k-means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from crew_router.types.arrays import Codes, Flags, Floats

_STEPS: Final = 6
_LEAST_CURVATURE: Final = 1e-3
_LEAST_OUT: Final = 0.2
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
    """Fit by least squares with a penalty on the weights but not on the intercept."""
    centre, mean = inputs.mean(axis=0), targets.mean(axis=0)
    moved = inputs - centre
    gram = moved.T @ moved + penalty * np.eye(inputs.shape[1])
    weights = solved(gram, moved.T @ (targets - mean))
    return Ridge(weights, mean - centre @ weights)


def logistic(inputs: Floats, target: Floats, *, penalty: float, start: Floats) -> Floats:
    """Return the weights of a logistic regression that is pulled towards ``start``; column 0 is the intercept."""
    weights = start.copy()
    pull = np.full(len(weights), penalty)
    pull[0] = 0.1
    for _ in range(_STEPS):
        mean = expit(inputs @ weights)
        curvature = np.maximum(mean * (1 - mean), _LEAST_CURVATURE)
        hessian = (inputs * curvature[:, None]).T @ inputs
        hessian[np.diag_indices(len(weights))] += pull
        weights = weights + solved(hessian, inputs.T @ (target - mean) - pull * (weights - start))
    return weights


def left_out(inputs: Floats, target: Floats, weights: Floats, *, penalty: float) -> Floats:
    """Return the probabilities of a logistic regression as if each row had been left out (one Newton step)."""
    mean = expit(inputs @ weights)
    curvature = np.maximum(mean * (1 - mean), _LEAST_CURVATURE)
    hessian = (inputs * curvature[:, None]).T @ inputs
    pull = np.full(len(weights), penalty)
    pull[0] = 0.1
    hessian[np.diag_indices(len(weights))] += pull
    leverage = np.einsum("ij,ij->i", inputs @ np.linalg.inv(hessian), inputs) * curvature
    step = (target - mean) * leverage / curvature / np.maximum(1 - leverage, _LEAST_OUT)
    return expit(inputs @ weights - step)


def folds(rows: int, count: int, *, seed: int) -> Codes:
    """Return the fold of each row, folds of equal size, at random."""
    places = np.empty(rows, dtype=np.int64)
    places[np.random.default_rng(seed).permutation(rows)] = np.arange(rows) % count
    return places


def nearest(points: Floats, centres: Floats) -> Codes:
    """Return the nearest centre of each point."""
    distance = (points**2).sum(axis=1)[:, None] - 2 * points @ centres.T + (centres**2).sum(axis=1)
    found: Codes = distance.argmin(axis=1)
    return found


def k_means(points: Floats, count: int, *, seed: int, starts: int = 8) -> Floats:
    """Return the centres of the tightest of several clusterings (k-means++ starts)."""
    best: tuple[float, Floats] | None = None
    for start in range(starts):
        centres = _settled(points, _spread(points, count, np.random.default_rng((seed, start))))
        loss = float(((points - centres[nearest(points, centres)]) ** 2).sum())
        if best is None or loss < best[0]:
            best = loss, centres
    assert best is not None
    return best[1]


def _spread(points: Floats, count: int, rng: np.random.Generator) -> Floats:
    centres = [points[rng.integers(len(points))]]
    while len(centres) < count:
        distance = np.min([((points - centre) ** 2).sum(axis=1) for centre in centres], axis=0)
        total = distance.sum()
        at = rng.choice(len(points), p=distance / total) if total > 0 else rng.integers(len(points))
        centres.append(points[at])
    return np.array(centres)


def _settled(points: Floats, centres: Floats) -> Floats:
    for _ in range(30):
        own = nearest(points, centres)
        members: list[Flags] = [own == at for at in range(len(centres))]
        centres = np.array([points[mine].mean(axis=0) if mine.any() else centres[at] for at, mine in enumerate(members)])
    return centres
