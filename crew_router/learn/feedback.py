"""What becomes of feedback that is late, repeated or contradicted (requirement A12; the rules stand in ``docs/learning.md``).

Feedback on one answer is one statement that may be made piece by piece: each field keeps what was said of it last. The reward
of an answer is that of the whole statement (rule 4).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from crew_router.decide.bandits.updates import BanditUpdate, StateUpdate, Sums
from crew_router.learn.reward import reward_of
from crew_router.types import FeedbackData, ModelRef, TaskType

if TYPE_CHECKING:
    from crew_router.types import Draw, RequestProfile

RUN: Final = "run:"
_SAID: Final = ("outcome", "quality_score", "pr_merged", "pr_reverted", "user_rating")


@runtime_checkable
class Learner(Protocol):
    """A strategy that learns from rewards; its own numbers are sums that all processes share."""

    @property
    def memory_name(self) -> str:
        """Name of its numbers; two learners of one name share them."""
        ...

    @property
    def step_discount(self) -> float:
        """Share of a run's result that each step further from the end keeps."""
        ...

    def lesson(self, credit: BanditUpdate, sums: Sums) -> StateUpdate | None:
        """Return what a credit adds, or ``None`` when it is not for this learner."""
        ...


@dataclass(frozen=True, slots=True)
class Answered:
    """Who answered a request, what for, and what was said of it."""

    model: ModelRef
    task_type: TaskType | None
    _: KW_ONLY
    profile: RequestProfile | None = None
    strategy: str = ""
    draw: Draw | None = None
    said: FeedbackData | None = None
    marks: Mapping[str, float] = field(default_factory=dict[str, float])
    expected: float | None = None
    session: str | None = None


class Recent:
    """The newest answered decisions of this process, so that what is said of them at once needs no read.

    Args:
        keep: How many decisions are remembered.
    """

    def __init__(self, keep: int = 4096) -> None:
        self._keep = keep
        self._answered: dict[str, Answered] = {}
        self._lock = threading.Lock()

    def put(self, decision_id: str, answered: Answered) -> None:
        """Remember a decision, and forget the oldest beyond the limit."""
        with self._lock:
            self._answered[decision_id] = answered
            while len(self._answered) > self._keep:
                del self._answered[next(iter(self._answered))]

    def get(self, decision_id: str) -> Answered | None:
        """Return who answered and for what, or ``None`` when the decision is older or another process's."""
        return self._answered.get(decision_id)


def whole(earlier: FeedbackData | None, new: FeedbackData) -> FeedbackData:
    """Return everything that was said of an answer; of two contradicting statements the newer holds.

    Example:
        >>> whole(FeedbackData("d-1", outcome="success"), FeedbackData("d-1", user_rating=1)).outcome
        'success'
    """
    if earlier is None:
        return new
    changed = {name: getattr(new, name) for name in _SAID if getattr(new, name) is not None}
    return replace(earlier, **changed)


def same(earlier: FeedbackData | None, later: FeedbackData) -> bool:
    """Tell whether nothing that counts was added, as when feedback is delivered twice."""
    return earlier is not None and all(getattr(earlier, name) == getattr(later, name) for name in _SAID)


def reward_before(earlier: FeedbackData | None) -> float | None:
    """Return the reward that was learnt so far."""
    return None if earlier is None else reward_of(earlier)
