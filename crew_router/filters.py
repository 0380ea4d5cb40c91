"""Hard constraints (requirement A4): each looks at all models at once and can say why it removed one.

Unknown figures follow one rule: an unknown price or latency passes (with a warning in the evidence) unless a hard budget
of the configuration asks for priced models; an unknown context window passes; an unknown capability is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.columns import capability_bits
from crew_router.types import ModelCapability, Rejection

if TYPE_CHECKING:
    from crew_router.columns import Flags
    from crew_router.situation import Situation

Keeps = Callable[["Situation"], "Flags | None"]
Reason = Callable[["Situation", int], Rejection]


@dataclass(frozen=True, slots=True)
class Filter:
    """One hard constraint.

    ``keeps`` returns which models pass, or ``None`` when the constraint does not apply to the request at all;
    ``reason`` names, for a model that did not pass, the figure that failed and what would satisfy the constraint.
    """

    name: str
    keeps: Keeps
    reason: Reason


_FILTERS: Final[dict[str, Filter]] = {}


def hard_filter(name: str, *, reason: Reason) -> Callable[[Keeps], Keeps]:
    """Register a hard constraint under a name.

    Example:
        >>> @hard_filter("even_places", reason=lambda s, at: Rejection("even_places", f"place {at} is odd"))
        ... def _even(situation):
        ...     return np.arange(len(situation.models)) % 2 == 0
        >>> _ = _FILTERS.pop("even_places")
    """

    def register(keeps: Keeps) -> Keeps:
        _FILTERS[name] = Filter(name, keeps, reason)
        return keeps

    return register


def surviving(situation: Situation) -> Flags:
    """Return which models pass every hard constraint."""
    left = situation.columns.enabled.copy()
    for constraint in _FILTERS.values():
        kept = constraint.keeps(situation)
        if kept is not None:
            left &= kept
    return left


def rejections(situation: Situation, at: int) -> tuple[Rejection, ...]:
    """Return every constraint that removed the model at a place, with its figures."""
    return tuple(_rejections(situation, at))


def _rejections(situation: Situation, at: int) -> Iterator[Rejection]:
    for constraint in _FILTERS.values():
        kept = constraint.keeps(situation)
        if kept is not None and not kept[at]:
            yield constraint.reason(situation, at)


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
    if situation.executing or situation.reachable.any():
        return situation.reachable
    return None


def _breaker_reason(situation: Situation, at: int) -> Rejection:
    ref = situation.columns.refs[at]
    state = situation.snapshot.breakers.get(ref) or situation.snapshot.breakers[ref.provider]
    wait = max((state.retry_at or situation.now) - situation.now, 0.0)
    return Rejection("breaker", f"breaker of {state.key} is open", str(state.failures), cure=f"it is probed in {wait:.0f} s")


@hard_filter("breaker", reason=_breaker_reason)
def _breaker(situation: Situation) -> Flags | None:
    """An open breaker removes its models; when that would remove all, none is (all open -> least bad)."""
    states = situation.snapshot.breakers
    if not states:
        return None
    shut = {key for key, state in states.items() if state.phase == "open" and (state.retry_at or 0.0) > situation.now}
    if not shut:
        return None
    kept = np.array([not (ref in shut or ref.provider in shut) for ref in situation.columns.refs], dtype=np.bool_)
    return kept if kept.any() else None


def _providers_reason(situation: Situation, at: int) -> Rejection:
    provider = situation.columns.refs[at].provider
    return Rejection(
        "providers", f"provider {provider} is not allowed", provider, cure=f"allow {provider} in allow_providers/deny_providers"
    )


@hard_filter("providers", reason=_providers_reason)
def _providers(situation: Situation) -> Flags | None:
    request = situation.request
    if request.allow_providers is None and not request.deny_providers:
        return None
    allowed = [
        (request.allow_providers is None or model.ref.provider in request.allow_providers)
        and model.ref.provider not in request.deny_providers
        for model in situation.models
    ]
    return np.array(allowed, dtype=np.bool_)


def _capability_reason(situation: Situation, at: int) -> Rejection:
    missing = ", ".join(sorted(_needed(situation) - situation.models[at].capabilities))
    return Rejection(
        "capability", f"lacks {missing}", missing, cure=f"do not require {missing}, or state it in the registry if the model has it"
    )


@hard_filter("capability", reason=_capability_reason)
def _capability(situation: Situation) -> Flags | None:
    needed = capability_bits(_needed(situation))
    return (situation.columns.capabilities & needed) == needed if needed else None


def _context_reason(situation: Situation, at: int) -> Rejection:
    need, have = situation.forecast.input_tokens + situation.forecast.output_tokens, situation.models[at].context_window
    return Rejection(
        "context_window", f"needs {need} tokens, has {have}", str(need), str(have), cure="shorten the input or expected output"
    )


@hard_filter("context_window", reason=_context_reason)
def _context(situation: Situation) -> Flags:
    need = situation.forecast.input_tokens + situation.forecast.output_tokens
    return ~(situation.columns.context_window < need)


def _quality_reason(situation: Situation, at: int) -> Rejection:
    have, want = situation.forecast.quality[at], situation.request.quality_requirement
    return Rejection(
        "quality", f"quality {have:.3f} < {want:.3f}", f"{have:.3f}", f"{want:.3f}", cure=f"lower quality_requirement to {have:.3f}"
    )


@hard_filter("quality", reason=_quality_reason)
def _quality(situation: Situation) -> Flags | None:
    want = situation.request.quality_requirement
    return None if want is None else situation.forecast.quality >= want


def _latency_reason(situation: Situation, at: int) -> Rejection:
    have, want = situation.forecast.latency[at], _latency_limit(situation)
    return Rejection(
        "latency", f"expected {have:.2f} s > {want:.2f} s", f"{have:.2f}", f"{want:.2f}", cure=f"raise max_latency_s to {have:.2f}"
    )


@hard_filter("latency", reason=_latency_reason)
def _latency(situation: Situation) -> Flags | None:
    limit = _latency_limit(situation)
    return None if limit is None else ~(situation.forecast.latency > limit)


def _budget_reason(situation: Situation, at: int) -> Rejection:
    cost = situation.forecast.cost[at]
    if np.isnan(cost):
        return Rejection("budget", "has no price under a hard budget", cure="state its price, or set budgets.unpriced: allow")
    scope, limit = min(_limits(situation), key=lambda pair: pair[1])
    raise_it = f"raise cost_budget to ${cost:.6f}" if scope == "cost_budget" else f"raise budgets.{scope}"
    return Rejection("budget", f"expected ${cost:.6f} > ${limit:.6f} left of {scope}", f"{cost:.6f}", f"{limit:.6f}", cure=raise_it)


@hard_filter("budget", reason=_budget_reason)
def _budget(situation: Situation) -> Flags | None:
    limits = _limits(situation)
    if not limits:
        return None
    kept = ~(situation.forecast.cost > min(limit for _, limit in limits))
    if situation.limits_usd and not situation.unpriced_allowed:
        kept &= ~np.isnan(situation.forecast.cost)
    return kept


def _region_reason(situation: Situation, at: int) -> Rejection:
    have = "/".join(sorted(situation.models[at].regions)) or "unknown"
    return Rejection("region", f"region {have}, wanted {situation.request.region}", have, str(situation.request.region), cure="drop region")


@hard_filter("region", reason=_region_reason)
def _region(situation: Situation) -> Flags | None:
    wanted = situation.request.region
    return None if wanted is None else np.array([wanted in model.regions for model in situation.models], dtype=np.bool_)


def _needed(situation: Situation) -> frozenset[ModelCapability]:
    return situation.request.needs() | situation.profile.modality.value


def _latency_limit(situation: Situation) -> float | None:
    limits = [limit for limit in (situation.request.max_latency_s, situation.request.deadline_s) if limit is not None]
    return min(limits, default=None)


def _limits(situation: Situation) -> list[tuple[str, float]]:
    own = situation.request.cost_budget
    return ([] if own is None else [("cost_budget", own)]) + list(situation.limits_usd.items())
