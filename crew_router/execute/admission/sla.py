"""Back-pressure on a model that breaks its latency promise (requirement D3, rule 9).

A model whose recent 95th percentile lies above ``sla.p95_s`` gets a share of its calls that falls by a fifth at every breach
and grows by a quarter at every window that holds; at least one call in ten goes through, so that its recovery is seen. The
others go to the next best model, and come back when nothing else is left.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from crew_router.execute.admission.protocol import CallRequest, Permit
from crew_router.execute.protocol import Refusal
from crew_router.types.fork_hooks import free_in_child
from crew_router.types.vocabulary import ModelRef

if TYPE_CHECKING:
    from crew_router.types.outcome import Attempt, Usage

_WINDOW: Final = 20  # calls that a percentile is taken over; guess, not measured
_FALL: Final = 0.8
_RISE: Final = 1.25
_LEAST: Final = 0.1


class SlaCheck:
    """Lets a falling share of calls through to models over their SLA. Safe to call from any thread."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._records: dict[ModelRef, _Record] = {}
        self._lock = threading.Lock()
        free_in_child(self)

    def enter(self, call_request: CallRequest) -> Permit | Refusal | None:
        """Refuse what is above the model's share."""
        if call_request.model.sla_p95_s is None:
            return None
        with self._lock:
            record = self._records.setdefault(call_request.model.ref.model, _Record(call_request.model.sla_p95_s))
            if not call_request.force and self._rng.random() >= record.share:
                detail = f"95 % of its calls take {record.p95_s():.3g} s, {record.sla_s:g} s are promised; it gets {record.share:.0%}"
                return Refusal(call_request.model.ref, "sla", detail)
        return _SlaPermit(self, record)

    def share(self, ref: ModelRef) -> float:
        """Return the share of its calls that a model gets, 0.1..1."""
        record = self._records.get(ref)
        return 1.0 if record is None else record.share

    def took(self, record: _Record, latency_s: float) -> None:
        """Take the latency of a call."""
        with self._lock:
            record.take(latency_s)


@dataclass(slots=True)
class _Record:
    """Recent latencies of one model, and the share it gets."""

    sla_s: float
    share: float = 1.0
    latencies: deque[float] = field(default_factory=lambda: deque[float](maxlen=_WINDOW))
    since: int = 0

    def take(self, latency_s: float) -> None:
        """Add a latency; every quarter of a window the share is worked out again."""
        self.latencies.append(latency_s)
        self.since += 1
        if len(self.latencies) < _WINDOW or self.since < _WINDOW // 4:
            return
        self.since = 0
        breached = self.p95_s() > self.sla_s
        self.share = max(self.share * _FALL, _LEAST) if breached else min(self.share * _RISE, 1.0)

    def p95_s(self) -> float:
        """Return the 95th percentile of the recent latencies."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)] if ordered else 0.0


@dataclass(frozen=True, slots=True)
class _SlaPermit:
    """One call whose latency is watched."""

    gate: SlaCheck
    record: _Record

    @property
    def max_tokens(self) -> int | None:
        """A latency promise bounds no answer."""
        return None

    def settle(self, attempt: Attempt | None, *, spent: Usage | None) -> None:  # noqa: ARG002 - the protocol's
        """Take the latency of a call that answered or ran out of time."""
        if attempt is not None and (attempt.ok or attempt.error == "timeout"):
            self.gate.took(self.record, attempt.latency_s)
