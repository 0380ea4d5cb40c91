"""Keeps calls away from models, providers and credentials whose breaker is open (``CONTRACT.md`` rule 5)."""

from __future__ import annotations

from collections.abc import Iterator

from crew_router.clock import Clock
from crew_router.execute.breaker import admission
from crew_router.execute.commands import Refusal
from crew_router.execute.credential import credential_key
from crew_router.execute.gates import Ask, Pass
from crew_router.state.protocol import State
from crew_router.types.model import ModelDefinition


class BreakerGate:
    """Reads breakers from the snapshot, and claims the one probe of a half-open breaker in the store.

    Outcomes reach the breakers through :meth:`State.observe`, so a pass has nothing to settle.

    Args:
        state: The shared numbers.
        clock: Time.
    """

    def __init__(self, state: State, clock: Clock) -> None:
        self._state, self._clock = state, clock

    def enter(self, ask: Ask) -> Pass | Refusal | None:
        """Refuse while a breaker of the model, its provider or its credential is open, unless the call is forced."""
        breakers = self._state.snapshot().breakers
        if ask.force or not breakers:
            return None
        now = self._clock.now()
        for key in breaker_keys(ask.model):
            verdict = admission(breakers.get(key), at=now)
            if verdict == "call" or (verdict == "probe" and self._state.begin_probe(key, lease_s=ask.lease_s)):
                continue
            retry_at = breakers[key].retry_at
            wait_s = max((retry_at or now) - now, 0.0)
            detail = f"the breaker of {key!r} is open" if verdict == "wait" else f"another call probes {key!r}"
            return Refusal(ask.model.ref, "breaker", detail, retry_at=self._clock.monotonic() + wait_s)
        return None


def breaker_keys(model: ModelDefinition) -> Iterator[str]:
    """Yield the keys of the breakers that stand before a model, the widest last."""
    yield model.ref
    yield credential_key(model)
    yield model.provider
