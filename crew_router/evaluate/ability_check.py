"""Check how well fitted abilities predict held-out figures, compared with a prediction from the tiers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.evaluate.abilities import Figure, fit_abilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_CLEAR: Final = 2.0  # sampling errors between two figures above which their order is taken to be certain


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Errors on held-out figures.

    A pair is two subjects on one benchmark; it is clear when their figures are more than two sampling errors apart.

    Args:
        figures: Number of figures.
        error_logits: Root mean square error in logits.
        error_points: Mean absolute error in points of 100.
        pairs: Number of clear pairs.
        pairs_right: Share of them, 0..1, whose order is predicted rightly.
    """

    figures: int
    error_logits: float
    error_points: float
    pairs: int
    pairs_right: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The errors of the fit and of the tier prior on the same held-out figures."""

    fit: HeldOut
    tiers: HeldOut


def compare_with_tiers(figures: Sequence[Figure], tiers: Mapping[str, float], *, folds: int = 10, seed: int = 0) -> Comparison:
    """Hold out figures, one fold at a time, refit without them, and predict them.

    Args:
        figures: All figures. Only those of the subjects in ``tiers`` are held out; the others link the scales.
        tiers: By subject, the ability that its tier suggests, on any scale. In favour of the tier prior, its scale and zero
            are fitted to the abilities, and it uses the fitted benchmarks.
        folds: Number of parts that the figures are divided into.
        seed: Makes the division repeatable.

    Raises:
        ValueError: No figure belongs to one of the subjects.
    """
    candidates = np.array([index for index, figure in enumerate(figures) if figure.subject in tiers])
    if candidates.size == 0:
        message = "none of the figures is of one of the subjects"
        raise ValueError(message)
    part = np.random.default_rng(seed).permutation(candidates.size) % folds
    by_fit, by_tier = np.full(candidates.size, np.nan), np.full(candidates.size, np.nan)
    for fold in range(folds):
        held_out = candidates[part == fold]
        kept = np.delete(np.arange(len(figures)), held_out)
        by_fit[part == fold], by_tier[part == fold] = _predictions(
            [figures[int(index)] for index in kept], [figures[int(index)] for index in held_out], tiers
        )
    known = ~(np.isnan(by_fit) | np.isnan(by_tier))
    predicted_figures = [figures[int(index)] for index in candidates[known]]
    return Comparison(_errors(predicted_figures, by_fit[known]), _errors(predicted_figures, by_tier[known]))


def _predictions(kept: Sequence[Figure], held_out: Sequence[Figure], tiers: Mapping[str, float]) -> tuple[Floats, Floats]:
    """Return the held-out logits predicted by the fit and by the tiers; NaN where subject or benchmark is not in the fit."""
    fit = fit_abilities(kept, resamples=0)
    names = [name for name in tiers if name in fit.abilities]
    abilities = np.array([fit.abilities[name].value for name in names])
    scale = np.polyfit([tiers[name] for name in names], abilities, 1)
    known = [figure.subject in fit.abilities and figure.benchmark in fit.benchmarks for figure in held_out]
    by_fit = [fit.logit(f.subject, f.benchmark, f.family) if ok else np.nan for f, ok in zip(held_out, known, strict=True)]
    by_tier = [
        fit.benchmarks[f.benchmark].slope * (float(np.polyval(scale, tiers[f.subject])) - fit.benchmarks[f.benchmark].difficulty)
        if ok
        else np.nan
        for f, ok in zip(held_out, known, strict=True)
    ]
    return np.array(by_fit), np.array(by_tier)


def _errors(figures: Sequence[Figure], predicted: Floats) -> HeldOut:
    observed = np.array([figure.logit for figure in figures])
    noise = np.array([figure.sampling_error for figure in figures])
    benchmarks: dict[str, list[int]] = {}
    for index, figure in enumerate(figures):
        benchmarks.setdefault(figure.benchmark, []).append(index)
    pairs, ordered_right = 0, 0.0
    for indices in benchmarks.values():
        first, second = np.triu_indices(len(indices), 1)
        a, b = np.array(indices)[first], np.array(indices)[second]
        clear = np.abs(observed[a] - observed[b]) > _CLEAR * np.hypot(noise[a], noise[b])
        agreement = np.sign(observed[a] - observed[b]) * np.sign(predicted[a] - predicted[b])
        pairs += int(clear.sum())
        ordered_right += float(((agreement[clear] + 1) / 2).sum())  # a predicted tie counts as half right
    return HeldOut(
        len(figures),
        float(np.sqrt(((predicted - observed) ** 2).mean())),
        100 * float(np.abs(_share(predicted) - _share(observed)).mean()),
        pairs,
        ordered_right / max(pairs, 1),
    )


def _share(logit: Floats) -> Floats:
    share: Floats = 1 / (1 + np.exp(-logit))
    return share
