"""Merge feedback that comes late, repeatedly or in parts (requirement A12; the rules stand in ``docs/learning.md``).

All feedback on one answer is merged: each field keeps its newest value. The reward of an answer is that of the merged
feedback (rule 4).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from cachetools import FIFOCache

from crew_router.decide.bandits.updates import BanditUpdate, StateUpdate, Sums
from crew_router.learn.reward import reward_of
from crew_router.types import FeedbackData, ModelRef, TaskType
from crew_router.types.fork_hooks import free_in_child

if TYPE_CHECKING:
    from crew_router.types import Draw, RequestProfile

RUN_PREFIX: Final = "run:"
_FEEDBACK_FIELDS: Final = ("outcome", "quality_score", "pr_merged", "pr_reverted", "user_rating")


@runtime_checkable
class Learner(Protocol):
    """A strategy that learns from rewards. What it learns is kept as sums that all processes share."""

    @property
    def memory_name(self) -> str:
        """Name of its sums; two learners of one name share them."""
        ...

    @property
    def step_discount(self) -> float:
        """Factor, 0..1, by which the weight of a run's result falls for each step further from the end."""
        ...

    def state_update(self, update: BanditUpdate, sums: Sums) -> StateUpdate | None:
        """Return what a reward adds to the sums, or ``None`` when this learner does not use it."""
        ...


@dataclass(frozen=True, slots=True)
class Answered:
    """Which model answered a request, for which task, and the feedback on it.

    Args:
        model: The model that answered.
        task_type: What the request was; ``None`` when it is not known.
        profile: What was read from the request, where it is known.
        strategy: Name of the strategy that the request named; empty for the configured one.
        draw: The draw of the decision, with its experiment and arm.
        feedback: All feedback so far, merged.
        positions: By learner, the position where the reward so far was added (see :class:`BanditUpdate`).
    """

    model: ModelRef
    task_type: TaskType | None
    _: KW_ONLY
    profile: RequestProfile | None = None
    strategy: str = ""
    draw: Draw | None = None
    feedback: FeedbackData | None = None
    positions: Mapping[str, float] = field(default_factory=dict[str, float])
    expected: float | None = None
    session: str | None = None


class Recent:
    """The newest answers of this process, kept so that feedback on them needs no read of the ledger.

    Args:
        keep: How many decisions are remembered.
    """

    def __init__(self, keep: int = 4096) -> None:
        self._answered: FIFOCache[str, Answered] = FIFOCache(keep)
        self._lock = threading.Lock()
        free_in_child(self)

    def put(self, decision_id: str, answered: Answered) -> None:
        """Keep an answer, and drop the oldest beyond the limit."""
        with self._lock:
            self._answered[decision_id] = answered

    def get(self, decision_id: str) -> Answered | None:
        """Return the answer to a decision, or ``None`` when it was dropped or given by another process."""
        with self._lock:
            return self._answered.get(decision_id)


def merged_feedback(earlier: FeedbackData | None, new: FeedbackData) -> FeedbackData:
    """Return all feedback on an answer as one; where two contradict each other the newer counts.

    Example:
        >>> whole(FeedbackData("d-1", outcome="success"), FeedbackData("d-1", user_rating=1)).outcome
        'success'
    """
    if earlier is None:
        return new
    changed = {name: getattr(new, name) for name in _FEEDBACK_FIELDS if getattr(new, name) is not None}
    return replace(earlier, **changed)


def adds_nothing(earlier: FeedbackData | None, later: FeedbackData) -> bool:
    """Tell whether the reward cannot have changed, as when the same feedback is delivered twice."""
    return earlier is not None and all(getattr(earlier, name) == getattr(later, name) for name in _FEEDBACK_FIELDS)


def previous_reward(earlier: FeedbackData | None) -> float | None:
    """Return the reward of the feedback so far, ``None`` when there is none."""
    return None if earlier is None else reward_of(earlier)
