"""Hard constraints (requirement A4): each looks at all models at once and can say why it removed one.

Unknown figures follow stated rules (``docs/routing.md``): an unknown price or latency passes (with a warning in the evidence)
unless a hard budget asks for priced models; an unknown context window passes; an unknown capability, region or moderation is
absent; a quality that nobody measured is that of the tier.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.columns import capability_bits
from crew_router.types import ModelCapability, ModelRef, Rejection

if TYPE_CHECKING:
    from crew_router.columns import Columns, Flags
    from crew_router.ruling import Admission
    from crew_router.situation import Situation
    from crew_router.types import CircuitBreakerState

Keeps = Callable[["Situation"], "Flags | None"]
Reason = Callable[["Situation", int], Rejection]
QUALITY_FLOOR: Final = "quality"
_DIGITS: Final = 4


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


def surviving(situation: Situation, *, without: str = "") -> Flags:
    """Return which models pass every hard constraint, one of which may be left out by its name."""
    left: Flags | None = None
    for constraint in _FILTERS.values():
        kept = constraint.keeps(situation)
        if kept is not None and constraint.name != without:
            left = kept if left is None else left & kept
    return situation.columns.enabled if left is None else left


def rejections(situation: Situation, at: int) -> tuple[Rejection, ...]:
    """Return every constraint that removed the model at a place, with its figures."""
    return tuple(_rejections(situation, at))


def _rejections(situation: Situation, at: int) -> Iterator[Rejection]:
    for constraint in _FILTERS.values():
        kept = constraint.keeps(situation)
        if kept is not None and not kept[at]:
            yield constraint.reason(situation, at)


def outward(value: float, *, up: bool) -> str:
    """Return a number in few digits that is not below (``up``) or not above it, so that what a cure says really cures.

    Example:
        >>> outward(0.01234567, up=True), outward(0.876543, up=False)
        ('0.01235', '0.8765')
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    places = max(_DIGITS - 1 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:.{places}f}"
    if (float(text) < value) if up else (float(text) > value):
        text = f"{float(text) + (1 if up else -1) * 10.0**-places:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _gap(have: float, limit: float) -> float:
    """Return how far a figure lies from its limit, relative to the limit."""
    return abs(have - limit) / max(abs(limit), 1e-9)


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


def _providers_reason(situation: Situation, at: int) -> Rejection:
    provider, request = situation.columns.refs[at].provider, situation.request
    name = "deny_providers" if provider in request.deny_providers else "allow_providers"
    verb = "take it from" if name == "deny_providers" else "add it to"
    return Rejection("providers", f"provider {provider} is not allowed", provider, cure=f"{verb} {name}", field=name)


@hard_filter("providers", reason=_providers_reason)
def _providers(situation: Situation) -> Flags | None:
    allowed, denied = situation.request.allow_providers, situation.request.deny_providers
    if allowed is None and not denied:
        return None
    wanted = [
        (allowed is None or model.ref.provider in allowed) and model.ref.provider not in denied for model in situation.models
    ]
    return np.array(wanted, dtype=np.bool_)


def _capability_reason(situation: Situation, at: int) -> Rejection:
    missing = sorted(_needed(situation) - situation.models[at].capabilities)
    request = situation.request
    flagged = [f"requires_{each}" for each in missing if getattr(request, f"requires_{each}", False)]
    listed = ["required_capabilities"] if request.required_capabilities & set(missing) else []
    text = ", ".join(missing)
    cure = f"do not require {text}, or state it in the registry if the model has it"
    return Rejection("capability", f"lacks {text}", text, cure=cure, field=(*flagged, *listed, "messages")[0])


@hard_filter("capability", reason=_capability_reason)
def _capability(situation: Situation) -> Flags | None:
    needed = _needed(situation)
    if not needed:
        return None
    columns = situation.columns
    return columns.memo.get(("capabilities", needed), lambda: _capable(columns, needed))


def _capable(columns: Columns, needed: frozenset[ModelCapability]) -> Flags:
    bits = capability_bits(needed)
    able: Flags = (columns.capabilities & bits) == bits
    return able


