"""Chooses one candidate for each task so that the run's success is highest within budget and deadline.

A multiple-choice knapsack with the finishing times of the task graph, solved as a mixed-integer program by HiGHS.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Final

import numpy as np

from crew_router.errors import InvalidRequestError, MissingDependencyError

_LEAST_P: Final = 1e-9
_GAP: Final = 1e-4  # relative; what is left of it is stated with the plan
_SLACK: Final = 1e-9
_TIME_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Option:
    """What a candidate would do for a task: expected USD, seconds and P(success)."""

    candidate: str
    cost_usd: float
    latency_s: float
    success: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """The places of the options that were chosen, by task, what they come to, and how far from the optimum they may be."""

    at: tuple[int, ...]
    _: KW_ONLY
    cost_usd: float
    latency_s: float
    success: float
    gap: float


def choose(
    options: Sequence[Sequence[Option]],
    *,
    waits_for: Sequence[Sequence[int]],
    budget_usd: float | None = None,
    deadline_s: float | None = None,
    weights: Sequence[float] | None = None,
) -> Chosen:
    """Return the best choice.

    Args:
        options: Candidates of each task.
        waits_for: Places of the tasks that must have ended before each.
        budget_usd: Most USD that the run may be expected to cost.
        deadline_s: Most seconds that it may be expected to take.
        weights: What each task's success is worth; without them all tasks must succeed.

    Raises:
        InvalidRequestError: Nothing fits; the message says from which budget or deadline on something does.
        MissingDependencyError: scipy is not installed.

    Example:
        >>> cheap, good = Option("a", 0.01, 1.0, 0.5), Option("b", 0.05, 1.0, 0.9)
        >>> choose([[cheap, good], [cheap, good]], waits_for=[[], [0]], budget_usd=0.06).success
        0.45
    """
    kept = [_undominated(each) for each in options]
    _check_feasible(options, waits_for=waits_for, budget_usd=budget_usd, deadline_s=deadline_s)
    picked, gap = _solved(options, kept, waits_for=waits_for, budget_usd=budget_usd, deadline_s=deadline_s, weights=weights)
    chosen = [options[task][at] for task, at in enumerate(picked)]
    return Chosen(
        tuple(picked), cost_usd=sum(each.cost_usd for each in chosen),
        latency_s=finish(waits_for, [each.latency_s for each in chosen])[0],
        success=run_success([each.success for each in chosen], weights), gap=gap,
    )  # fmt: skip


def run_success(each: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """Return a run's expected success: the product over its tasks, or the mean by weight."""
    if weights is None:
        return math.prod(each)
    return sum(p * weight for p, weight in zip(each, weights, strict=True)) / sum(weights)


def finish(waits_for: Sequence[Sequence[int]], latency_s: Sequence[float]) -> tuple[float, tuple[int, ...]]:
    """Return the seconds until all tasks have ended, and the places of those that decide it, in order."""
    ends: list[float] = []
    because: list[int | None] = []
    for task, before in enumerate(waits_for):
        last = max(before, key=lambda other: ends[other], default=None)
        ends.append((0.0 if last is None else ends[last]) + latency_s[task])
        because.append(last)
    if not ends:
        return 0.0, ()
    at: int | None = max(range(len(ends)), key=lambda task: (ends[task], task))
    total, path = ends[at or 0], list[int]()
    while at is not None:
        path.append(at)
        at = because[at]
    return total, tuple(reversed(path))


def _undominated(options: Sequence[Option]) -> list[int]:
    """Return the places of options that no other beats in cost, latency and success at once; of equals, the first."""
    order = sorted(range(len(options)), key=lambda at: (options[at].cost_usd, options[at].latency_s, -options[at].success))
    kept: list[int] = []
    for at in order:
        each = options[at]
        if not any(options[other].latency_s <= each.latency_s and options[other].success >= each.success for other in kept):
            kept.append(at)
    return kept


def _check_feasible(
    options: Sequence[Sequence[Option]], *, waits_for: Sequence[Sequence[int]], budget_usd: float | None, deadline_s: float | None
) -> None:
    least = sum(min(each.cost_usd for each in some) for some in options)
    if budget_usd is not None and least > budget_usd + _SLACK:
        raise InvalidRequestError("budget_usd", budget_usd, expected=f"at least {least:.6f}, what the cheapest candidates cost")
    fastest = finish(waits_for, [min(each.latency_s for each in some) for some in options])[0]
    if deadline_s is not None and fastest > deadline_s + _SLACK:
        raise InvalidRequestError("deadline_s", deadline_s, expected=f"at least {fastest:.2f}, what the fastest candidates take")


