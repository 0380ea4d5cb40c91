"""Analyse an experiment; its intervals stay valid when this is done after every request."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from crew_router.learn.experiments.plan import BOUNDED, METRICS, Experiment, sign
from crew_router.learn.experiments.sequences import Interval, Level, Moments, difference, mismatch

if TYPE_CHECKING:
    from crew_router.decide.bandits.updates import Sums

UNITS: Final = "units"
_ALARM_ALPHA: Final = 1e-3  # probability of ever raising a false alarm about the sample ratio
_TUNED_AT: Final = 10.0  # intervals are narrowest at this many times min_samples


@dataclass(frozen=True, slots=True)
class Comparison:
    """One arm against another on one metric; ``interval`` is that of their difference, ``arm`` minus ``against``."""

    metric: str
    arm: str
    against: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class Report:
    """What an experiment shows.

    Args:
        experiment: The plan and its current state.
        means: By arm and metric, the mean and the number of values.
        comparisons: Each arm against the control on the primary metric.
        better: The arm that is better than every other one on the primary metric; empty when none is shown to be.
        harmful: Arms that are shown to be worse than a guard-rail allows, each with the metric.
        ready: Whether every arm has its minimum of samples.
        ratio_evidence: Natural logarithm of the evidence that arms do not get their shares (sample ratio mismatch).
        ratio_alarm: Whether that evidence passes its threshold; the other figures are then not to be trusted.
        preferences: By task type, the arm with the highest mean reward, and that mean.
        shadows: Share of decisions in which each shadow arm chose the model that was executed.
    """

    experiment: Experiment
    _: KW_ONLY
    means: Mapping[str, Mapping[str, tuple[float, float]]]
    comparisons: tuple[Comparison, ...]
    better: str
    harmful: Mapping[str, str]
    ready: bool
    ratio_evidence: float
    ratio_alarm: bool
    preferences: Mapping[str, tuple[str, float]]
    shadows: Mapping[str, float]


def group(name: str, stage: int) -> str:
    """Return the name of the group of sums that holds one stage of an experiment."""
    return f"trial:{quote(name, safe='')}:{stage}"


def analyze(experiment: Experiment, sums: Sums) -> Report:
    """Return the report of an experiment from its sums."""
    arms = [arm.name for arm in experiment.live]
    ready = all(_count(experiment, sums, arm) >= experiment.min_samples for arm in arms if arm not in experiment.harmed)
    evidence = sum(_ratio_evidence(experiment, sums, stage) for stage in range(experiment.stage + 1))
    means = {arm: {metric: _mean(experiment, sums, arm, metric) for metric in METRICS} for arm in arms}
    return Report(
        experiment,
        means=means,
        comparisons=tuple(_against_control(experiment, sums)),
        better=_better(experiment, sums) if ready else "",
        harmful=_harmful(experiment, sums),
        ready=ready,
        ratio_evidence=evidence,
        ratio_alarm=evidence > math.log(1.0 / _ALARM_ALPHA),
        preferences=_preferences(experiment, sums),
        shadows=_shadows(experiment, sums),
    )


def next_state(experiment: Experiment, report: Report) -> Experiment:
    """Return the experiment with the conclusions of its report: harmful arms stopped, a winner named, a roll-out moved on.

    Nothing is concluded while the sample ratio alarm is raised.
    """
    if experiment.status != "running" or report.ratio_alarm:
        return experiment
    newly_harmful = tuple(arm for arm in report.harmful if arm not in experiment.harmed)
    if newly_harmful:
        harmed = (*experiment.harmed, *newly_harmful)
        one_left = len(experiment.live) - len(harmed) <= 1
        return replace(experiment, harmed=harmed, stage=experiment.stage + 1, status="stopped" if one_left else "running")
    if experiment.stages:
        return _next_stage(experiment, report)
    if report.better:
        return replace(experiment, status="won", winner=report.better)
    return experiment


def _next_stage(experiment: Experiment, report: Report) -> Experiment:
    routed = experiment.live[1].name
    samples = report.means[routed][experiment.primary][1]
    if samples < experiment.min_samples * (experiment.stage + 1):
        return experiment
    if experiment.stage + 1 < len(experiment.stages):
        return replace(experiment, stage=experiment.stage + 1)
    return replace(experiment, status="won", winner=routed)


def _level(experiment: Experiment, statements: int) -> Level:
    return Level(experiment.alpha / max(statements, 1), _TUNED_AT * experiment.min_samples)


def _moments(experiment: Experiment, sums: Sums, arm: str, metric: str) -> list[Moments]:
    vectors = (sums.get(group(experiment.name, stage), {}).get(f"{arm}:{metric}", ()) for stage in range(experiment.stage + 1))
    return [Moments(*vector) for vector in vectors]


def _count(experiment: Experiment, sums: Sums, arm: str) -> float:
    return sum(each.count for each in _moments(experiment, sums, arm, experiment.primary))


def _mean(experiment: Experiment, sums: Sums, arm: str, metric: str) -> tuple[float, float]:
    moments = _moments(experiment, sums, arm, metric)
    count = sum(each.count for each in moments)
    return (sum(each.total for each in moments) / count if count else math.nan), count


def _compared(
    experiment: Experiment, sums: Sums, arms: tuple[str, str], *, metric: str, level: Level, tolerance: float = 0.0
) -> Interval | None:
    one, other = (_moments(experiment, sums, arm, metric) for arm in arms)
    return difference(one, other, level=level, bounded=metric in BOUNDED, tolerance=tolerance)


def _better(experiment: Experiment, sums: Sums) -> str:
    """Return the arm that beats each of the others, else ""; ``alpha`` is divided among all pairs."""
    arms = [arm.name for arm in experiment.live if arm.name not in experiment.harmed]
    level = _level(experiment, len(arms) * (len(arms) - 1) // 2)
    beaten: set[tuple[str, str]] = set()
    for pair in combinations(arms, 2):
        interval = _compared(experiment, sums, pair, metric=experiment.primary, level=level)
        if interval is not None and (interval.low > 0 or interval.high < 0):
            first_is_better = (interval.estimate > 0) == (sign(experiment.primary) > 0)
            beaten.add(pair if first_is_better else (pair[1], pair[0]))
    return next((arm for arm in arms if all((arm, other) in beaten for other in arms if other != arm)), "")


def _harmful(experiment: Experiment, sums: Sums) -> dict[str, str]:
    others = [arm.name for arm in experiment.live if arm.name != experiment.control]
    level = _level(experiment, len(others) * len(experiment.guardrails))
    harmful: dict[str, str] = {}
    for arm in others:
        for metric, tolerance in experiment.guardrails.items():
            enough = _count_of(experiment, sums, arm, metric) >= experiment.min_samples
            if enough and _harms(experiment, sums, arm, metric=metric, tolerance=tolerance, level=level):
                harmful.setdefault(arm, metric)
    return harmful


def _count_of(experiment: Experiment, sums: Sums, arm: str, metric: str) -> float:
    return min(sum(each.count for each in _moments(experiment, sums, name, metric)) for name in (arm, experiment.control))


def _harms(experiment: Experiment, sums: Sums, arm: str, *, metric: str, tolerance: float, level: Level) -> bool:
    pair = (arm, experiment.control)
    if metric in BOUNDED:
        interval = _compared(experiment, sums, pair, metric=metric, level=level)
        return interval is not None and interval.high < -tolerance
    interval = _compared(experiment, sums, pair, metric=metric, level=level, tolerance=tolerance)
    return interval is not None and interval.low > 0


def _against_control(experiment: Experiment, sums: Sums) -> list[Comparison]:
    others = [arm.name for arm in experiment.live if arm.name != experiment.control]
    level = _level(experiment, len(others))
    metric, control = experiment.primary, experiment.control
    intervals = ((arm, _compared(experiment, sums, (arm, control), metric=metric, level=level)) for arm in others)
    return [Comparison(experiment.primary, arm, experiment.control, interval) for arm, interval in intervals if interval is not None]


def _ratio_evidence(experiment: Experiment, sums: Sums, stage: int) -> float:
    counted = sums.get(group(experiment.name, stage), {})
    split = {name: counted.get(f"{name}:{UNITS}", (0.0, 0.0)) for name in (arm.name for arm in experiment.live)}
    # The second sum adds the share that each unit was counted with, so it is the expected count even when shares changed.
    expected = {name: cell[1] for name, cell in split.items() if cell[1] > 0}
    if len(expected) < 2 or not sum(cell[0] for cell in split.values()):  # noqa: PLR2004 - a ratio is of two
        return 0.0
    return mismatch([split[name][0] for name in expected], list(expected.values()))


def _preferences(experiment: Experiment, sums: Sums) -> dict[str, tuple[str, float]]:
    best: dict[str, tuple[str, float]] = {}
    counted = [sums.get(group(experiment.name, stage), {}) for stage in range(experiment.stage + 1)]
    tasks = {name.rpartition("@")[2] for names in counted for name in names if "@" in name}
    for task in sorted(tasks):
        means = [(arm.name, *_mean(experiment, sums, arm.name, f"reward@{task}")) for arm in experiment.live]
        with_enough_samples = [(name, mean) for name, mean, count in means if count >= experiment.min_samples]
        if with_enough_samples:
            best[task] = max(with_enough_samples, key=lambda pair: pair[1])
    return best


def _shadows(experiment: Experiment, sums: Sums) -> dict[str, float]:
    shares = {arm.name: _mean(experiment, sums, arm.name, "shadow") for arm in experiment.arms if arm.shadow}
    return {name: mean for name, (mean, count) in shares.items() if count}
