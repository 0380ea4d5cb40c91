"""Counting tokens, mostly without a tokenizer; the measured error stands in docs/classification.md."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.classify.text import read_text
from crew_router.types.profile import CALLER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from crew_router.decide.tokenizers import Tokenizer
    from crew_router.types import RequestProfile, RoutingRequest

_SAMPLE_CHARS: Final = 8_000
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
    sample = text[:_SAMPLE_CHARS]
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
