"""A plan and a run against it as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from crew_router.types.explain import money
from crew_router_crewai.plan.value import Plan, Spread

HEADER: Final = ("task", "who", "calls", "cost", "seconds", "P(success)", "at most", "from")
_BAR: Final = 40


def rows(plan: Plan) -> list[tuple[str, ...]]:
    """Return the table of a plan, the whole run last."""
    found = [
        (
            each.task, each.candidate, f"{each.calls.expected:.1f}", _interval(each.cost_usd), f"{each.latency_s:.0f}",
            f"{each.success:.2f}", "no bound" if each.most_calls is None else f"{each.most_calls} calls", each.source,
        )
        for each in plan.tasks
    ]  # fmt: skip
    calls = sum(each.calls.expected for each in plan.tasks)
    bound = "no bound" if plan.most_usd is None else money(plan.most_usd)
    total = ("all", "", f"{calls:.1f}", _interval(plan.cost_usd), f"{plan.latency_s:.0f}", f"{plan.success:.2f}", bound, "")
    return [*found, total]


def _interval(spread: Spread) -> str:
    return f"{money(spread.expected)} ({money(spread.min)} to {money(spread.max)})"


def notes(plan: Plan) -> list[str]:
    """Return what a plan says beside its table."""
    said = [f"Critical path: {' → '.join(plan.critical_path)}"]
    if plan.budget_usd is not None or plan.deadline_s is not None:
        said.append(
            f"At most {plan.gap:.2%} below the best choice within the limits; one more cent buys {plan.one_more_cent:.4f} of success."
        )
    else:
        said.append("No budget and no deadline: what the router would choose anyway.")
    said.append("Budget → success: " + ", ".join(f"{money(point.budget_usd)} → {point.success:.2f}" for point in plan.frontier))
    return [*said, *(f"- {each}" for each in plan.advice)]


def plot(plan: Plan) -> str:
    """Return the frontier as bars, one a budget."""
    lines = [f"{money(point.budget_usd):>12} |{'#' * round(point.success * _BAR):<{_BAR}}| {point.success:.3f}" for point in plan.frontier]
    return "\n".join(["P(success) of the run by budget", *lines])


def compared(plan: Plan, actual: Sequence[tuple[str, str, float, int]]) -> list[tuple[str, ...]]:
    """Return a table of plan against actual: (task, who answered, USD, calls) for each task that ran."""
    by_task = {each.task: each for each in plan.tasks}
    lines: list[tuple[str, ...]] = []
    for task, who, usd, calls in actual:
        expected = by_task.get(task)
        lines.append((
            task, who, str(calls), "" if expected is None else f"{expected.calls.expected:.1f}", money(usd),
            "not planned" if expected is None else _interval(expected.cost_usd),
        ))  # fmt: skip
    total = (sum(each[2] for each in actual), sum(each[3] for each in actual))
    return [*lines, ("all", "", str(total[1]), "", money(total[0]), _interval(plan.cost_usd))]
