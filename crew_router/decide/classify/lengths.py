"""How long the input is and how long the answer will be, in tokens."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.classify.text import read_text
from crew_router.types import TaskType
from crew_router.types.profile import CALLER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from crew_router.decide.tokenizers import Tokenizer
    from crew_router.types import RequestProfile, RoutingRequest

_COUNTED_CHARS: Final = 8_000
# Tokens for each byte of a kind, by its first byte in UTF-8; fitted by non-negative least squares to the geometric mean of the counts
# of OpenAI's o200k_base, Mistral's tekken and DeepSeek's tokenizer on prompts, documents and code of this project, every second
# text; judged on the others and on recorded sets by benchmarks/tokens.py.
_WORD: Final = 0.764
_LETTER: Final = 0.076
_DIGIT: Final = 1.147
_MARK: Final = 0.605
_NEWLINE: Final = 0.728
_FIRST_BYTES: Final = (  # from this first byte on, tokens for each character
    (0xC2, 0.6),  # Latin with accents
    (0xCD, 0.55),  # Greek; guess, too few texts
    (0xD0, 0.33),  # Cyrillic
    (0xD4, 0.39),  # Hebrew and Arabic
    (0xE0, 0.53),  # scripts of India and South-East Asia
    (0xE2, 1.25),  # dashes, quotes, symbols
    (0xE3, 0.64),  # kana
    (0xE4, 0.75),  # Chinese characters
    (0xEA, 0.75),  # Korean; guess, too few texts
    (0xEE, 0.83),  # marks of full width
    (0xF0, 2.0),  # emojis; guess, too few texts
)
_LETTERS: Final = bytes(chr(byte).isascii() and chr(byte).isalpha() for byte in range(256))
_FOREIGN_WORDS: Final = {"de": 1.11, "es": 1.09, "fr": 1.03, "it": 1.21, "nl": 1.23, "pl": 1.18, "pt": 1.04}


def estimate_tokens(text: str, *, chars: int | None = None, language: str = "en") -> int:
    """Return about how many tokens a text has.

    Args:
        text: The text, or a sample of it.
        chars: Length of the whole text when ``text`` is a sample.
        language: ISO 639-1 code; words of other Latin languages take more tokens.
    """
    if not text:
        return 0
    sample = text[:_COUNTED_CHARS]
    raw = sample.encode("utf-8", "replace")
    letters = np.frombuffer(raw.translate(_LETTERS), np.uint8)
    words = np.count_nonzero(letters[1:] > letters[:-1]) + int(letters[0])
    tokens = float(_rates().take(np.frombuffer(raw, np.uint8)).sum()) + _WORD * words
    tokens *= _FOREIGN_WORDS.get(language, 1.0)
    return max(1, round(tokens * (len(text) if chars is None else chars) / len(sample)))


def count_tokens(request: RoutingRequest, profile: RequestProfile, tokenizers: Mapping[str, Tokenizer]) -> Mapping[str, int]:
    """Return the tokens of the input as the tokenizers of providers count them; nothing where the caller said how many.

    The head and the tail of a long text stand for the whole.
    """
    if profile.input_tokens.source == CALLER or not profile.text_chars:
        return {}
    spoken = read_text(request.task_description, request.messages)
    share = spoken.chars / max(len(spoken.text), 1)
    return {provider: max(1, round(tokenizer.count(spoken.text) * share)) for provider, tokenizer in tokenizers.items()}


@cache
def _rates() -> NDArray[np.float32]:
    rates = np.zeros(256, np.float32)
    for byte in range(0x21, 0x7F):
        mark = chr(byte)
        rates[byte] = _LETTER if mark.isalpha() else _DIGIT if mark.isdigit() else _MARK
    rates[ord("\n")] = _NEWLINE
    for first, rate in _FIRST_BYTES:
        rates[first:] = rate
    return rates


_SAMPLE_CHARS: Final = 800
_NUMBERS: Final = {
    "one": 1,
    "a": 1,
    "an": 1,
    "single": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "ten": 10,
}
_TOKENS_PER_UNIT: Final = {  # guesses, but for "sentence" and "word", which were measured on answers of small models
    "word": 1.4,
    "sentence": 18.0,
    "line": 14.0,
    "bullet": 25.0,
    "point": 25.0,
    "paragraph": 110.0,
    "page": 600.0,
    "character": 0.25,
}
_ASKED: Final = re.compile(
    r"(?:\b(?:in|with|about|around|approx\.?|approximately|roughly|max\.?|maximum|most|under|exactly|to|within|than|give"
    r"|write|answer|use|short)"
    r"|[~≤<(,;:]|^|[.] )\s*(?:a |the )?(\d{1,5}|one|an?|single|two|three|four|five|six|seven|eight|ten)[ -](?:short "
    r"|brief |single |concise )?"
    r"(word|sentence|line|bullet|point|paragraph|page|character)s?\b(?! problem)",
    re.IGNORECASE | re.MULTILINE,
)
_THING: Final = r"(?:number|answer|value|letter|option|choice|name|word|result|digit|label|category)"
_SHORT: Final = re.compile(
    rf"\b(?:only|just|nothing but) (?:output |print |give |return |answer with )?(?:the |an? )?(?:single )?(?:extracted "
    rf"|final |correct )?{_THING}\b"
    rf"|\byes or no\b|\bonly an? {_THING}|\b(?:single|one) {_THING}\b",
    re.IGNORECASE,
)
_BRIEF: Final = re.compile(
    r"\bfinal answer as\b|\b(?:print|output|answer|reply|respond|return)(?: with)? only\b|\bnothing else\b|\bin short\b"
    r"|\bbriefly\b|\bone-liner\b",
    re.IGNORECASE,
)
_SHORT_MARKS: Final = ("only", "just", "nothing but", "yes or no", "single", "one ")  # patterns are slow, finding fixed strings is not
_THINGS: Final = (*_THING.removeprefix("(?:").removesuffix(")").split("|"), "yes or no")
_BRIEF_MARKS: Final = ("final answer as", "nothing else", "in short", "briefly", "one-liner")
_ONLY: Final = " only"
_VERB: Final = re.compile(r"(?:print|output|answer|reply|respond|return)(?: with)?\Z")
_VERB_CHARS: Final = len("respond with")
_COUNT: Final = re.compile(r"(?:\d|one|an?|single|two|three|four|five|six|seven|eight|ten)[ -](?:short |brief |single |concise )?\Z")
_COUNT_CHARS: Final = len("single concise ")
_SHORT_TOKENS: Final = (2, 8, 40)  # low, middle, high: fitted on every second task of the recorded small models, judged on the others
_BRIEF_TOKENS: Final = (4, 25, 180)
# Middle at complexity 5; reasoning was measured on recorded answers, the others are guesses until a ledger has learnt better.
_TYPE_TOKENS: Final = {
    TaskType.CODE_GENERATION: 280,
    TaskType.CODE_REVIEW: 450,
    TaskType.TESTING: 600,
    TaskType.REFACTORING: 500,
    TaskType.SECURITY_AUDIT: 600,
    TaskType.DOCUMENTATION: 600,
    TaskType.REASONING: 175,
    TaskType.PLANNING: 650,
    TaskType.ANALYSIS: 220,
    TaskType.TOOL_USE: 60,
    TaskType.MULTIMODAL: 200,
    TaskType.LONG_CONTEXT: 700,
    TaskType.COMPLETION: 120,
    TaskType.CREATIVE: 350,
    TaskType.GENERAL: 90,
}
_GROWTH: Final = 0.18  # log of tokens that one step of complexity adds; guess, not measured
_MIDDLE_COMPLEXITY: Final = 5
_SPREAD: Final = 5.0  # 90 % of answers lie within this factor; guess for types without recorded answers
_SPREADS: Final = {TaskType.REASONING: 2.6}  # measured, docs/classification.md
_ASKED_SPREAD: Final = 2.2
_ECHO: Final = {TaskType.REFACTORING: 0.8, TaskType.COMPLETION: 0.2, TaskType.TESTING: 0.3, TaskType.DOCUMENTATION: 0.3}


@dataclass(frozen=True, slots=True)
class OutputLength:
    """Tokens of the answer: 5th, 50th and 95th percentile, and from what they were read."""

    low: int
    middle: int
    high: int
    source: str

    @property
    def expected(self) -> int:
        """The mean of a log-normal variable with these percentiles, in tokens."""
        deviation = math.log(max(self.high, 1) / max(self.middle, 1)) / 1.645
        return max(1, round(self.middle * math.exp(min(deviation, 1.5) ** 2 / 2)))


def output_length(text: str, *, task: TaskType, complexity: int, input_tokens: int = 0) -> OutputLength:
    """Forecast the length of the answer.

    Args:
        text: What was asked; the head and the tail are read.
        task: What is wanted.
        complexity: 1 to 10.
        input_tokens: Tokens of the input; rewriting tasks give a part of it back.
    """
    sample = text if len(text) <= _SAMPLE_CHARS else f"{text[: _SAMPLE_CHARS // 2]}\n{text[-_SAMPLE_CHARS // 2 :]}"
    lowered = sample.lower()
    asked = _asked(sample) if _counts(lowered) else None
    if asked is not None:
        return OutputLength(
            max(1, round(asked / _ASKED_SPREAD)), max(1, round(asked)), max(16, round(asked * _ASKED_SPREAD)), "asked for in the text"
        )
    if _is_short(sample, lowered):
        return OutputLength(*_SHORT_TOKENS, "asked for in the text")
    if _is_brief(sample, lowered):
        return OutputLength(*_BRIEF_TOKENS, "asked for in the text")
    middle = _TYPE_TOKENS[task] * math.exp(_GROWTH * (complexity - _MIDDLE_COMPLEXITY))
    middle += _ECHO.get(task, 0.0) * min(input_tokens, 4_000)
    spread = _SPREADS.get(task, _SPREAD)
    return OutputLength(max(1, round(middle / spread)), max(1, round(middle)), max(8, round(middle * spread)), "task type")


def _counts(lowered: str) -> bool:
    """Tell whether a number stands before any unit; only then the whole pattern is worth its time."""
    return any(_COUNT.search(lowered, max(0, at - _COUNT_CHARS), at) for unit in _TOKENS_PER_UNIT for at in _places(lowered, unit))


def _is_short(sample: str, lowered: str) -> bool:
    return any(map(lowered.__contains__, _SHORT_MARKS)) and any(map(lowered.__contains__, _THINGS)) and bool(_SHORT.search(sample))


def _is_brief(sample: str, lowered: str) -> bool:
    marks = any(map(lowered.__contains__, _BRIEF_MARKS))
    return (marks or any(_VERB.search(lowered, max(0, at - _VERB_CHARS), at) for at in _places(lowered, _ONLY))) and bool(
        _BRIEF.search(sample)
    )


def _places(text: str, mark: str) -> Iterator[int]:
    at = text.find(mark)
    while at >= 0:
        yield at
        at = text.find(mark, at + 1)


def _asked(text: str) -> float | None:
    found = [float(_NUMBERS.get(number.lower()) or number) * _TOKENS_PER_UNIT[unit.lower()] for number, unit in _ASKED.findall(text)]
    return found[-1] if found else None
