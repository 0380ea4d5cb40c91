"""Models that cannot be called at the moment: switched off, out of reach, broken, or full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.filter.constraint import hard_filter
from crew_router.types import Rejection

if TYPE_CHECKING:
    from crew_router.decide.context import Situation
    from crew_router.types import CircuitBreakerState
    from crew_router.types.arrays import Flags

QUEUED: Final = ("rate", "concurrency")  # what a call can wait for
AVAILABILITY: Final = ("reachable", "breaker", *QUEUED)  # what the moment decides and the model does not


def _enabled_reason(situation: Situation, at: int) -> Rejection:
    return Rejection("enabled", "switched off in the registry", cure=f"set models.{situation.columns.refs[at]}.enabled: true")


@hard_filter("enabled", reason=_enabled_reason)
def _enabled(situation: Situation) -> Flags:
    return situation.columns.enabled


def _reachable_reason(situation: Situation, at: int) -> Rejection:
    model = situation.models[at]
    return Rejection("reachable", f"no key, package or running server for {model.ref}", cure="`crew-router health` tells which")


@hard_filter("reachable", reason=_reachable_reason)
def _reachable(situation: Situation) -> Flags | None:
    return situation.reachable if situation.executing or reaches_any(situation) else None


def reaches_any(situation: Situation) -> bool:
    """Tell whether any model can be called from here."""
    reachable = situation.reachable
    return situation.columns.memo.get("reaches any", lambda: bool(reachable.any()), of=reachable)


def _breaker_reason(situation: Situation, at: int) -> Rejection:
    states = situation.snapshot.breakers
    shut = [states[key] for key in situation.columns.breaker_keys[at] if key in states and _is_shut(states[key], situation.now)]
    state = max(shut, key=lambda each: each.retry_at or 0.0)
    wait_s = max((state.retry_at or situation.now) - situation.now, 0.0)
    return Rejection("breaker", f"breaker of {state.key} is open", str(state.failures), cure=f"it is probed in {wait_s:.0f} s")


@hard_filter("breaker", reason=_breaker_reason)
def _breaker(situation: Situation) -> Flags | None:
    """An open breaker removes its models; when that would remove all, none is (all open -> least bad)."""
    states, columns, now = situation.snapshot.breakers, situation.columns, situation.now
    if not states:
        return None
    opened = columns.memo.get("open breakers", lambda: {key for key, state in states.items() if state.phase == "open"}, of=states)
    shut = {key for key in opened if _is_shut(states[key], now)}
    if not shut:
        return None
    kept = np.array([shut.isdisjoint(keys) for keys in columns.breaker_keys], dtype=np.bool_)
    return kept if kept.any() else None


def _is_shut(state: CircuitBreakerState, now: float) -> bool:
    return state.phase == "open" and (state.retry_at or 0.0) > now


def _rate_reason(situation: Situation, at: int) -> Rejection:
    wait_s = situation.snapshot.busy_until[situation.columns.refs[at]] - situation.now
    return Rejection("rate", "its requests or tokens a minute are used up", f"{wait_s:.1f}", cure=f"it is free in {wait_s:.1f} s")


@hard_filter("rate", reason=_rate_reason)
def _rate(situation: Situation) -> Flags | None:
    """A full rate window removes its model; when that would remove all, none is: the call then waits."""
    busy = situation.snapshot.busy_until
    if not busy:
        return None
    kept = np.array([busy.get(ref, 0.0) <= situation.now for ref in situation.columns.refs], dtype=np.bool_)
    return kept if kept.any() else None


def _concurrency_reason(situation: Situation, at: int) -> Rejection:
    running, limit = situation.snapshot.in_flight[situation.columns.refs[at]], situation.columns.concurrency[at]
    text = f"{running} calls under way, {limit:.0f} at once allowed"
    return Rejection("concurrency", text, str(running), f"{limit:.0f}", cure=f"raise limits.concurrency of {situation.columns.refs[at]}")


@hard_filter("concurrency", reason=_concurrency_reason)
def _concurrency(situation: Situation) -> Flags | None:
    """A model with ``factor`` times its concurrency under way overflows (rule 9); when that would remove all, none is."""
    flight = situation.snapshot.in_flight
    if not flight:
        return None
    running = np.array([flight.get(ref, 0) for ref in situation.columns.refs], dtype=np.float64)
    kept = ~(running >= np.ceil(situation.columns.concurrency * situation.capacity_factor))
    return kept if kept.any() else None