def _context_reason(situation: Situation, at: int) -> Rejection:
    need, have = situation.forecast.input_tokens + situation.forecast.output_tokens, situation.columns.context_window[at]
    cure = f"shorten input and expected output to {have:.0f} tokens"
    text = f"needs {need} tokens, has {have:.0f}"
    return Rejection("context_window", text, str(need), f"{have:.0f}", cure=cure, field="context_tokens", gap=_gap(need, have))


@hard_filter("context_window", reason=_context_reason)
def _context(situation: Situation) -> Flags | None:
    need = situation.forecast.input_tokens + situation.forecast.output_tokens
    return None if need <= situation.columns.smallest_context else ~(situation.columns.context_window < need)


def _quality_reason(situation: Situation, at: int) -> Rejection:
    have, want = float(situation.forecast.quality[at]), float(situation.request.quality_requirement or 0.0)
    cure = f"lower quality_requirement to {outward(have, up=False)}"
    text = f"quality {have:.3f} < {want:.3f}"
    return Rejection("quality", text, f"{have:.3f}", f"{want:.3f}", cure=cure, field="quality_requirement", gap=_gap(have, want))


@hard_filter(QUALITY_FLOOR, reason=_quality_reason)
def _quality(situation: Situation) -> Flags | None:
    want = situation.request.quality_requirement
    return None if want is None else situation.forecast.quality >= want


def _latency_reason(situation: Situation, at: int) -> Rejection:
    return _too_slow(situation, at, filter_name="latency", field="max_latency_s", limit=situation.request.max_latency_s or 0.0)


@hard_filter("latency", reason=_latency_reason)
def _latency(situation: Situation) -> Flags | None:
    limit = situation.request.max_latency_s
    return None if limit is None else ~(situation.forecast.latency > limit)


def _deadline_reason(situation: Situation, at: int) -> Rejection:
    return _too_slow(situation, at, filter_name="deadline", field="deadline_s", limit=situation.request.deadline_s or 0.0)


@hard_filter("deadline", reason=_deadline_reason)
def _deadline(situation: Situation) -> Flags | None:
    limit = situation.request.deadline_s
    return None if limit is None else ~(situation.forecast.latency > limit)


def _too_slow(situation: Situation, at: int, *, filter_name: str, field: str, limit: float) -> Rejection:
    have = float(situation.forecast.latency[at])
    cure = f"raise {field} to {outward(have, up=True)}"
    text = f"expected {have:.2f} s > {limit:.2f} s"
    return Rejection(filter_name, text, f"{have:.2f}", f"{limit:.2f}", cure=cure, field=field, gap=_gap(have, limit))


def _budget_reason(situation: Situation, at: int) -> Rejection:
    cost, limit = float(situation.forecast.cost[at]), situation.request.cost_budget or 0.0
    cure = f"raise cost_budget to ${outward(cost, up=True)}"
    text = f"expected ${cost:.6f} > ${limit:.6f} left of cost_budget"
    return Rejection("budget", text, f"{cost:.6f}", f"{limit:.6f}", cure=cure, field="cost_budget", gap=_gap(cost, limit))


@hard_filter("budget", reason=_budget_reason)
def _budget(situation: Situation) -> Flags | None:
    limit = situation.request.cost_budget
    return None if limit is None else ~(situation.forecast.cost > limit)


def _hard_budget_reason(situation: Situation, at: int) -> Rejection:
    cost = float(situation.forecast.cost[at])
    if math.isnan(cost):
        return Rejection("hard_budget", "has no price under a hard budget", cure="state its price, or set budgets.unpriced: allow")
    scopes = dict(situation.limits_usd)
    provider = situation.columns.refs[at].provider
    if provider in situation.provider_limits_usd:
        scopes[f"budgets.provider.{provider}"] = situation.provider_limits_usd[provider]
    scope = min(scopes, key=lambda name: scopes[name])
    limit = scopes[scope]
    text = f"expected ${cost:.6f} > ${limit:.6f} left of {scope}"
    cure = f"raise {scope} so that ${outward(cost, up=True)} is left"
    return Rejection("hard_budget", text, f"{cost:.6f}", f"{limit:.6f}", cure=cure, gap=_gap(cost, limit))