@dataclass(frozen=True, slots=True)
class _Row:
    """One linear constraint: coefficients by column, and the bounds of their sum."""

    terms: Mapping[int, float]
    low: float
    high: float


def _solved(
    options: Sequence[Sequence[Option]],
    kept: Sequence[Sequence[int]],
    *,
    waits_for: Sequence[Sequence[int]],
    budget_usd: float | None,
    deadline_s: float | None,
    weights: Sequence[float] | None,
) -> tuple[list[int], float]:
    """Solve the program; one column a candidate, and behind them one a task for the second at which it ends."""
    try:
        from scipy.optimize import Bounds, LinearConstraint, milp  # type: ignore[import-untyped]
        from scipy.sparse import csr_matrix  # type: ignore[import-untyped]
    except ImportError as missing:
        raise MissingDependencyError("scipy", extra="plan") from missing
    flat = [(task, at) for task in range(len(options)) for at in kept[task]]
    columns = [[place for place, (owner, _) in enumerate(flat) if owner == task] for task in range(len(options))]
    each = [options[task][at] for task, at in flat]
    rows = [_Row(dict.fromkeys(own, 1.0), 1.0, 1.0) for own in columns]
    if budget_usd is not None:
        rows.append(_Row({place: option.cost_usd for place, option in enumerate(each)}, -np.inf, budget_usd + _SLACK))
    if deadline_s is not None:
        rows.extend(_order(each, columns, waits_for))
    size, ends = len(flat), len(options) if deadline_s is not None else 0
    gain = np.zeros(size + ends)
    gain[:size] = [_gain(option.success, None if weights is None else weights[task]) for option, (task, _) in zip(each, flat, strict=True)]
    entries = [(number, place, value) for number, row in enumerate(rows) for place, value in row.terms.items()]
    where, place, value = zip(*entries, strict=True)
    matrix = csr_matrix((value, (where, place)), shape=(len(rows), size + ends))
    high = np.r_[np.ones(size), np.full(ends, 0.0 if deadline_s is None else deadline_s + _SLACK)]
    solved = milp(
        -gain, integrality=np.r_[np.ones(size), np.zeros(ends)], bounds=Bounds(np.zeros(size + ends), high),
        constraints=LinearConstraint(matrix, [row.low for row in rows], [row.high for row in rows]),
        options={"mip_rel_gap": _GAP, "time_limit": _TIME_S},
    )  # fmt: skip
    if solved.x is None:
        together = f"a budget and a deadline that can be kept together; {budget_usd} USD and {deadline_s} s cannot"
        raise InvalidRequestError("budget_usd", budget_usd, expected=together)
    picked = [max(own, key=lambda column: float(solved.x[column])) for own in columns]
    reached, bound = float(gain[picked].sum()), -float(solved.mip_dual_bound)
    behind = max(bound - reached, 0.0)
    return [flat[column][1] for column in picked], math.expm1(behind) if weights is None else behind / max(reached, _LEAST_P)


def _order(each: Sequence[Option], columns: Sequence[Sequence[int]], waits_for: Sequence[Sequence[int]]) -> list[_Row]:
    """Return that no task ends before the ends of those it waits for and its own time."""
    rows: list[_Row] = []
    for task, own in enumerate(columns):
        taken = {place: -each[place].latency_s for place in own} | {len(each) + task: 1.0}
        rows.append(_Row(taken, 0.0, np.inf))
        rows.extend(_Row({**taken, len(each) + before: -1.0}, 0.0, np.inf) for before in waits_for[task])
    return rows


def _gain(success: float, weight: float | None) -> float:
    return math.log(max(success, _LEAST_P)) if weight is None else weight * success


def single_candidates(options: Sequence[Sequence[Option]]) -> Mapping[str, tuple[int, ...]]:
    """Return the choices that give every task the same candidate, by candidate."""
    places = [{each.candidate: at for at, each in enumerate(some)} for some in options]
    return {name: tuple(some[name] for some in places) for name in places[0] if all(name in some for some in places)} if places else {}
