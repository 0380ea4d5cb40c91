"""How long a provider asks to wait: ``Retry-After``, Google's RetryInfo, reset headers, or a sentence.

Providers write seconds, milliseconds, dates, durations such as ``6m0s`` and times of the day; all are read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|milliseconds?|d|days?|h|hours?|m|min|minutes?|s|secs?|seconds?)?(?![a-z])")
_SECONDS: Final = {"ms": 0.001, "mi": 60.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "": 1.0}
_SENTENCE: Final = re.compile(
    r"(?:try again|retry|wait|available again)\s+(?:in|after|for)?\s*(?:about |approximately )?"
    r"((?:\d+(?:\.\d+)?\s*(?:ms|[dhms]|days?|hours?|min(?:ute)?s?|sec(?:ond)?s?|milliseconds?)\s*)+)"
)
# Remaining and reset of the same window: OpenAI and its likes, Anthropic, the draft standard, OpenRouter, Azure.
_WINDOWS: Final = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("x-ratelimit-remaining-project-tokens", "x-ratelimit-reset-project-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
    ("x-ratelimit-remaining-req-minute", "x-ratelimit-reset-req-minute"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("ratelimit-remaining", "ratelimit-reset"),
)
_LONGEST_S: Final = 7 * 86400.0
_EPOCH_FROM: Final = 1e9  # a larger number is a moment, not a wait
_MILLISECONDS_FROM: Final = 1e11


def asked_wait_s(headers: Mapping[str, str], bodies: tuple[object, ...], words: str, *, now: float) -> float | None:
    """Return the seconds that an answer which refuses asks to wait.

    Args:
        headers: Its headers, names in lower case.
        bodies: Its bodies as data.
        words: Its sentences in lower case.
        now: Seconds since the epoch, for times where the answer has no date of its own.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    sent = _moment(headers.get("date")) or now
    found = _wait(headers.get("retry-after"), sent)
    if found is None:
        found = next((seconds for body in bodies for seconds in _retry_infos(body)), None)
    if found is None:
        found = window_wait_s(headers, now=now)
    if found is None and (said := _SENTENCE.search(words)):
        found = duration_s(said.group(1))
    return found


def window_wait_s(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return the seconds until a window that is used up is refilled, or ``None`` where there is room in all of them."""
    sent = _moment(headers.get("date")) or now
    waits = [_wait(headers.get(reset), sent) for left, reset in _WINDOWS if (_number(headers.get(left)) or 0) <= 0 and left in headers]
    known = [wait for wait in waits if wait is not None and wait > 0]
    return max(known, default=None)


def duration_s(text: str) -> float | None:
    """Read ``20``, ``1.5s``, ``6m0s``, ``2 minutes``, ``450ms``; ``None`` for anything else."""
    parts = _DURATION.findall(text.strip().lower())
    if not parts:
        return None
    return sum(float(number) * _SECONDS[unit[:2] if unit[:2] in {"ms", "mi"} and unit != "m" else unit[:1]] for number, unit in parts)


def _wait(text: str | None, sent: float) -> float | None:
    if not text:
        return None
    number = _number(text)
    if number is not None:
        if number >= _MILLISECONDS_FROM:
            number /= 1000
        return _bounded(number - sent if number >= _EPOCH_FROM else number)
    moment = _moment(text)
    if moment is not None:
        return _bounded(max(moment - sent, 0.0))
    seconds = duration_s(text) if re.fullmatch(r"[\d.\sa-z]+", text.strip().lower()) else None
    return _bounded(seconds)


def _bounded(seconds: float | None) -> float | None:
    return None if seconds is None else min(max(seconds, 0.0), _LONGEST_S)


def _retry_infos(body: object) -> Iterator[float]:
    if isinstance(body, list):
        for each in body:
            yield from _retry_infos(each)
    elif isinstance(body, Mapping):
        for key, value in body.items():
            plain = str(key).lower().replace("_", "")
            if plain in {"retrydelay", "retryafter", "retryafterseconds"} and isinstance(value, (str, int, float)):
                seconds = duration_s(str(value))
                if seconds is not None:
                    yield seconds
            elif isinstance(value, (Mapping, list)):
                yield from _retry_infos(value)


def _number(text: object) -> float | None:
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _moment(text: str | None) -> float | None:
    """Read a moment as an HTTP date or as RFC 3339, in seconds since the epoch."""
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text) if "," in text else datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
