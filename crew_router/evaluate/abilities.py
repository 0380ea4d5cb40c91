"""Abilities from published figures: an item response model with a difficulty and a slope per benchmark.

A figure ``y`` (the logit of a share of right answers) of a subject (a model at one effort) on a benchmark is read as

    y = slope * (ability + offset of the subject in the benchmark's family - difficulty) + noise

where the noise is the sampling error of the figure plus one misfit variance a benchmark. Abilities, slopes, difficulties and
variances come from expectation maximisation; ``docs/evidence.md`` explains what the numbers mean and what they cannot tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.int64]

HARNESS_ERROR: Final = 0.16
"""Logits by which a measurer's harness moves a model; ``benchmarks/registry/fit.py`` prints what the figures at hand say."""

_SLOPE_SPREAD: Final = 0.2  # prior of the slopes around 1; nearly all published benchmarks lie within it
_DIFFICULTY_SPREAD: Final = 3.0
_MISFIT: Final = 0.1  # prior of a benchmark's misfit variance, worth _MISFIT_ROWS figures
_MISFIT_ROWS: Final = 4.0
_SUBJECTS_FOR_SPREAD: Final = 10
_ROUNDS: Final = 80
_RESAMPLE_ROUNDS: Final = 8
_SETTLED: Final = 1e-5


