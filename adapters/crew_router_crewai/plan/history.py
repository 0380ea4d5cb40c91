"""What earlier runs of a task took, from the router's ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from crew_router.router.router import Router

_TASK: Final = "task:"
_MOST_RUNS: Final = 50  # of a task; older ones say little that newer ones do not


@dataclass(frozen=True, slots=True)
class PastRun:
    """What one task took in one run: its calls, and tokens of all of them."""

    calls: int
    input_tokens: int
    output_tokens: int


def past_runs(router: Router) -> Mapping[str, tuple[PastRun, ...]]:
    """Return earlier runs by the task's name, the newest last. Runs whose usage a provider did not report are left out."""
    sums: dict[tuple[str, str], list[int]] = {}
    for decision, _ in router.history.logged(since=0):
        task = next((tag.removeprefix(_TASK) for tag in decision.request.tags if tag.startswith(_TASK)), None)
        if task is None or decision.request.run_id is None:
            continue
        used = [attempt.usage for attempt in router.attempts(decision.id) if attempt.usage is not None]
        if not used:
            continue
        total = sums.setdefault((task, decision.request.run_id), [0, 0, 0])
        for at, more in enumerate((1, sum(each.input_tokens for each in used), sum(each.output_tokens for each in used))):
            total[at] += more
    found: dict[str, list[PastRun]] = {}
    for (task, _run), (calls, inputs, outputs) in sums.items():
        found.setdefault(task, []).append(PastRun(calls, max(inputs, 1), max(outputs, 1)))
    return {task: tuple(runs[-_MOST_RUNS:]) for task, runs in found.items()}