@hard_filter("hard_budget", reason=_hard_budget_reason)
def _hard_budget(situation: Situation) -> Flags | None:
    """What is left of every configured budget, an operator's ceiling and the caps of policies."""
    limits, by_provider, cost = situation.limits_usd, situation.provider_limits_usd, situation.forecast.cost
    if not limits and not by_provider:
        return None
    kept = ~(cost > min(limits.values(), default=math.inf))
    if by_provider:
        kept &= ~(cost > situation.columns.provider_values(lambda name: by_provider.get(name, math.inf)))
    if not situation.unpriced_allowed:
        bounded = True if limits else situation.columns.provider_values(lambda name: float(name in by_provider)) > 0
        kept &= ~(np.isnan(cost) & bounded)
    return kept


def _region_reason(situation: Situation, at: int) -> Rejection:
    have, wanted = "/".join(sorted(situation.models[at].regions)) or "unknown", str(situation.request.region)
    return Rejection("region", f"region {have}, wanted {wanted}", have, wanted, cure="drop region", field="region")


@hard_filter("region", reason=_region_reason)
def _region(situation: Situation) -> Flags | None:
    wanted = situation.request.region
    return None if wanted is None else np.array([wanted in regions for regions in situation.columns.regions], dtype=np.bool_)


def _policy_reason(situation: Situation, at: int) -> Rejection:
    ruling, columns = situation.ruling, situation.columns
    for rule in ruling.admissions:
        if not _admitted(columns, rule)[at]:
            verb = "allows only" if rule.allow else "denies"
            text = f"{rule.who} {verb} {rule.subject} {', '.join(sorted(rule.values))}"
            return Rejection("policy", text, cure=f"change {rule.who}")
    return Rejection("policy", f"{ruling.moderated} asks for moderated models", cure="state moderated: true in the registry if it is")


@hard_filter("policy", reason=_policy_reason)
def _policy(situation: Situation) -> Flags | None:
    """What policies allow and deny; a denial wins because every rule has to be passed."""
    ruling, columns = situation.ruling, situation.columns
    if not ruling.admissions and not ruling.moderated:
        return None
    kept = columns.moderated if ruling.moderated else columns.enabled | True
    for rule in ruling.admissions:
        kept = kept & _admitted(columns, rule)
    return kept


def _admitted(columns: Columns, rule: Admission) -> Flags:
    return columns.memo.get(rule, lambda: _admission(columns, rule))


def _admission(columns: Columns, rule: Admission) -> Flags:
    names: Sequence[Iterable[str]] = columns.regions
    if rule.subject != "regions":
        single = columns.tiers if rule.subject == "tiers" else columns.refs
        names = [(name.provider if isinstance(name, ModelRef) and rule.subject == "providers" else name,) for name in single]
    return np.array([(not rule.values.isdisjoint(each)) == rule.allow for each in names], dtype=np.bool_)


def _policy_quality_reason(situation: Situation, at: int) -> Rejection:
    floor, have = situation.ruling.quality_floor, float(situation.forecast.quality[at])
    assert floor is not None
    text = f"quality {have:.3f} < {floor.value:.3f} of {floor.who}"
    return Rejection("policy_quality", text, f"{have:.3f}", f"{floor.value:.3f}", cure=f"change {floor.who}", gap=_gap(have, floor.value))


@hard_filter("policy_quality", reason=_policy_quality_reason)
def _policy_quality(situation: Situation) -> Flags | None:
    floor = situation.ruling.quality_floor
    return None if floor is None else situation.forecast.quality >= floor.value


def _policy_latency_reason(situation: Situation, at: int) -> Rejection:
    cap, have = situation.ruling.latency_cap, float(situation.forecast.latency[at])
    assert cap is not None
    text = f"expected {have:.2f} s > {cap.value:.2f} s of {cap.who}"
    return Rejection("policy_latency", text, f"{have:.2f}", f"{cap.value:.2f}", cure=f"change {cap.who}", gap=_gap(have, cap.value))


@hard_filter("policy_latency", reason=_policy_latency_reason)
def _policy_latency(situation: Situation) -> Flags | None:
    cap = situation.ruling.latency_cap
    return None if cap is None else ~(situation.forecast.latency > cap.value)


def _needed(situation: Situation) -> frozenset[ModelCapability]:
    return situation.request.needs() | situation.profile.modality.value
