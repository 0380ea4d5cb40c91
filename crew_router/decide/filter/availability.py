"""Models that cannot be called at the moment: switched off, out of reach, broken, or full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.config.credential import is_credential
from crew_router.decide.filter.constraint import hard_filter
from crew_router.types import Rejection

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.types import CircuitBreakerState
    from crew_router.types.arrays import Flags

QUEUED: Final = ("rate", "concurrency")  # what a call can wait for
AVAILABILITY: Final = ("reachable", "breaker", *QUEUED)  # what the moment decides and the model does not


def _enabled_reason(context: RoutingContext, at: int) -> Rejection:
    return Rejection("enabled", "switched off in the registry", cure=f"set models.{context.model_table.refs[at]}.enabled: true")


@hard_filter("enabled", reason=_enabled_reason)
def _enabled(context: RoutingContext) -> Flags:
    return context.model_table.enabled


def _reachable_reason(context: RoutingContext, at: int) -> Rejection:
    model = context.models[at]
    known = context.obstacles[at] if context.obstacles else None
    if known is not None:
        return Rejection("reachable", known.reason, known.kind, known.missing, cure=known.cure)
    text = f"no key, package or running server for {model.ref}"
    return Rejection("reachable", text, cure="give it what `crew-router health` says it lacks")


@hard_filter("reachable", reason=_reachable_reason)
def _reachable(context: RoutingContext) -> Flags | None:
    return context.reachable if context.executing or reaches_any(context) else None


def reaches_any(context: RoutingContext) -> bool:
    """Tell whether any model can be called from here."""
    reachable = context.reachable
    return context.model_table.memo.get("reaches any", lambda: bool(reachable.any()), of=reachable)


def _unless_all(context: RoutingContext, kept: Flags) -> Flags | None:
    """Return the flags unless they leave no model that could be called: one without a key or a server stands in for nobody."""
    usable = context.model_table.enabled
    reachable = _reachable(context)
    if reachable is not None:
        usable = usable & reachable
    return kept if (kept & usable).any() else None


def _breaker_reason(context: RoutingContext, at: int) -> Rejection:
    states = context.snapshot.breakers
    shut = [states[key] for key in context.model_table.breaker_keys[at] if key in states and _is_shut(states[key], context.now)]
    state = max(shut, key=lambda each: each.retry_at or 0.0)
    wait_s = max((state.retry_at or context.now) - context.now, 0.0)
    if is_credential(state.key):
        refused = f"{context.models[at].ref.provider} refused its key (the breaker of its credential is open)"
        return Rejection("breaker", refused, str(state.failures), cure=f"set another key, or wait {wait_s:.0f} s for the next try")
    return Rejection("breaker", f"breaker of {state.key} is open", str(state.failures), cure=f"wait {wait_s:.0f} s for the next try")


@hard_filter("breaker", reason=_breaker_reason)
def _breaker(context: RoutingContext) -> Flags | None:
    """An open breaker removes its models; when that would remove all, none is (all open -> least bad)."""
    states, model_table, now = context.snapshot.breakers, context.model_table, context.now
    if not states:
        return None
    opened = model_table.memo.get("open breakers", lambda: {key for key, state in states.items() if state.phase == "open"}, of=states)
    shut = {key for key in opened if _is_shut(states[key], now)}
    if not shut:
        return None
    kept = np.array([shut.isdisjoint(keys) for keys in model_table.breaker_keys], dtype=np.bool_)
    return _unless_all(context, kept)


def _is_shut(state: CircuitBreakerState, now: float) -> bool:
    return state.phase == "open" and (state.retry_at or 0.0) > now


def _rate_reason(context: RoutingContext, at: int) -> Rejection:
    wait_s = context.snapshot.busy_until[context.model_table.refs[at]] - context.now
    return Rejection("rate", "its requests or tokens a minute are used up", f"{wait_s:.1f}", cure=f"wait {wait_s:.1f} s")


@hard_filter("rate", reason=_rate_reason)
def _rate(context: RoutingContext) -> Flags | None:
    """A full rate window removes its model; when that would remove all, none is: the call then waits."""
    busy = context.snapshot.busy_until
    if not busy:
        return None
    kept = np.array([busy.get(ref, 0.0) <= context.now for ref in context.model_table.refs], dtype=np.bool_)
    return _unless_all(context, kept)


def _concurrency_reason(context: RoutingContext, at: int) -> Rejection:
    running, limit = context.snapshot.in_flight[context.model_table.refs[at]], context.model_table.concurrency[at]
    text = f"{running} calls under way, {limit:.0f} at once allowed"
    return Rejection("concurrency", text, str(running), f"{limit:.0f}", cure=f"raise limits.concurrency of {context.model_table.refs[at]}")


@hard_filter("concurrency", reason=_concurrency_reason)
def _concurrency(context: RoutingContext) -> Flags | None:
    """A model with ``factor`` times its concurrency under way overflows (rule 9); when that would remove all, none is."""
    flight = context.snapshot.in_flight
    if not flight:
        return None
    running = np.array([flight.get(ref, 0) for ref in context.model_table.refs], dtype=np.float64)
    kept = ~(running >= np.ceil(context.model_table.concurrency * context.capacity_factor))
    return _unless_all(context, kept)
