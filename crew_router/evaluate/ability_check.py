"""How well abilities predict figures that the fit has not seen, beside what the tiers alone would have said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.evaluate.abilities import Figure, fit_abilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_CLEAR: Final = 2.0  # errors between two figures from which on their order is not a matter of chance


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Errors on held-out figures: root mean square in logits, mean in points of 100, and the share of clear pairs ordered rightly.

    A pair is two subjects on one benchmark; it is clear when their figures are more than two sampling errors apart.
    """

    figures: int
    error_logits: float
    error_points: float
    pairs: int
    pairs_right: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The fit beside the tier prior, on the same held-out figures."""

    fit: HeldOut
    tiers: HeldOut


def compare_with_tiers(figures: Sequence[Figure], tiers: Mapping[str, float], *, folds: int = 10, seed: int = 0) -> Comparison:
    """Hold out the figures of some subjects, a fold at a time, refit without them, and predict them.

    Args:
        figures: All figures; those of other subjects only link the scales and are never held out.
        tiers: Subject to the ability that its tier suggests, on any scale: the tier prior gets the scale and zero that suit it
            best, the benchmarks of the fit, and so the best chance it can have.
        folds: Parts that the figures are divided into.
        seed: Of the division.

    Raises:
        ValueError: No figure is of one of the subjects.
    """
    places = np.array([at for at, figure in enumerate(figures) if figure.subject in tiers])
    if places.size == 0:
        message = "none of the figures is of one of the subjects"
        raise ValueError(message)
    part = np.random.default_rng(seed).permutation(places.size) % folds
    by_fit, by_tier = np.full(places.size, np.nan), np.full(places.size, np.nan)
    for fold in range(folds):
        out = places[part == fold]
        kept = np.delete(np.arange(len(figures)), out)
        by_fit[part == fold], by_tier[part == fold] = _predictions(
            [figures[int(at)] for at in kept], [figures[int(at)] for at in out], tiers
        )
    known = ~(np.isnan(by_fit) | np.isnan(by_tier))
    judged = [figures[int(at)] for at in places[known]]
    return Comparison(_judge(judged, by_fit[known]), _judge(judged, by_tier[known]))


def _predictions(kept: Sequence[Figure], out: Sequence[Figure], tiers: Mapping[str, float]) -> tuple[Floats, Floats]:
    """Return what the fit and what the tiers say of held-out figures; NaN where the rest knows nothing of subject or benchmark."""
    fit = fit_abilities(kept, resamples=0)
    names = [name for name in tiers if name in fit.abilities]
    found = np.array([fit.abilities[name].value for name in names])
    scale = np.polyfit([tiers[name] for name in names], found, 1)
    known = [figure.subject in fit.abilities and figure.benchmark in fit.benchmarks for figure in out]
    by_fit = [fit.logit(f.subject, f.benchmark, f.family) if ok else np.nan for f, ok in zip(out, known, strict=True)]
    by_tier = [
        fit.benchmarks[f.benchmark].slope * (float(np.polyval(scale, tiers[f.subject])) - fit.benchmarks[f.benchmark].difficulty)
        if ok
        else np.nan
        for f, ok in zip(out, known, strict=True)
    ]
    return np.array(by_fit), np.array(by_tier)


def _judge(figures: Sequence[Figure], predicted: Floats) -> HeldOut:
    seen = np.array([figure.logit for figure in figures])
    noise = np.array([figure.sampling_error for figure in figures])
    benchmarks: dict[str, list[int]] = {}
    for at, figure in enumerate(figures):
        benchmarks.setdefault(figure.benchmark, []).append(at)
    pairs, right = 0, 0.0
    for places in benchmarks.values():
        first, second = np.triu_indices(len(places), 1)
        a, b = np.array(places)[first], np.array(places)[second]
        clear = np.abs(seen[a] - seen[b]) > _CLEAR * np.hypot(noise[a], noise[b])
        agreement = np.sign(seen[a] - seen[b]) * np.sign(predicted[a] - predicted[b])
        pairs += int(clear.sum())
        right += float(((agreement[clear] + 1) / 2).sum())  # a tie of the prediction is half right
    return HeldOut(
        len(figures),
        float(np.sqrt(((predicted - seen) ** 2).mean())),
        100 * float(np.abs(_share(predicted) - _share(seen)).mean()),
        pairs,
        right / max(pairs, 1),
    )


def _share(logit: Floats) -> Floats:
    share: Floats = 1 / (1 + np.exp(-logit))
    return share
