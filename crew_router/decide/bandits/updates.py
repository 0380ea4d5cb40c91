"""What a strategy that learns is given for a reward, and what it returns: additions to sums that all processes share."""

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
class BanditUpdate:
    """A reward for one answer.

    Args:
        model: The model that answered.
        task_type: The task type of the request; ``None`` when it is not known.
        reward: The reward, 0..1.
        previous: The earlier reward that this one corrects; ``None`` for the first.
        profile: What was read from the request, where it is known.
        weight: Weight of the reward; below 1 for early steps of a run.
        of_run: Whether the reward is the result of a whole run.
        positions: By learner, the position where it added the reward that is corrected.
    """

    model: ModelRef
    task_type: TaskType | None
    _: KW_ONLY
    reward: float
    previous: float | None = None
    profile: RequestProfile | None = None
    weight: float = 1.0
    of_run: bool = False
    positions: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class StateUpdate:
    """A learner's response to a reward.

    Args:
        additions: Numbers to add to shared sums, each with the name of its sum.
        position: Where the reward was added; needed to correct it later (see :class:`crew_router.decide.bandits.memory.Memory`).
    """

    additions: tuple[Addition, ...]
    position: float
