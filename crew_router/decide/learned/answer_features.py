"""Features of an answer's text, from which the probability that it is right is predicted; and its final answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from crew_router.decide.learned.arithmetic import equations_hold
from crew_router.decide.learned.calls import CALL_FEATURES, PromptText, call_features, same_calls
from crew_router.types.canonical_answer import NO_TEXT, json_of

_HEDGE: Final = re.compile(
    r"\b(?:sorry|unfortunately|cannot|can't|unable|not (?:sure|clear|enough|possible)|i do|do not|don't|however|approximately"
    r"|assumed?|assumes|assuming|assumption|about|perhaps|might|unclear|depends|wait|actually|let's check|mistake|correct(?:ion|ed))\b",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"-?\d[\d,]*\.?\d*")
_TOKEN: Final = re.compile(r"[a-z]{3,}|\d+")
_ALGEBRA: Final = re.compile(r"\b(?:let|denote|variable|equation)\b")
_FENCE: Final = re.compile(r"```(?:\w+)?\s*(.*?)(?:```|$)", re.DOTALL)
_FINAL: Final = (
    re.compile(r"\\boxed\{([^{}]*)\}"),
    re.compile(r"####\s*([^\n]+)"),
    re.compile(r"(?:answer|result) (?:is|:)\s*\**([^\n.]+(?:\.\d+)?)", re.IGNORECASE),
)
_SHORT_CHARS: Final = 60
_TINY_CHARS: Final = 3
_PROMPT_CHARS: Final = 4000
_LARGEST: Final = 1e15
_LAST_ALPHABET: Final = 0x2E7F  # Chinese, Japanese and Korean characters come after this code point
TEXT_FEATURES: Final = 32
ANSWER_FEATURES: Final = TEXT_FEATURES + CALL_FEATURES
"""Number of features of an answer; those of function calls come last."""


def final_answer(answer: str | None) -> str | None:
    """Return the final answer of a text in a form that is the same for equal answers; ``None`` when there is none.

    This is: function calls or JSON, whatever their order; else a short text itself; else, of a longer text, the fenced code,
    the marked result or the last number.
    """
    if answer is None or answer == NO_TEXT or not answer.strip():
        return None
    if (structured := same_calls(answer) or _json(answer)) is not None:
        return structured
    if len(answer) <= _SHORT_CHARS and "\n" not in answer:
        return _plain(answer)
    if "```" in answer or "def " in answer:
        fenced = _FENCE.search(answer)
        return _plain(fenced.group(1) if fenced else answer)
    marked = next((matches[-1] for matches in (pattern.findall(answer) for pattern in _FINAL) if matches), None)
    text = answer if marked is None else marked
    numbers = _NUMBER.findall(text)
    return _canonical(numbers[-1]) if numbers else _plain(text)


def _json(answer: str) -> str | None:
    value = json_of(answer)
    if value is None:
        return None
    if isinstance(value, dict) and (final := value.get("answer")) is not None:
        return final_answer(str(final))  # other keys, such as the steps, may differ
    return json.dumps(value, sort_keys=True).casefold()


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _canonical(number: str) -> str:
    value = _float(number)
    return number if value is None else f"{value:.10g}"


def _float(text: str) -> float | None:
    try:
        return float(text.replace(",", "").rstrip("."))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class PromptFacts:
    """A prompt prepared for comparison with answers; made once per prompt.

    Args:
        tokens: Words and numbers of its end, in lower case.
        numbers: Numbers of its last part.
        text: Prepared for comparison with function calls.
    """

    tokens: frozenset[str]
    numbers: tuple[float, ...]
    text: PromptText

    @classmethod
    def of(cls, prompt: str) -> PromptFacts:
        """Return the prepared prompt."""
        end = prompt[-_PROMPT_CHARS:]
        numbers = (_float(text) for text in _NUMBER.findall(end[-_PROMPT_CHARS // 2 :]))
        tokens = frozenset(_TOKEN.findall(end.casefold()))
        return cls(tokens, tuple(number for number in numbers if number is not None), PromptText.of(end))


def answer_features(prompt: PromptFacts, answer: str | None) -> list[float]:
    """Return the features of one answer; the first is 1 when there is no answer."""
    if answer is None or answer == NO_TEXT:
        return [1.0, *([0.0] * (ANSWER_FEATURES - 1))]
    return [
        0.0,
        *_form_features(answer),
        *_prompt_features(prompt, answer),
        *_arithmetic_features(answer),
        *_style_features(answer),
        *call_features(prompt.text, answer),
    ]


def _form_features(answer: str) -> list[float]:
    signs = ("\n", "=", "return", ";", '"', ",")
    return [
        float(np.log1p(len(answer))) / 3,
        *(float(np.log1p(answer.count(sign))) for sign in signs),
        float("```" in answer),
        float("def " in answer),
        float(answer.count("(") != answer.count(")")),
        float("import " in answer),
        float(len(answer) <= _TINY_CHARS),
        float(answer.rstrip()[-1:] in ".!?"),
        float(np.log1p(answer.count(".") + answer.count("\n"))),
        float("{" in answer or "[" in answer),
    ]


def _prompt_features(prompt: PromptFacts, answer: str) -> list[float]:
    tokens = _TOKEN.findall(answer.casefold())
    numbers = [number for number in (_float(text) for text in _NUMBER.findall(answer)) if number is not None]
    last = numbers[-1] if numbers else 0.0
    stated = set(numbers)
    return [
        sum(token in prompt.tokens for token in tokens) / max(len(tokens), 1),
        float(bool(numbers)),
        float(np.log1p(len(numbers))),
        sum(number in stated for number in prompt.numbers) / max(len(prompt.numbers), 1),
        float(abs(last) < _LARGEST and last != int(last)),
        float(last < 0),
        min(float(np.log1p(abs(last))), 15.0) / 5,
        float(bool(numbers) and last in prompt.numbers),
    ]


def _arithmetic_features(answer: str) -> list[float]:
    holds = list(equations_hold(answer))
    wrong = holds.count(False)
    return [float(np.log1p(len(holds))), float(np.log1p(wrong)), float(wrong > 0), wrong / max(len(holds), 1)]


def _style_features(answer: str) -> list[float]:
    return [
        float(np.log1p(len(_HEDGE.findall(answer)))),
        float(any(ord(letter) > _LAST_ALPHABET for letter in answer)),
        float("####" in answer or "boxed" in answer),
        float(_ALGEBRA.search(answer.casefold()) is not None),
    ]
