"""Reading usage: what LangChain's clients make of the counts of providers, gateways and servers of one's own.

``output_tokens`` holds what was thought, whoever counts it outside; a stream's usage is read as parts or as a running total.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages.ai import UsageMetadata, add_usage, subtract_usage

from crew_router.types.outcome import Usage

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

# These report what was used so far on every chunk, or on none but the last; the same again is no second use.
_RUNNING: Final = frozenset(
    {"openai", "deepseek", "xai", "openrouter", "mistralai", "groq", "anthropic", "cohere", "ollama", "bedrock_converse"}
)
_COUNTS_OUTSIDE: Final = frozenset({"openai", "deepseek", "xai", "openrouter", "groq", "other"})
_UNREADABLE: Final = -1  # the executor replaces a negative count by its own
_LARGEST: Final = 2**62


def usage_of(message: BaseMessage, kind: str = "other") -> Usage | None:
    """Return the usage that the provider reported, or ``None``."""
    told = corrected(getattr(message, "usage_metadata", None), kind)
    return None if told is None else usage_from(told)


def usage_from(told: UsageMetadata) -> Usage:
    """Return LangChain's counts as ours."""
    details: Mapping[str, Any] = told.get("input_token_details") or {}
    for_an_hour = _detail(details, "ephemeral_1h_input_tokens")
    return Usage(
        told["input_tokens"], told["output_tokens"],
        cached_tokens=_detail(details, "cache_read"),
        cache_write_tokens=_detail(details, "cache_creation") + _detail(details, "ephemeral_5m_input_tokens"),
        cache_write_1h_tokens=for_an_hour,
    )  # fmt: skip


def corrected(reported: Any, kind: str) -> UsageMetadata | None:
    """Return the counts with thinking inside the output, once, and every number a whole one."""
    if not isinstance(reported, Mapping) or not reported:
        return None
    told: dict[str, Any] = {**reported}
    tokens_in, tokens_out = _whole(told.get("input_tokens")), _whole(told.get("output_tokens"))
    # A client that was given texts for counts has joined them; only a number is a total.
    total = told.get("total_tokens")
    total = total if isinstance(total, int) else max(tokens_in, 0) + max(tokens_out, 0)
    for name in ("input_token_details", "output_token_details"):
        details = told.get(name)
        if isinstance(details, Mapping):
            told[name] = {key: _whole(value) for key, value in details.items() if value is not None}
    thought = _detail(told.get("output_token_details") or {}, "reasoning")
    if tokens_in >= 0 and tokens_out >= 0:
        tokens_out = _with_thinking(tokens_in, tokens_out, total=total, thought=thought, kind=kind)
    told |= {"input_tokens": tokens_in, "output_tokens": tokens_out, "total_tokens": max(tokens_in, 0) + max(tokens_out, 0)}
    return told  # type: ignore[return-value]  # the keys are LangChain's own


def _with_thinking(tokens_in: int, tokens_out: int, *, total: int, thought: int, kind: str) -> int:
    """Return the output tokens with what was thought in them, as the total shows."""
    if kind not in _COUNTS_OUTSIDE:
        return tokens_out
    rest = total - tokens_in
    if thought > 0:
        if rest == tokens_out - thought >= thought:  # xAI's client added what a gateway had counted already
            return rest
        if rest == tokens_out + thought or thought > tokens_out:
            return tokens_out + thought
        return tokens_out
    # Gemini's compatible endpoint thinks without a detail: its total alone shows it.
    return rest if rest > tokens_out and tokens_in > 0 else tokens_out


def _detail(details: Mapping[str, Any], name: str) -> int:
    """Return a detail under its own name, or under that of a service tier (``flex_cache_read``)."""
    return sum(max(_whole(value), 0) for key, value in details.items() if key == name or key.endswith(f"_{name}"))


def _whole(value: Any, *, missing: int = 0) -> int:
    """Return a count, ``-1`` for what is none."""
    if value is None:
        return missing
    try:
        number = int(float(value)) if isinstance(value, str) else int(value)
    except (TypeError, ValueError, OverflowError):
        return _UNREADABLE
    return number if number <= _LARGEST else _UNREADABLE


class RunningUsage:
    """The usage of one stream, whether it comes in parts, as a running total, or twice.

    Args:
        kind: Family of the client.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._total: UsageMetadata | None = None

    @property
    def total(self) -> Usage | None:
        """All that was reported so far, once."""
        return None if self._total is None else usage_from(self._total)

    def take(self, reported: Any) -> UsageMetadata | None:
        """Take what one chunk reports; return what is new of it, so that the chunks add up to the total."""
        told = corrected(reported, self._kind)
        if told is None:
            return None
        before = self._total
        if before is None:
            self._total = told
            return told
        if self._is_part(told, before):
            self._total = add_usage(before, told)
            return told
        self._total = _larger(before, told)
        new = subtract_usage(self._total, before)
        return new if new["input_tokens"] or new["output_tokens"] else None

    def _is_part(self, told: UsageMetadata, before: UsageMetadata) -> bool:
        if self._kind in _RUNNING:
            return False
        return self._kind == "google_genai" or told["input_tokens"] == 0 or told["input_tokens"] != before["input_tokens"]


def _larger(one: UsageMetadata, other: UsageMetadata) -> UsageMetadata:
    """Return the larger of two counts of the same call."""
    return other if other["input_tokens"] + other["output_tokens"] >= one["input_tokens"] + one["output_tokens"] else one
