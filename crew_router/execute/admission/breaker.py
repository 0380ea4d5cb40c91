"""Keeps calls away from models, providers and credentials whose breaker is open (rule 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crew_router.config.credential import breaker_keys, limit_key
from crew_router.execute.admission.protocol import CallRequest, Permit
from crew_router.execute.protocol import Refusal
from crew_router.record.state.breaker import admission
from crew_router.record.state.protocol import State
from crew_router.types.clock import Clock

if TYPE_CHECKING:
    from crew_router.types.model import ModelDefinition
    from crew_router.types.outcome import Attempt, CircuitBreakerState, Usage


class BreakerCheck:
    """Reads breakers from the snapshot, and claims the one probe of a half-open breaker in the store.

    Outcomes reach the breakers through :meth:`State.observe`; a pass gives back the probes of a call that was not made.

    Args:
        state: The shared numbers.
        clock: Time.
    """

    def __init__(self, state: State, clock: Clock) -> None:
        self._state, self._clock = state, clock

    def waits(self, call_request: CallRequest) -> bool:
        """Tell whether a probe has to be claimed in the store."""
        breakers = self._state.snapshot().breakers
        if call_request.force or not breakers:
            return False
        now = self._clock.now()
        return any(admission(breakers.get(key), at=now) == "probe" for key in breaker_keys(call_request.model))

    def enter(self, call_request: CallRequest) -> Permit | Refusal | None:
        """Refuse while a breaker of the model, its provider or its credential is open, unless the call is forced."""
        breakers = self._state.snapshot().breakers
        if call_request.force or not breakers:
            return None
        now, probes = self._clock.now(), list[str]()
        for key in breaker_keys(call_request.model):
            verdict = admission(breakers.get(key), at=now)
            if verdict == "probe" and self._state.begin_probe(key, lease_s=call_request.lease_s):
                probes.append(key)
            elif verdict != "call":
                ProbePermit(self._state, tuple(probes)).settle(None, spent=None)
                return self._refused(call_request.model, key, breakers[key], now=now, waits=verdict == "wait")
        return ProbePermit(self._state, tuple(probes)) if probes else None

    def _refused(self, model: ModelDefinition, key: str, breaker: CircuitBreakerState, *, now: float, waits: bool) -> Refusal:
        retry_at = self._clock.monotonic() + max((breaker.retry_at or now) - now, 0.0)
        if key == limit_key(model.ref):
            return Refusal(model.ref, "limit", f"the provider takes no call of {model.ref!r} before it has waited", retry_at=retry_at)
        detail = (
            f"the breaker of {key!r} is open{f' ({breaker.cause})' if breaker.cause else ''}" if waits else f"another call probes {key!r}"
        )
        return Refusal(model.ref, "breaker", detail, retry_at=retry_at)


@dataclass(frozen=True, slots=True)
class ProbePermit:
    """Leave for a call that probes half-open breakers."""

    state: State
    keys: tuple[str, ...]

    @property
    def max_tokens(self) -> int | None:
        """A probe bounds no answer."""
        return None

    def settle(self, attempt: Attempt | None, *, spent: Usage | None) -> None:  # noqa: ARG002 - the protocol's
        """Give the probes back when no call was made."""
        if attempt is None:
            for key in self.keys:
                self.state.give_probe_back(key)
