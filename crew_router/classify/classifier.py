"""Reading the profile of a request: linear models for what is wanted, patterns and counts for the rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

from crew_router.classify.language import language_of
from crew_router.classify.linear import DOMAINS, TASKS, Scores, packaged_model
from crew_router.classify.output_length import output_length
from crew_router.classify.risk import risks_of
from crew_router.classify.text import SpokenText, read_text
from crew_router.classify.tokens import estimate_tokens
from crew_router.types import Domain, ModelCapability, Reading, RequestProfile, RoutingRequest, TaskType, Urgency
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
_SAMPLE_CHARS: Final = 600
_WORDS: Final = re.compile(r"[a-zà-öø-ÿ'-]+")
_RETRIEVAL_WORDS: Final = frozenset(
    (
        *("according", "cite", "cited", "citation", "citations", "source", "sources", "reference", "references", "latest"),
        *("up-to-date", "currently", "today's", "news", "literature", "handbook", "wiki"),
    )
)
_RETRIEVAL_PHRASES: Final = (
    *("based on the ", "based on our ", "based on these ", "look up", "search the web", "search for", "find out", "page number"),
    *("in the docs", "in our docs", "knowledge base"),
)
_URGENT_WORDS: Final = frozenset(
    ("asap", "urgent", "urgently", "immediately", "emergency", "hurry", "dringend", "sofort", "urgente", "pilne")
)
_URGENT_PHRASES: Final = ("right now", "production is down", "prod is down", "in 5 min", "in 10 min", "срочно", "紧急", "至急")
_BATCH_PHRASES: Final = (
    "no rush",
    "no hurry",
    "overnight",
    "batch job",
    "whenever you",
    "take your time",
    "by next week",
    "by next month",
    "keine eile",
)
_CODE_OPENINGS: Final = (
    "def ",
    "class ",
    "import ",
    "from ",
    "function ",
    "const ",
    "let ",
    "#include",
    "public ",
    "select ",
    "diff --git",
    "@@ ",
    "func ",
    "fn ",
)
_CODE_ENDINGS: Final = ("{", "}", "};", ");", "):", "=> {", "->")
_DATA_OPENINGS: Final = ('{"', "[{", "<?xml", '["')
_LEAST_COLUMNS: Final = 4
_LEAST_ROWS: Final = 2


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
        sample = _sample(spoken)
        words = set(_WORDS.findall(sample))
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
            urgency=_said(request.urgency, _urgency(sample, words), 0.6, PATTERNS),
            input_tokens=tokens,
            expected_output_tokens=_said(asked, length.expected, 0.5, length.source),
            needs_retrieval=Reading(_has(sample, words, among=_RETRIEVAL_WORDS, phrases=_RETRIEVAL_PHRASES), 0.6, PATTERNS),
            content_type=Reading(_content_type(sample), 0.8, PATTERNS),
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
    return request.needs() & {ModelCapability.VISION, ModelCapability.AUDIO, ModelCapability.VIDEO}


def _sample(spoken: SpokenText) -> str:
    if len(spoken.text) <= 2 * _SAMPLE_CHARS:
        return spoken.text.lower()
    return f"{spoken.text[:_SAMPLE_CHARS]}\n{spoken.text[-_SAMPLE_CHARS:]}".lower()


def _has(sample: str, words: set[str], *, among: frozenset[str], phrases: tuple[str, ...]) -> bool:
    return not among.isdisjoint(words) or any(phrase in sample for phrase in phrases)


def _urgency(sample: str, words: set[str]) -> Urgency:
    if _has(sample, words, among=_URGENT_WORDS, phrases=_URGENT_PHRASES):
        return Urgency.INTERACTIVE
    return Urgency.BATCH if any(phrase in sample for phrase in _BATCH_PHRASES) else Urgency.NORMAL


def _content_type(sample: str) -> str:
    if "```" in sample:
        return "code"
    lines = [line.strip() for line in sample.split("\n")]
    opened = sum(line.startswith(_CODE_OPENINGS) and not line.endswith((".", "?", "!")) for line in lines)
    closed = sum(line.endswith(_CODE_ENDINGS) for line in lines)
    if opened + 2 * closed > 1 + (len(lines) == 1):
        return "code"
    rows = sum(max(map(line.count, ",;|\t")) >= _LEAST_COLUMNS - 1 for line in lines)
    data = rows > _LEAST_ROWS or any(line.startswith(_DATA_OPENINGS) for line in lines)
    return "data" if data else "text"
