"""What can be seen on the face of an answer, before anybody says whether it is right; and what it comes down to."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from crew_router.decide.learned.arithmetic import checked
from crew_router.decide.learned.calls import CALL_READINGS, Ground, call_readings, same_calls
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
_LAST_ALPHABET: Final = 0x2E7F  # Chinese, Japanese and Korean begin behind it
PLAIN_READINGS: Final = 32
READINGS: Final = PLAIN_READINGS + CALL_READINGS
"""Figures of an answer; those of function calls come last."""


def final_answer(answer: str | None) -> str | None:
    """Return what an answer comes down to, equal for equal answers; ``None`` when there is none.

    Calls of functions and JSON stand for themselves, in whatever order, and so do short texts; of longer ones the fenced code, the marked
    result, or the last number.
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
    marked = next((found[-1] for found in (pattern.findall(answer) for pattern in _FINAL) if found), None)
    text = answer if marked is None else marked
    numbers = _NUMBER.findall(text)
    return _canonical(numbers[-1]) if numbers else _plain(text)


def _json(answer: str) -> str | None:
    value = json_of(answer)
    if value is None:
        return None
    if isinstance(value, dict) and (said := value.get("answer")) is not None:
        return final_answer(str(said))  # what stands beside it, as steps, may differ
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
class Asked:
    """What of a prompt is compared with answers; made once per prompt."""

    tokens: frozenset[str]
    numbers: tuple[float, ...]
    ground: Ground

    @classmethod
    def of(cls, prompt: str) -> Asked:
        """Read a prompt."""
        end = prompt[-_PROMPT_CHARS:]
        numbers = (_float(text) for text in _NUMBER.findall(end[-_PROMPT_CHARS // 2 :]))
        tokens = frozenset(_TOKEN.findall(end.casefold()))
        return cls(tokens, tuple(number for number in numbers if number is not None), Ground.of(end))


def readings(asked: Asked, answer: str | None) -> list[float]:
    """Return the figures of one answer; the first tells that there is none."""
    if answer is None or answer == NO_TEXT:
        return [1.0, *([0.0] * (READINGS - 1))]
    return [0.0, *_shape(answer), *_against(asked, answer), *_arithmetic(answer), *_manner(answer), *call_readings(asked.ground, answer)]


def _shape(answer: str) -> list[float]:
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


def _against(asked: Asked, answer: str) -> list[float]:
    tokens = _TOKEN.findall(answer.casefold())
    numbers = [number for number in (_float(text) for text in _NUMBER.findall(answer)) if number is not None]
    last = numbers[-1] if numbers else 0.0
    said = set(numbers)
    return [
        sum(token in asked.tokens for token in tokens) / max(len(tokens), 1),
        float(bool(numbers)),
        float(np.log1p(len(numbers))),
        sum(number in said for number in asked.numbers) / max(len(asked.numbers), 1),
        float(abs(last) < _LARGEST and last != int(last)),
        float(last < 0),
        min(float(np.log1p(abs(last))), 15.0) / 5,
        float(bool(numbers) and last in asked.numbers),
    ]


def _arithmetic(answer: str) -> list[float]:
    holds = list(checked(answer))
    wrong = holds.count(False)
    return [float(np.log1p(len(holds))), float(np.log1p(wrong)), float(wrong > 0), wrong / max(len(holds), 1)]


def _manner(answer: str) -> list[float]:
    return [
        float(np.log1p(len(_HEDGE.findall(answer)))),
        float(any(ord(letter) > _LAST_ALPHABET for letter in answer)),
        float("####" in answer or "boxed" in answer),
        float(_ALGEBRA.search(answer.casefold()) is not None),
    ]
