"""A first classifier: rules over one capped reading of the text."""

from __future__ import annotations

import math
import re
from typing import Final, TypeVar

from crew_router.classify.risk import risks_of
from crew_router.classify.rules import domain_of, task_scores
from crew_router.classify.text import SpokenText, read_text
from crew_router.classify.tokens import estimate_tokens
from crew_router.types import ModelCapability, Reading, RequestProfile, RoutingRequest, TaskType, Urgency

T = TypeVar("T")
_CALLER: Final = "caller"
_RULES: Final = "rules"
MIN_TASK_CONFIDENCE: Final = 0.35  # guess, not measured: below it the type is `general`
_OUTPUT_TOKENS: Final = {  # guess, not measured; replaced by what the ledger learns
    TaskType.CODE_GENERATION: 700,
    TaskType.CODE_REVIEW: 600,
    TaskType.TESTING: 700,
    TaskType.REFACTORING: 800,
    TaskType.SECURITY_AUDIT: 800,
    TaskType.DOCUMENTATION: 800,
    TaskType.REASONING: 500,
    TaskType.PLANNING: 800,
    TaskType.ANALYSIS: 500,
    TaskType.TOOL_USE: 150,
    TaskType.MULTIMODAL: 300,
    TaskType.LONG_CONTEXT: 800,
    TaskType.COMPLETION: 200,
    TaskType.CREATIVE: 600,
    TaskType.GENERAL: 200,
}
_HARD: Final = re.compile(
    r"\b(prove|optimi[sz]e|concurren|distributed|architecture|trade-?offs?|constraints?|edge cases?|thread-?safe|formal|derive)\b",
    re.IGNORECASE,
)
_STEPS: Final = re.compile(r"\b(then|after that|finally|also|and then|must|should)\b|^\s*[-*\d]+[.)]? ", re.IGNORECASE | re.MULTILINE)
_RETRIEVAL: Final = re.compile(
    r"\b(according to|based on the (document|text|context)|cite|sources?|latest|look up|search)\b", re.IGNORECASE
)
_URGENT: Final = re.compile(r"\b(asap|urgent(ly)?|right now|immediately|quick(ly)?)\b", re.IGNORECASE)
_CODE: Final = re.compile(r"```|^\s*(def|class|import|from|function|const|SELECT)\b|[{};]\s*$", re.MULTILINE)


class HeuristicClassifier:
    """Classifies by rules; every confidence is a stated guess, not a measured probability."""

    def classify(self, request: RoutingRequest) -> RequestProfile:
        """Return the profile; whatever the caller said wins."""
        spoken = read_text(request.task_description, request.messages)
        scores = task_scores(spoken.text)
        task = _task(request, scores)
        domain, domain_confidence = domain_of(spoken.text)
        return RequestProfile(
            task,
            _said(request.complexity, _complexity(spoken), 0.4),
            domain=Reading(domain, domain_confidence, _RULES),
            risk=_said(request.risk, risks_of(spoken.text, domain), 0.9),
            modality=Reading(spoken.media | _flagged(request), 1.0, "content blocks"),
            language=Reading(*_language(spoken.text), "script"),
            urgency=_said(request.urgency, Urgency.INTERACTIVE if _URGENT.search(spoken.last) else Urgency.NORMAL, 0.5),
            input_tokens=_said(request.context_tokens, estimate_tokens(spoken.text, chars=spoken.chars), 0.8),
            expected_output_tokens=_said(request.expected_output_tokens, _OUTPUT_TOKENS[task.value], 0.3),
            needs_retrieval=Reading(bool(_RETRIEVAL.search(spoken.text)), 0.5, _RULES),
            content_type=Reading("code" if _CODE.search(spoken.text) else "text", 0.7, _RULES),
            task_scores=scores,
            text_chars=spoken.chars,
        )


def _said(by_caller: T | None, read: T, confidence: float) -> Reading[T]:
    return Reading(read, confidence, _RULES) if by_caller is None else Reading(by_caller, 1.0, _CALLER)


def _task(request: RoutingRequest, scores: tuple[tuple[TaskType, float], ...]) -> Reading[TaskType]:
    if request.task_type is not None:
        return Reading(request.task_type, 1.0, _CALLER)
    if scores and scores[0][1] >= MIN_TASK_CONFIDENCE:
        return Reading(scores[0][0], scores[0][1], _RULES)
    return Reading(TaskType.GENERAL, 1.0 - scores[0][1] if scores else 0.5, _RULES)


def _flagged(request: RoutingRequest) -> frozenset[ModelCapability]:
    return request.needs() & {ModelCapability.VISION, ModelCapability.AUDIO, ModelCapability.VIDEO}


def _complexity(spoken: SpokenText) -> int:
    # Length, number of steps and hard words; the weights are guesses, not measured.
    length = math.log10(max(spoken.chars, 10)) - 1.0
    points = 1.0 + 1.2 * length + 0.35 * min(len(_STEPS.findall(spoken.text)), 8) + 1.0 * min(len(_HARD.findall(spoken.text)), 3)
    return max(1, min(10, round(points)))


def _language(text: str) -> tuple[str, float]:
    if text.isascii():
        return "en", 0.6
    for first, last, code in (
        (0x4E00, 0x9FFF, "zh"),
        (0x3040, 0x30FF, "ja"),
        (0xAC00, 0xD7AF, "ko"),
        (0x0600, 0x06FF, "ar"),
        (0x0400, 0x04FF, "ru"),
    ):
        if sum(first <= ord(mark) <= last for mark in text) * 5 > len(text):
            return code, 0.8
    return "und", 0.3
