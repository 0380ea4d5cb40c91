"""Reading the profile of a request: linear models for what is wanted, patterns and counts for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from crew_router.decide.classify.language import language_of
from crew_router.decide.classify.linear import DOMAINS, TASKS, Scores, packaged_model
from crew_router.decide.classify.output_length import output_length
from crew_router.decide.classify.patterns import Sample, content_type_of, needs_retrieval, urgency_of
from crew_router.decide.classify.risk import risks_of
from crew_router.decide.classify.text import SpokenText, read_text
from crew_router.decide.classify.tokens import estimate_tokens
from crew_router.types import Domain, ModelCapability, Reading, RequestProfile, RoutingRequest, TaskType
from crew_router.types.profile import CALLER

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")
MODEL: Final = "linear model"
PATTERNS: Final = "patterns"
MIN_TASK_CONFIDENCE: Final = 0.25  # below it the type is `general`; chosen across authors, docs/classification.md
_MEDIA_FACTOR: Final = 8.0  # an image, a sound or a film in the message makes `multimodal` this many times likelier; guess, not measured
_LONG_FACTOR: Final = 8.0  # the same for `long_context` of very long input; guess, not measured
_LONG_CHARS: Final = 100_000
_COMPLEXITY_CONFIDENCE: Final = 0.45  # share within one step of the author's figure, across authors, less than measured


class TextClassifier:
    """Classifies any text without a network; every reading says how sure it is and from what it was read.

    Example:
        >>> TextClassifier().classify(RoutingRequest(task_description="Write a haiku about rain")).task_type.value
        <TaskType.CREATIVE: 'creative'>
    """

    def classify(self, request: RoutingRequest) -> RequestProfile:
        """Return the profile; whatever the caller said wins."""
        spoken = read_text(request.task_description, request.messages)
        media = spoken.media | _flagged(request)
        scores = packaged_model().read(spoken.text)
        ranked = _ranked(scores, spoken)
        task, domain = _task(request, ranked), _domain(scores)
        language, language_confidence = language_of(spoken.text)
        seen = Sample.of(spoken.text)
        complexity = _said(request.complexity, _complexity(scores), _COMPLEXITY_CONFIDENCE, MODEL)
        tokens = _said(request.context_tokens, estimate_tokens(spoken.text, chars=spoken.chars, language=language), 0.9, "estimator")
        length = output_length(spoken.text, task=task.value, complexity=complexity.value, input_tokens=tokens.value)
        asked = request.expected_output_tokens
        return RequestProfile(
            task,
            complexity,
            domain=domain,
            risk=_said(request.risk, risks_of(spoken.text, domain.value), 0.95, PATTERNS),
            modality=Reading(media, 1.0, "content blocks"),
            language=Reading(language, language_confidence, "script and common words"),
            urgency=_said(request.urgency, urgency_of(seen), 0.9, PATTERNS),
            input_tokens=tokens,
            expected_output_tokens=_said(asked, length.expected, 0.5, length.source),
            needs_retrieval=Reading(needs_retrieval(seen), 0.9, PATTERNS),
            content_type=Reading(content_type_of(seen), 0.9, PATTERNS),
            task_scores=ranked,
            text_chars=spoken.chars,
            output_interval=(length.low, length.high) if asked is None else None,
        )


def _said(by_caller: T | None, read: T, confidence: float, source: str) -> Reading[T]:
    return Reading(read, confidence, source) if by_caller is None else Reading(by_caller, 1.0, CALLER)


def _ranked(scores: Scores, spoken: SpokenText) -> tuple[tuple[TaskType, float], ...]:
    shares: NDArray[np.float32] = scores.tasks.copy()
    if spoken.media:
        shares[TASKS.index(TaskType.MULTIMODAL)] *= _MEDIA_FACTOR
    if spoken.chars > _LONG_CHARS:
        shares[TASKS.index(TaskType.LONG_CONTEXT)] *= _LONG_FACTOR
    listed = (shares / shares.sum()).tolist()
    return tuple((TASKS[at], listed[at]) for at in sorted(range(len(TASKS)), key=lambda at: -listed[at]))


def _task(request: RoutingRequest, ranked: tuple[tuple[TaskType, float], ...]) -> Reading[TaskType]:
    if request.task_type is not None:
        return Reading(request.task_type, 1.0, CALLER)
    best, share = ranked[0]
    if share >= MIN_TASK_CONFIDENCE:
        return Reading(best, share, MODEL)
    return Reading(TaskType.GENERAL, 1.0 - share, f"{MODEL}, below {MIN_TASK_CONFIDENCE}")


def _domain(scores: Scores) -> Reading[Domain]:
    at = int(scores.domains.argmax())
    return Reading(DOMAINS[at], float(scores.domains[at]), MODEL)


def _complexity(scores: Scores) -> int:
    return max(1, min(10, round(scores.complexity)))


def _flagged(request: RoutingRequest) -> frozenset[ModelCapability]:
    return request.needs() & {ModelCapability.VISION, ModelCapability.AUDIO, ModelCapability.VIDEO, ModelCapability.DOCUMENTS}
