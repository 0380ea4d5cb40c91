"""What was read from a request before anything was decided."""

from __future__ import annotations

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
class RequestProfile:
    """The profile of one request (requirements D1, E1); token figures are counts of tokens.

    ``task_scores`` holds the probability of every task type that the classifier gave, best first; ``output_interval`` the
    tokens between which nine of ten answers lie, where the classifier knows.
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
