"""How requests are carried out: limits of time, attempts and streams, as one value that loads from the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from crew_router.types.vocabulary import ModelRef


class StreamPolicy(StrEnum):
    """What happens when a stream breaks after its first piece (``docs/streaming.md``)."""

    BUFFER = "buffer"
    CONTINUE = "continue"
    RESTART = "restart"
    RAISE = "raise"


class ConsensusMethod(StrEnum):
    """How one answer is chosen from several (requirement A11)."""

    JUDGE = "judge"
    WEIGHTED = "weighted"
    VOTING = "voting"
    FIRST_SUCCESS = "first_success"


@dataclass(frozen=True, slots=True)
class ConsensusPolicy:
    """How a parallel run ends; ``timeout_s`` is the most seconds that its members are waited for."""

    method: ConsensusMethod = ConsensusMethod.JUDGE
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class CascadePolicy:
    """When a cascade stops.

    Args:
        threshold: Probability of being right at which an answer is accepted (E2).
        samples: Calls of one step; more than one asks for self-consistency.
        judge: A model outside the cascade that grades an answer which is close to acceptance, if any.
    """

    threshold: float = 0.7
    samples: int = 1
    judge: ModelRef | None = None


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
        hedge: Second calls to slow models, as a share of all requests; 0 for none.
        hedge_sync: Whether synchronous calls are hedged too; each then runs on a private loop, so that the loser really ends.
        consensus: How a parallel run ends.
        cascade: When a cascade stops.
    """

    attempts: int = 8
    attempt_timeout_s: float = 120.0
    stall_s: float = 30.0
    stream: StreamPolicy = StreamPolicy.BUFFER
    hold_chars: int = 200
    back_off: BackOff = field(default_factory=BackOff)
    first_share: float = 0.6  # guess, not measured
    hedge: float = 0.0
    hedge_sync: bool = False
    consensus: ConsensusPolicy = field(default_factory=ConsensusPolicy)
    cascade: CascadePolicy = field(default_factory=CascadePolicy)
