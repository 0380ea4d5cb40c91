"""Task type and domain by the words that people use for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from crew_router.types import Domain, TaskType

_TASK_WORDS: Final[Mapping[TaskType, tuple[tuple[str, float], ...]]] = {
    TaskType.CODE_GENERATION: (
        (
            r"(write|implement|create|build|generate|code) .{0,40}(function|class|script|program|endpoint|api|query|regex|module)",
            3.0,
        ),
        (r"\b(def|class|function|sql|python|javascript|typescript|java|rust|golang)\b", 1.0),
    ),
    TaskType.CODE_REVIEW: (
        (r"\b(code review|review (this|the|my) (code|pr|pull request|diff|change|patch))", 4.0),
        (r"^diff --git|^@@ ", 2.0),
    ),
    TaskType.TESTING: ((r"\b(unit|integration|regression|e2e|end-to-end) tests?\b|\btest (cases?|plan|suite)\b|\bpytest\b", 3.0),),
    TaskType.REFACTORING: ((r"\b(refactor|clean up|simplify|restructure|migrate|modernis|moderniz|rewrite) ", 3.0),),
    TaskType.SECURITY_AUDIT: (
        (r"\b(vulnerab|exploit|threat model|penetration|cve-|sql injection|xss|security (audit|review|check))", 4.0),
    ),
    TaskType.DOCUMENTATION: ((r"\b(document(ation)?|docstring|readme|changelog|user guide|runbook|api reference)\b", 2.5),),
    TaskType.PLANNING: ((r"\b(plan|roadmap|schedule|milestones?|break (it|this) down|strategy for|itinerary)\b", 2.5),),
    TaskType.ANALYSIS: (
        (r"\b(analy[sz]e|analysis|compare|classify|categori[sz]e|sentiment|extract|summari[sz]e|root cause|pros and cons|trend)\b", 2.5),
    ),
    TaskType.REASONING: (
        (r"\b(how many|prove|solve|calculate|compute|logic|puzzle|step by step|probability|which of the following)\b", 2.5),
        (r"\d+\s*[-+*/x^]\s*\d+", 2.0),
        (r"^\s*\(?[A-D][).:] ", 1.5),
    ),
    TaskType.TOOL_USE: (
        (r"\b(call|use|invoke) (the )?(\w+ )?(tool|api|function)s?\b|\b(search the web|look up|book|send an? (e-?mail|message))\b", 2.5),
    ),
    TaskType.MULTIMODAL: ((r"\b(image|screenshot|photo|picture|diagram|audio|video|scan)\b", 2.0),),
    TaskType.LONG_CONTEXT: (
        (r"\b(entire|whole|all \d+ pages|full) (book|document|repository|codebase|contract|transcript|report)\b", 3.0),
    ),
    TaskType.COMPLETION: (
        (r"\b(complete|continue|finish|fill in) (the|this|my)?\s*(text|sentence|story|code|paragraph|blank)?", 2.0),
        (r"_{3,}|\.\.\.\s*$", 1.0),
    ),
    TaskType.CREATIVE: ((r"\b(poem|story|haiku|slogan|lyrics|joke|limerick|fairy tale|tagline|song|name for)\b", 3.0),),
    TaskType.GENERAL: ((r"^(hi|hello|hey|thanks|thank you|good (morning|evening))\b|\b(what is the capital|who is|how are you)\b", 2.0),),
}
_DOMAIN_WORDS: Final[Mapping[Domain, str]] = {
    Domain.MATHS: r"\b(equation|integral|theorem|algebra|geometry|calculate|sum of|percent|probability|how many)\b|\d+\s*[-+*/^]\s*\d+",
    Domain.CODE: r"\b(code|function|python|javascript|sql|bug|api|class|compile|git|regex|stack trace|unit test)\b|```|\bdef \w+\(",
    Domain.SCIENCE: r"\b(physics|chemistry|biology|molecule|energy|cell|species|planet|experiment|protein|atom)\b",
    Domain.LAW: r"\b(contract|clause|liability|plaintiff|statute|gdpr|court|legal|tenant|lawsuit)\b",
    Domain.MEDICINE: r"\b(patient|diagnosis|symptom|dose|treatment|clinical|disease|mg|surgery|blood)\b",
    Domain.BUSINESS: r"\b(revenue|customer|market|sales|invoice|budget|kpi|stakeholder|quarter|profit)\b",
    Domain.HUMANITIES: r"\b(history|philosophy|novel|poem|war|century|art|religion|language|culture)\b",
}


def task_scores(text: str) -> tuple[tuple[TaskType, float], ...]:
    """Return task types with their share of the matched weight, best first; empty when nothing matched."""
    points = {task: sum(weight for pattern, weight in words if _compiled(pattern).search(text)) for task, words in _TASK_WORDS.items()}
    total = sum(points.values())
    if not total:
        return ()
    # One point of doubt keeps a single weak match from looking certain.
    shares = [(task, value / (total + 1.0)) for task, value in points.items() if value]
    return tuple(sorted(shares, key=lambda pair: (-pair[1], pair[0])))


def domain_of(text: str) -> tuple[Domain, float]:
    """Return the domain with most matches and its share of all matches."""
    counts = {domain: len(_compiled(pattern).findall(text)) for domain, pattern in _DOMAIN_WORDS.items()}
    total = sum(counts.values())
    if not total:
        return Domain.GENERAL, 0.5
    best = max(counts, key=lambda domain: counts[domain])
    return best, counts[best] / (total + 1.0)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.MULTILINE)
