"""Counting tokens without a tokenizer."""

from __future__ import annotations

from typing import Final

CHARS_PER_TOKEN: Final = 4.0  # the field's rule of thumb for English (field study E); measured against real counts in docs/decisions.md
_WIDE_TOKENS_PER_CHAR: Final = 0.7  # guess, not measured: Chinese, Japanese and Korean characters are about a token each
_LATIN_END: Final = 0x2E80


def estimate_tokens(text: str, *, chars: int | None = None) -> int:
    """Return about how many tokens a text has.

    Args:
        text: The text, or a sample of it.
        chars: Length of the whole text when ``text`` is a sample.
    """
    if not text:
        return 0
    wide = 0 if text.isascii() else sum(1 for mark in text if ord(mark) >= _LATIN_END)
    tokens = (len(text) - wide) / CHARS_PER_TOKEN + wide * _WIDE_TOKENS_PER_CHAR
    scale = 1.0 if chars is None else chars / len(text)
    return max(1, round(tokens * scale))
