"""What the request asks for: providers, capabilities, room, quality, speed, price and region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.filter.constraint import gap, hard_filter, outward
from crew_router.decide.model_table import capability_bits
from crew_router.types import EFFORT_ORDER, ModelCapability, Rejection

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.model_table import ModelTable
    from crew_router.types.arrays import Flags, Floats

QUALITY_FLOOR: Final = "quality"
TASTE: Final = (QUALITY_FLOOR, "latency", "deadline")  # not held against a model that somebody names (rule 1)


def _providers_reason(context: RoutingContext, at: int) -> Rejection:
    provider, request = context.model_table.refs[at].provider, context.request
    name = "deny_providers" if provider in request.deny_providers else "allow_providers"
    verb = "take it from" if name == "deny_providers" else "add it to"
    return Rejection("providers", f"provider {provider} is not allowed", provider, cure=f"{verb} {name}", field=name)


@hard_filter("providers", reason=_providers_reason)
def _providers(context: RoutingContext) -> Flags | None:
    allowed, denied = context.request.allow_providers, context.request.deny_providers
    if allowed is None and not denied:
        return None
    wanted = [(allowed is None or model.ref.provider in allowed) and model.ref.provider not in denied for model in context.models]
    return np.array(wanted, dtype=np.bool_)


def _capability_reason(context: RoutingContext, at: int) -> Rejection:
    missing = sorted(_needed(context) - context.models[at].capabilities)
    request = context.request
    flagged = [f"requires_{each}" for each in missing if getattr(request, f"requires_{each}", False)]
    listed = ["required_capabilities"] if request.required_capabilities & set(missing) else []
    text = ", ".join(missing)
    cure = f"do not require {text}, or state it in the registry if the model has it"
    return Rejection("capability", f"lacks {text}", text, cure=cure, field=(*flagged, *listed, "messages")[0])


@hard_filter("capability", reason=_capability_reason)
def _capability(context: RoutingContext) -> Flags | None:
    needed = _needed(context)
    if not needed:
        return None
    model_table = context.model_table
    return model_table.memo.get(("capabilities", needed), lambda: _capable(model_table, needed))


def _capable(model_table: ModelTable, needed: frozenset[ModelCapability]) -> Flags:
    bits = capability_bits(needed)
    able: Flags = (model_table.capabilities & bits) == bits
    return able


def _context_reason(context: RoutingContext, at: int) -> Rejection:
    need, have = int(np.broadcast_to(_room(context), len(context.models))[at]), context.model_table.context_window[at]
    cure = f"shorten input and expected output to {have:.0f} tokens"
    text = f"needs {need} tokens, has {have:.0f}"
    return Rejection("context_window", text, str(need), f"{have:.0f}", cure=cure, field="context_tokens", gap=gap(need, have))


@hard_filter("context_window", reason=_context_reason)
def _context(context: RoutingContext) -> Flags | None:
    need = _room(context)
    smallest = context.model_table.smallest_context
    return None if isinstance(need, float) and need <= smallest else ~(context.model_table.context_window < need)


def _room(context: RoutingContext) -> Floats | float:
    """Return the tokens of input and answer, a number where all models count the input alike."""
    return context.forecast.inputs + float(context.forecast.output_tokens)


def _quality_reason(context: RoutingContext, at: int) -> Rejection:
    have, want = float(context.forecast.quality[at]), float(context.request.quality_requirement or 0.0)
    cure = f"lower quality_requirement to {outward(have, up=False)}"
    text = f"quality {have:.3f} < {want:.3f}"
    return Rejection("quality", text, f"{have:.3f}", f"{want:.3f}", cure=cure, field="quality_requirement", gap=gap(have, want))


@hard_filter(QUALITY_FLOOR, reason=_quality_reason)
def _quality(context: RoutingContext) -> Flags | None:
    want = context.request.quality_requirement
    return None if want is None else context.forecast.quality >= want


def _latency_reason(context: RoutingContext, at: int) -> Rejection:
    return _too_slow(context, at, filter_name="latency", field="max_latency_s", limit=context.request.max_latency_s or 0.0)


@hard_filter("latency", reason=_latency_reason)
def _latency(context: RoutingContext) -> Flags | None:
    limit = context.request.max_latency_s
    return None if limit is None else ~(context.forecast.latency > limit)


def _deadline_reason(context: RoutingContext, at: int) -> Rejection:
    return _too_slow(context, at, filter_name="deadline", field="deadline_s", limit=context.request.deadline_s or 0.0)


@hard_filter("deadline", reason=_deadline_reason)
def _deadline(context: RoutingContext) -> Flags | None:
    """A speed that nobody knows is no reason to give up: the call itself ends at the deadline."""
    limit = context.request.deadline_s
    return None if limit is None else ~(context.forecast.latency > limit) | context.forecast.outlook.guessed


def _too_slow(context: RoutingContext, at: int, *, filter_name: str, field: str, limit: float) -> Rejection:
    have = float(context.forecast.latency[at])
    cure = f"raise {field} to {outward(have, up=True)}"
    text = f"expected {have:.2f} s > {limit:.2f} s"
    return Rejection(filter_name, text, f"{have:.2f}", f"{limit:.2f}", cure=cure, field=field, gap=gap(have, limit))


def _budget_reason(context: RoutingContext, at: int) -> Rejection:
    cost, limit = float(context.forecast.cost[at]), context.request.cost_budget or 0.0
    cure = f"raise cost_budget to ${outward(cost, up=True)}"
    text = f"expected ${cost:.6f} > ${limit:.6f} left of cost_budget"
    return Rejection("budget", text, f"{cost:.6f}", f"{limit:.6f}", cure=cure, field="cost_budget", gap=gap(cost, limit))


@hard_filter("budget", reason=_budget_reason)
def _budget(context: RoutingContext) -> Flags | None:
    limit = context.request.cost_budget
    return None if limit is None else ~(context.forecast.cost > limit)


def _region_reason(context: RoutingContext, at: int) -> Rejection:
    have, wanted = "/".join(sorted(context.models[at].regions)) or "unknown", str(context.request.region)
    return Rejection("region", f"region {have}, wanted {wanted}", have, wanted, cure="drop region", field="region")


@hard_filter("region", reason=_region_reason)
def _region(context: RoutingContext) -> Flags | None:
    wanted = context.request.region
    return None if wanted is None else np.array([wanted in regions for regions in context.model_table.regions], dtype=np.bool_)


def _effort_reason(context: RoutingContext, at: int) -> Rejection:
    request, table = context.request, context.model_table
    have, wanted = str(table.efforts[at]), str(request.effort)
    if request.effort is not None and table.efforts[at] != request.effort:
        offered = ", ".join(str(table.efforts[place]) for place in table.places_of(table.refs[at]))
        cure = f"{table.refs[at]} offers {offered}"
        return Rejection("effort", f"effort {have}, wanted {wanted}", have, wanted, cure=cure, field="effort")
    limit = str(request.max_effort)
    return Rejection("effort", f"effort {have} is above {limit}", have, limit, cure=f"raise max_effort to {have}", field="max_effort")


@hard_filter("effort", reason=_effort_reason)
def _effort(context: RoutingContext) -> Flags | None:
    """Models without efforts are not concerned."""
    wanted, limit, rank = context.request.effort, context.request.max_effort, context.model_table.effort_rank
    if wanted is None and limit is None:
        return None
    kept = rank <= EFFORT_ORDER.index(limit) if limit is not None else rank < len(EFFORT_ORDER)
    return kept if wanted is None else kept & ((rank < 0) | (rank == EFFORT_ORDER.index(wanted)))


def _needed(context: RoutingContext) -> frozenset[ModelCapability]:
    needs, modality = context.request.needs(), context.profile.modality.value
    return needs | modality if modality else needs
