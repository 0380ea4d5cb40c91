"""A plan, and what it says of each task."""

from __future__ import annotations

from dataclasses import KW_ONLY, asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure with the interval that nine of ten runs lie in."""

    min: float
    expected: float
    max: float


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """Who does a task, and what that is expected to take.

    ``most_calls`` and ``most_usd`` bound it whatever the model does (``None`` where CrewAI sets no bound); ``source`` says what the
    interval rests on: rules, or how many earlier runs.
    """

    task: str
    agent: str
    candidate: str
    _: KW_ONLY
    calls: Spread
    input_tokens: Spread
    output_tokens: Spread
    cost_usd: Spread
    latency_s: float
    success: float
    most_calls: int | None
    most_usd: float | None
    source: str


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """What a budget buys."""

    budget_usd: float
    success: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Who does what in a run, and what the run is expected to take.

    ``gap`` is how far the run's success may lie below the best one within budget and deadline, as a share; ``critical_path`` the tasks
    that decide how long it takes; ``advice`` what would narrow the interval or lower the price.
    """

    crew: str
    tasks: tuple[PlannedTask, ...]
    _: KW_ONLY
    budget_usd: float | None
    deadline_s: float | None
    cost_usd: Spread
    most_usd: float | None
    latency_s: float
    success: float
    gap: float
    critical_path: tuple[str, ...]
    frontier: tuple[FrontierPoint, ...]
    one_more_cent: float
    advice: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as ``--json`` prints them."""
        return asdict(self)

    def candidate(self, task: str) -> str:
        """Return who does a task.

        Raises:
            KeyError: The plan has no such task.
        """
        return {each.task: each.candidate for each in self.tasks}[task]
