"""Reading the profile of a request: linear models for what is wanted, patterns and counts for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from crew_router.decide.classify.difficulty import confidence_of, packaged_difficulty
from crew_router.decide.classify.lengths import estimate_tokens, output_length
from crew_router.decide.classify.linear import DOMAINS, TASKS, Hashes, LinearModel, Scores, hashes_of, packaged_model
from crew_router.decide.classify.patterns import Sample, content_type_of, needs_retrieval, urgency_of
from crew_router.decide.classify.risk import risks_of
from crew_router.decide.classify.text import SpokenText, asked_of, language_of, read_text
from crew_router.types import Difficulty, Domain, ModelCapability, Reading, RequestProfile, RoutingRequest, TaskType
from crew_router.types.profile import CALLER

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")
MODEL: Final = "linear model"
DIFFICULTY: Final = "difficulty model"
# A request without a text may be of any difficulty: mean and standard deviation of an even spread from 1 to 10.
_ANY: Final = Difficulty(5.5, 2.6)
PATTERNS: Final = "patterns"
MIN_TASK_CONFIDENCE: Final = 0.25  # below it the type is `general`; chosen across authors, docs/classification.md
_MEDIA_FACTOR: Final = 8.0  # an image, a sound or a film in the message makes `multimodal` this many times likelier; guess, not measured
_LONG_FACTOR: Final = 8.0  # the same for `long_context` of very long input; guess, not measured
_LONG_CHARS: Final = 100_000


class TextClassifier:
    """Classifies any text without a network; every reading says how sure it is and from what it was read.

    Example:
        >>> TextClassifier().classify(RoutingRequest(task_description="Write a haiku about rain")).task_type.value
        <TaskType.CREATIVE: 'creative'>
    """

    def prepare(self) -> None:
        """Load weights and word lists, which the first request would otherwise wait for."""
        TextClassifier.classify(self, RoutingRequest(task_description="yes, do it", messages=("Prove it.", "Shall I?", "yes, do it")))

    def classify(self, request: RoutingRequest) -> RequestProfile:
        """Return the profile; whatever the caller said wins."""
        spoken = read_text(request.task_description, request.messages)
        media = spoken.media | _flagged(request)
        model, found = packaged_model(), hashes_of(spoken.text)
        scores = model.score(found)
        ranked = _ranked(scores, spoken)
        task, domain = _task(request, ranked), _domain(scores)
        language, language_confidence = language_of(spoken.text)
        seen = Sample.of(spoken.text)
        difficulty = _difficulty(request, spoken, model=model, found=found, scores=scores)
        complexity = _said(request.complexity, round(difficulty.mean), confidence_of(difficulty), DIFFICULTY)
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
            difficulty=difficulty,
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


def _difficulty(request: RoutingRequest, spoken: SpokenText, *, model: LinearModel, found: Hashes, scores: Scores) -> Difficulty:
    """Return how hard the last request of the text or chat is; the whole was read already, so that a single prompt is hashed once."""
    if request.complexity is not None:
        return Difficulty(float(request.complexity), 0.0)
    if not spoken.text.strip():
        return _ANY
    asked = asked_of(spoken.turns)
    reader = packaged_difficulty()
    read: list[Difficulty] = []
    for text in asked.texts or (spoken.text,):
        if text != spoken.text:
            found = hashes_of(text)
            scores = model.score(found)
        read.append(reader.read(text, hard=scores.complexity, unknown=model.unknown_share(found)))
    hardest = max(read, key=lambda each: each.mean)
    return Difficulty(hardest.mean, max(hardest.spread, reader.reply_spread)) if asked.reply else hardest


def _flagged(request: RoutingRequest) -> frozenset[ModelCapability]:
    return request.needs() & {ModelCapability.VISION, ModelCapability.AUDIO, ModelCapability.VIDEO, ModelCapability.DOCUMENTS}
