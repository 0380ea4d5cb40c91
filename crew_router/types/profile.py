"""What was read from a request before anything was decided."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Final, Generic, TypeVar

from crew_router.types.vocabulary import Domain, ModelCapability, Risk, TaskType, Urgency

T = TypeVar("T")
CALLER: Final = "caller"
"""The source of what the caller said."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """One thing that was read, how sure we are (0..1), and from what.

    ``source`` is :data:`CALLER` when the caller said it, otherwise the piece that read it.
    """

    value: T
    confidence: float
    source: str


@dataclass(frozen=True, slots=True)
class Difficulty:
    """How hard a request is, 1 (trivial) to 10 (research), as a normal distribution; ``spread`` is its standard deviation.

    A text that says little has a wide spread, and what follows from the difficulty should be averaged over it.

    Example:
        >>> round(Difficulty(mean=8.0, spread=1.0).share_between(7.0, 9.0), 2)
        0.68
    """

    mean: float
    spread: float

    def share_between(self, low: float, high: float) -> float:
        """Return the probability that the difficulty lies between two values."""
        if self.spread <= 0.0:
            return float(low <= self.mean <= high)
        return _normal((high - self.mean) / self.spread) - _normal((low - self.mean) / self.spread)


def _normal(z: float) -> float:
    return 0.5 * (1.0 + math.erf(z / math.sqrt(2.0)))


@dataclass(frozen=True, slots=True)
class RequestProfile:
    """The profile of one request (requirements D1, E1); token figures are counts of tokens.

    ``task_scores`` holds the probability of every task type that the classifier gave, best first; ``output_interval`` the
    tokens between which nine of ten answers lie, where the classifier knows; ``difficulty`` what ``complexity`` rounds.
    """

    task_type: Reading[TaskType]
    complexity: Reading[int]
    _: KW_ONLY
    domain: Reading[Domain]
    risk: Reading[frozenset[Risk]]
    modality: Reading[frozenset[ModelCapability]]
    language: Reading[str]
    urgency: Reading[Urgency]
    input_tokens: Reading[int]
    expected_output_tokens: Reading[int]
    needs_retrieval: Reading[bool]
    content_type: Reading[str]
    task_scores: tuple[tuple[TaskType, float], ...] = ()
    text_chars: int = 0
    output_interval: tuple[int, int] | None = None
    difficulty: Difficulty | None = None