@dataclass(frozen=True, slots=True)
class Figure:
    """One published figure.

    Args:
        subject: What was measured: a model at one effort.
        benchmark: On what.
        logit: Logit of the share of right answers, chance taken off.
        sampling_error: Its standard error from the number of questions, in logits.
        family: Kind of work, such as ``code``; subjects may be better or worse at one.
        source: Who measured it.
    """

    subject: str
    benchmark: str
    logit: float
    sampling_error: float
    family: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The ability of a subject, its standard error in logits, and what it rests on."""

    value: float
    error: float
    figures: int
    sources: tuple[str, ...]
    by_family: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class BenchmarkFit:
    """How a benchmark turns ability into its figure; ``misfit`` is a standard deviation in logits."""

    slope: float
    difficulty: float
    misfit: float
    figures: int


@dataclass(frozen=True, slots=True)
class AbilityFit:
    """Abilities of all subjects and what was found of the benchmarks."""

    abilities: Mapping[str, Estimate]
    benchmarks: Mapping[str, BenchmarkFit]

    def logit(self, subject: str, benchmark: str, family: str = "") -> float:
        """Return the figure to expect of a subject on a benchmark, as a logit.

        Raises:
            KeyError: One of the two was not in the fit.
        """
        found, scale = self.abilities[subject], self.benchmarks[benchmark]
        return scale.slope * (found.by_family.get(family, found.value) - scale.difficulty)


@dataclass(frozen=True, slots=True)
class _Data:
    subjects: tuple[str, ...]
    benchmarks: tuple[str, ...]
    families: tuple[str, ...]
    subject: Places
    benchmark: Places
    family: Places
    y: Floats
    noise: Floats
    prior: Floats
    prior_weight: Floats


@dataclass(frozen=True, slots=True)
class _State:
    """``mean`` and ``cov`` are those of (ability, offset of each family) of every subject."""

    slope: Floats
    intercept: Floats
    misfit: Floats
    spread: Floats
    mean: Floats
    cov: Floats


def fit_abilities(
    figures: Sequence[Figure],
    *,
    known: Mapping[str, tuple[float, float]] | None = None,
    anchors: Mapping[str, float] | None = None,
    resamples: int = 24,
    seed: int = 0,
) -> AbilityFit:
    """Fit abilities to figures; seconds for ten thousand figures.

    Args:
        figures: At least one; subjects and benchmarks that share none are linked only by the priors.
        known: Ability and error of subjects that are known already; they set the scale.
        anchors: Abilities that some subjects are to have, so that one fit speaks on the scale of another: the whole scale is
            moved for one of them, moved and stretched by least squares for more. Not together with ``known``.
        resamples: Times that the benchmarks are drawn again to see how much a choice of benchmarks matters; 0 leaves it out.
        seed: Of those draws.

    Raises:
        ValueError: There is no figure, or one is not finite.
    """
    data = _arrays(figures, known or {})
    state = _settle(data, _start(data), np.ones(len(data.benchmarks)), rounds=_ROUNDS)
    error = np.sqrt(state.cov[:, 0, 0])
    if resamples:
        error = np.maximum(error, _resampled(data, state, times=resamples, rng=np.random.default_rng(seed)))
    stretch, move = _onto({name: value for name, value in (anchors or {}).items() if name in data.subjects}, data, state)
    return _report(data, state, error, stretch=stretch, move=move)


def _onto(anchors: Mapping[str, float], data: _Data, state: _State) -> tuple[float, float]:
    """Return the factor and the summand that bring the anchors to their abilities."""
    if not anchors:
        return 1.0, 0.0
    found = np.array([state.mean[data.subjects.index(name), 0] for name in anchors])
    wanted = np.array(list(anchors.values()))
    apart = found - found.mean()
    stretch = 1.0 if found.size == 1 else float(apart @ wanted / (apart @ apart))
    return stretch, float(wanted.mean() - stretch * found.mean())


def _arrays(figures: Sequence[Figure], known: Mapping[str, tuple[float, float]]) -> _Data:
    if not figures:
        message = "there is no figure to fit; give at least one"
        raise ValueError(message)
    subjects = tuple(dict.fromkeys(figure.subject for figure in figures))
    benchmarks = tuple(dict.fromkeys(figure.benchmark for figure in figures))
    families = tuple(dict.fromkeys(figure.family for figure in figures if figure.family))
    y = np.array([figure.logit for figure in figures])
    noise = np.array([figure.sampling_error for figure in figures]) ** 2
    if not (np.isfinite(y).all() and np.isfinite(noise).all()):
        message = "a figure or its sampling error is not a finite number"
        raise ValueError(message)
    at = {name: place for place, name in enumerate(subjects)}
    test_at = {name: place for place, name in enumerate(benchmarks)}
    family_at = {name: place + 1 for place, name in enumerate(families)}
    given = [known.get(name) for name in subjects]
    return _Data(
        subjects,
        benchmarks,
        families,
        np.array([at[figure.subject] for figure in figures]),
        np.array([test_at[figure.benchmark] for figure in figures]),
        np.array([family_at.get(figure.family, 0) for figure in figures]),
        y,
        noise,
        np.array([np.nan if pair is None else pair[0] for pair in given]),
        np.array([np.nan if pair is None else 1 / pair[1] ** 2 for pair in given]),
    )


def _start(data: _Data) -> _State:
    size = 1 + len(data.families)
    spread = np.array([1.0, *([0.03] * len(data.families))])
    count = len(data.benchmarks)
    mean = np.zeros((len(data.subjects), size))
    mean[:, 0] = np.nan_to_num(data.prior)
    middle = np.bincount(data.benchmark, data.y - mean[data.subject, 0], count) / np.bincount(data.benchmark, minlength=count)
    return _State(np.ones(count), middle, np.full(count, _MISFIT), spread, mean, np.zeros((len(data.subjects), size, size)))


def _settle(data: _Data, state: _State, weight: Floats, *, rounds: int) -> _State:
    """Repeat the two steps until the abilities stand still; ``weight`` is how often each benchmark counts."""
    for _ in range(rounds):
        before = state.mean[:, 0]
        state = _benchmarks_step(data, _subjects_step(data, state, weight), weight)
        if float(np.abs(state.mean[:, 0] - before).max()) < _SETTLED:
            break
    return state


def _subjects_step(data: _Data, state: _State, weight: Floats) -> _State:
    """Return the posterior of every subject, given the benchmarks."""
    people, size = state.mean.shape
    slope = state.slope[data.benchmark]
    precision = weight[data.benchmark] / (data.noise + state.misfit[data.benchmark])
    pull, hold = precision * slope * (data.y - state.intercept[data.benchmark]), precision * slope**2
    place = data.subject * size + data.family
    held = _sums(place, hold, people * size).reshape(people, size)
    target = _sums(place, pull, people * size).reshape(people, size)
    information = np.zeros((people, size, size))
    diagonal: Places = np.arange(1, size, dtype=np.int64)
    information[:, 0, 1:] = information[:, 1:, 0] = information[:, diagonal, diagonal] = held[:, 1:]
    information[:, 0, 0] = held.sum(axis=1)
    target[:, 0] = target.sum(axis=1)
    free = np.isnan(data.prior)
    middle = float(state.mean[free, 0].mean()) if free.any() else 0.0
    own = np.where(free, 1 / state.spread[0], np.nan_to_num(data.prior_weight))
    information[:, 0, 0] += own
    target[:, 0] += own * np.where(free, middle, np.nan_to_num(data.prior))
    information[:, diagonal, diagonal] += 1 / state.spread[1:]
    cov = np.linalg.inv(information).astype(np.float64)
    mean = np.einsum("ijk,ik->ij", cov, target)
    if not free.all():
        return replace(state, mean=mean, cov=cov)
    # Without known subjects the zero is free: it stays where the mean is, so that nothing drifts.
    mean[:, 0] -= mean[:, 0].mean()
    return replace(state, mean=mean, cov=cov)


def _benchmarks_step(data: _Data, state: _State, weight: Floats) -> _State:
    """Return slopes, intercepts, misfits and spreads, given the subjects."""
    x, doubt = _ability_at(data, state)
    at, count = data.benchmark, len(data.benchmarks)
    precision = weight[at] / (data.noise + state.misfit[at])

    def total(values: Floats) -> Floats:
        return _sums(at, values, count)

    hold = 1 / _SLOPE_SPREAD**2
    sxx, sx, s1 = total(precision * (x**2 + doubt)) + hold, total(precision * x), total(precision) + 1 / _DIFFICULTY_SPREAD**2
    sxy, sy = total(precision * x * data.y) + hold, total(precision * data.y)
    determinant = sxx * s1 - sx**2
    slope, intercept = (sxy * s1 - sx * sy) / determinant, (sxx * sy - sx * sxy) / determinant
    # A benchmark on which the abler do worse would tell nothing of ability; the bounds keep it from turning the scale round.
    slope = np.clip(slope, 0.1, 3.0)
    residual = (data.y - slope[at] * x - intercept[at]) ** 2 + slope[at] ** 2 * doubt
    share = state.misfit[at] / (state.misfit[at] + data.noise)
    expected = weight[at] * (share**2 * residual + share * data.noise)
    misfit = (total(expected) + _MISFIT_ROWS * _MISFIT) / (total(weight[at]) + _MISFIT_ROWS)
    return replace(state, slope=slope, intercept=intercept, misfit=misfit, spread=_spreads(data, state))


def _sums(places: Places, values: Floats, size: int) -> Floats:
    return np.bincount(places, values, size).astype(np.float64)


def _ability_at(data: _Data, state: _State) -> tuple[Floats, Floats]:
    """Return ability and its variance for the family of every figure."""
    who, which = data.subject, data.family
    inside = which > 0
    x = state.mean[who, 0] + np.where(inside, state.mean[who, which], 0.0)
    doubt = state.cov[who, 0, 0] + np.where(inside, 2 * state.cov[who, 0, which] + state.cov[who, which, which], 0.0)
    return x, np.maximum(doubt, 0.0)


def _spreads(data: _Data, state: _State) -> Floats:
    """Return the variance of abilities, and that of the offsets in each family over the subjects that were measured in it."""
    free = np.isnan(data.prior)
    spread = state.spread.copy()
    # The variance of a handful of subjects about their own mean says nothing; the prior stays until there are some.
    if free.sum() >= _SUBJECTS_FOR_SPREAD:
        ability = state.mean[free, 0]
        spread[0] = max(float(((ability - ability.mean()) ** 2 + state.cov[free, 0, 0]).mean()), 0.05)
    for family in range(1, spread.size):
        who = np.unique(data.subject[data.family == family])
        seen = state.mean[who, family] ** 2 + state.cov[who, family, family]
        spread[family] = max(float(seen.mean()), 1e-3)
    return spread


def _resampled(data: _Data, state: _State, *, times: int, rng: np.random.Generator) -> Floats:
    """Return how far each ability moves when the benchmarks are drawn again, as a standard deviation."""
    count = len(data.benchmarks)
    moves: list[Floats] = []
    for _ in range(times):
        weight = np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64)
        again = _settle(data, state, weight, rounds=_RESAMPLE_ROUNDS)
        present = np.bincount(data.subject, weight[data.benchmark], len(data.subjects)) > 0
        moved = again.mean[:, 0] - state.mean[:, 0]
        moves.append(np.where(present, moved - moved[present].mean(), np.nan))
    stacked = np.array(moves)
    seen = np.maximum((~np.isnan(stacked)).sum(axis=0), 1)
    spread: Floats = np.sqrt(np.nansum(stacked**2, axis=0) / seen)
    return spread


def _report(data: _Data, state: _State, error: Floats, *, stretch: float, move: float) -> AbilityFit:
    counts = np.bincount(data.subject, minlength=len(data.subjects))
    ability = state.mean[:, 0] * stretch + move
    offsets = state.mean[:, 1:] * stretch
    abilities = {
        name: Estimate(
            float(ability[at]),
            float(error[at] * stretch),
            int(counts[at]),
            (),
            {family: float(ability[at] + offsets[at, place]) for place, family in enumerate(data.families)},
        )
        for at, name in enumerate(data.subjects)
    }
    sizes = np.bincount(data.benchmark, minlength=len(data.benchmarks))
    difficulty = -state.intercept / state.slope * stretch + move
    benchmarks = {
        name: BenchmarkFit(float(state.slope[at] / stretch), float(difficulty[at]), float(np.sqrt(state.misfit[at])), int(sizes[at]))
        for at, name in enumerate(data.benchmarks)
    }
    return AbilityFit(abilities, benchmarks)


def with_sources(fit: AbilityFit, figures: Iterable[Figure]) -> AbilityFit:
    """Return a fit whose abilities name their sources, with the error of a harness added to each: fewer measurers, more doubt."""
    sources: dict[str, dict[str, None]] = {}
    for figure in figures:
        sources.setdefault(figure.subject, {})[figure.source] = None
    told: dict[str, Estimate] = {}
    for name, found in fit.abilities.items():
        names = tuple(sorted(sources.get(name, {})))
        error = float(np.hypot(found.error, HARNESS_ERROR / np.sqrt(max(len(names), 1))))
        told[name] = replace(found, error=error, sources=names)
    return replace(fit, abilities=told)


def never_falling(estimates: Sequence[Estimate]) -> list[Estimate]:
    """Return the abilities of rising efforts, joined where one falls by less than two errors.

    More thinking does not make a model less able by itself; a fall within the errors is noise, one beyond them is kept.
    """
    groups: list[tuple[float, float, int]] = []  # value, smallest error, how many efforts
    for found in estimates:
        value, error, size = found.value, found.error, 1
        while groups and value < groups[-1][0] and groups[-1][0] - value <= 2 * float(np.hypot(error, groups[-1][1])):
            before, before_error, before_size = groups.pop()
            ours, theirs = size / error**2, before_size / before_error**2
            value = (ours * value + theirs * before) / (ours + theirs)
            error, size = min(error, before_error), size + before_size
        groups.append((value, error, size))
    joined = [value for value, _, size in groups for _ in range(size)]
    return [replace(found, value=value) for found, value in zip(estimates, joined, strict=True)]
