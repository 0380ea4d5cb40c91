"""Keeps calls away from models, providers and credentials whose breaker is open (rule 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crew_router.config.credential import breaker_keys
from crew_router.execute.admission.protocol import CallRequest, Permit
from crew_router.execute.protocol import Refusal
from crew_router.record.state.breaker import admission
from crew_router.record.state.protocol import State
from crew_router.types.clock import Clock

if TYPE_CHECKING:
    from crew_router.types.outcome import Attempt, Usage


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
                retry_at = breakers[key].retry_at
                wait_s = max((retry_at or now) - now, 0.0)
                detail = f"the breaker of {key!r} is open" if verdict == "wait" else f"another call probes {key!r}"
                return Refusal(call_request.model.ref, "breaker", detail, retry_at=self._clock.monotonic() + wait_s)
        return ProbePermit(self._state, tuple(probes)) if probes else None


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
