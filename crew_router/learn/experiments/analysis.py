"""What an experiment shows so far; may be asked after every request."""

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
_ALARM: Final = 1e-3  # probability of ever raising a false alarm about the sample ratio
_TUNED: Final = 10.0  # times min_samples, where intervals are narrowest


@dataclass(frozen=True, slots=True)
class Comparison:
    """One arm against another on one metric; ``interval`` is of their difference."""

    metric: str
    arm: str
    against: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class Report:
    """What an experiment shows.

    Args:
        experiment: Its plan and where it stands.
        means: Mean by arm and metric, with how many values are behind it.
        comparisons: Each arm with the control on the primary metric.
        better: Arm that is better than every other one on the primary metric, empty when that is not shown.
        harmful: Arms that are shown to be worse than a guard-rail allows, with the metric.
        ready: Whether every arm has its minimum of samples.
        ratio_evidence: Natural logarithm of the evidence that arms do not get their shares.
        ratio_alarm: Whether that is beyond doubt; then nothing above is to be believed.
        preferences: Arm with the highest mean reward by task type, with the mean.
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
    """Return the group of sums of one stage."""
    return f"trial:{quote(name, safe='')}:{stage}"


def analyze(experiment: Experiment, sums: Sums) -> Report:
    """Return what the sums show."""
    arms = [arm.name for arm in experiment.live]
    ready = all(_count(experiment, sums, arm) >= experiment.min_samples for arm in arms if arm not in experiment.harmed)
    evidence = sum(_ratio(experiment, sums, stage) for stage in range(experiment.stage + 1))
    means = {arm: {metric: _mean(experiment, sums, arm, metric) for metric in METRICS} for arm in arms}
    return Report(
        experiment,
        means=means,
        comparisons=tuple(_against_control(experiment, sums)),
        better=_better(experiment, sums) if ready else "",
        harmful=_harmful(experiment, sums),
        ready=ready,
        ratio_evidence=evidence,
        ratio_alarm=evidence > math.log(1.0 / _ALARM),
        preferences=_preferences(experiment, sums),
        shadows=_shadows(experiment, sums),
    )


def moved_on(experiment: Experiment, report: Report) -> Experiment:
    """Return the experiment as its report leaves it: harmful arms stopped, a winner adopted, a roll-out one step up.

    With a sample-ratio alarm nothing is concluded.
    """
    if experiment.status != "running" or report.ratio_alarm:
        return experiment
    fresh = tuple(arm for arm in report.harmful if arm not in experiment.harmed)
    if fresh:
        harmed = (*experiment.harmed, *fresh)
        alone = len(experiment.live) - len(harmed) <= 1
        return replace(experiment, harmed=harmed, stage=experiment.stage + 1, status="stopped" if alone else "running")
    if experiment.stages:
        return _climbed(experiment, report)
    if report.better:
        return replace(experiment, status="won", winner=report.better)
    return experiment


def _climbed(experiment: Experiment, report: Report) -> Experiment:
    routed = experiment.live[1].name
    samples = report.means[routed][experiment.primary][1]
    if samples < experiment.min_samples * (experiment.stage + 1):
        return experiment
    if experiment.stage + 1 < len(experiment.stages):
        return replace(experiment, stage=experiment.stage + 1)
    return replace(experiment, status="won", winner=routed)


def _level(experiment: Experiment, statements: int) -> Level:
    return Level(experiment.alpha / max(statements, 1), _TUNED * experiment.min_samples)


def _moments(experiment: Experiment, sums: Sums, arm: str, metric: str) -> list[Moments]:
    found = (sums.get(group(experiment.name, stage), {}).get(f"{arm}:{metric}", ()) for stage in range(experiment.stage + 1))
    return [Moments(*vector) for vector in found]


def _count(experiment: Experiment, sums: Sums, arm: str) -> float:
    return sum(each.count for each in _moments(experiment, sums, arm, experiment.primary))


def _mean(experiment: Experiment, sums: Sums, arm: str, metric: str) -> tuple[float, float]:
    every = _moments(experiment, sums, arm, metric)
    count = sum(each.count for each in every)
    return (sum(each.total for each in every) / count if count else math.nan), count


def _compared(
    experiment: Experiment, sums: Sums, arms: tuple[str, str], *, metric: str, level: Level, tolerance: float = 0.0
) -> Interval | None:
    one, other = (_moments(experiment, sums, arm, metric) for arm in arms)
    return difference(one, other, level=level, bounded=metric in BOUNDED, tolerance=tolerance)


def _better(experiment: Experiment, sums: Sums) -> str:
    """Return the arm that beats each of the others; all pairs share the error."""
    arms = [arm.name for arm in experiment.live if arm.name not in experiment.harmed]
    level = _level(experiment, len(arms) * (len(arms) - 1) // 2)
    beaten: set[tuple[str, str]] = set()
    for pair in combinations(arms, 2):
        found = _compared(experiment, sums, pair, metric=experiment.primary, level=level)
        if found is not None and (found.low > 0 or found.high < 0):
            up = (found.estimate > 0) == (sign(experiment.primary) > 0)
            beaten.add(pair if up else (pair[1], pair[0]))
    return next((arm for arm in arms if all((arm, other) in beaten for other in arms if other != arm)), "")


def _harmful(experiment: Experiment, sums: Sums) -> dict[str, str]:
    others = [arm.name for arm in experiment.live if arm.name != experiment.control]
    level = _level(experiment, len(others) * len(experiment.guardrails))
    found: dict[str, str] = {}
    for arm in others:
        for metric, tolerance in experiment.guardrails.items():
            enough = _count_of(experiment, sums, arm, metric) >= experiment.min_samples
            if enough and _harms(experiment, sums, arm, metric=metric, tolerance=tolerance, level=level):
                found.setdefault(arm, metric)
    return found


def _count_of(experiment: Experiment, sums: Sums, arm: str, metric: str) -> float:
    return min(sum(each.count for each in _moments(experiment, sums, name, metric)) for name in (arm, experiment.control))


def _harms(experiment: Experiment, sums: Sums, arm: str, *, metric: str, tolerance: float, level: Level) -> bool:
    pair = (arm, experiment.control)
    if metric in BOUNDED:
        found = _compared(experiment, sums, pair, metric=metric, level=level)
        return found is not None and found.high < -tolerance
    found = _compared(experiment, sums, pair, metric=metric, level=level, tolerance=tolerance)
    return found is not None and found.low > 0


def _against_control(experiment: Experiment, sums: Sums) -> list[Comparison]:
    others = [arm.name for arm in experiment.live if arm.name != experiment.control]
    level = _level(experiment, len(others))
    metric, control = experiment.primary, experiment.control
    found = ((arm, _compared(experiment, sums, (arm, control), metric=metric, level=level)) for arm in others)
    return [Comparison(experiment.primary, arm, experiment.control, interval) for arm, interval in found if interval is not None]


def _ratio(experiment: Experiment, sums: Sums, stage: int) -> float:
    counted = sums.get(group(experiment.name, stage), {})
    split = {name: counted.get(f"{name}:{UNITS}", (0.0, 0.0)) for name in (arm.name for arm in experiment.live)}
    # The second figure is the share that held when the unit was counted, summed: expected counts of any split.
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
        seen = [(name, mean) for name, mean, count in means if count >= experiment.min_samples]
        if seen:
            best[task] = max(seen, key=lambda pair: pair[1])
    return best


def _shadows(experiment: Experiment, sums: Sums) -> dict[str, float]:
    found = {arm.name: _mean(experiment, sums, arm.name, "shadow") for arm in experiment.arms if arm.shadow}
    return {name: mean for name, (mean, count) in found.items() if count}
