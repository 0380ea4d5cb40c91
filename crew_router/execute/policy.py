"""How requests are carried out: limits of time, attempts and streams, as one value that loads from the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class StreamPolicy(StrEnum):
    """What happens when a stream breaks after its first piece (``docs/streaming.md``)."""

    BUFFER = "buffer"
    CONTINUE = "continue"
    RESTART = "restart"
    RAISE = "raise"


@dataclass(frozen=True, slots=True)
class BackOff:
    """Waits before a model is called again, once nothing else is left.

    The n-th wait lies between half and all of ``first_s`` · 2^n, at most ``longest_s``, and never below the latest
    Retry-After of the provider. A wait above ``patience_s`` is not begun.
    """

    first_s: float = 0.25  # guess, not measured
    longest_s: float = 8.0
    patience_s: float = 30.0
    retries: int = 2


@dataclass(frozen=True, slots=True)
class ExecutionPolicy:
    """Limits of one request.

    Args:
        attempts: Most calls of the flow before it gives up (one budget for retries and fallbacks together).
        attempt_timeout_s: Most seconds one call may take.
        stall_s: Most seconds between two pieces of a stream.
        stream: What happens when a stream breaks after its first piece.
        hold_chars: Characters held back by the stream policy ``buffer``.
        back_off: Waits before a model is called again.
        first_share: Share of the time left that one call gets while other models stand behind it.
    """

    attempts: int = 8
    attempt_timeout_s: float = 120.0
    stall_s: float = 30.0
    stream: StreamPolicy = StreamPolicy.BUFFER
    hold_chars: int = 200
    back_off: BackOff = field(default_factory=BackOff)
    first_share: float = 0.6  # guess, not measured
