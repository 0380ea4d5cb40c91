"""What a strategy that learns is told of an answer, and what it adds to the numbers that all processes share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

from crew_router.types import ModelRef, TaskType

if TYPE_CHECKING:
    from crew_router.types import RequestProfile

Sums = Mapping[str, Mapping[str, tuple[float, ...]]]
Addition = tuple[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Credit:
    """A reward for one answer, as learners take it.

    Args:
        model: Who answered.
        task_type: What for.
        reward: 0..1.
        previous: The reward that this one corrects, ``None`` for the first.
        profile: What was read from the request, where it is known.
        weight: Share of the reward that this answer deserves; below 1 for early steps of a run.
        of_run: Whether it is the result of a whole run.
        marks: Where learners put the reward that is corrected, by learner.
    """

    model: ModelRef
    task_type: TaskType | None
    _: KW_ONLY
    reward: float
    previous: float | None = None
    profile: RequestProfile | None = None
    weight: float = 1.0
    of_run: bool = False
    marks: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a learner makes of a credit: numbers to add to shared sums, and a mark to find them by when it is corrected."""

    additions: tuple[Addition, ...]
    mark: float
