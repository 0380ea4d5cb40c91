"""What the request asks for: providers, capabilities, room, quality, speed, price and region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.filter.constraint import gap, hard_filter, outward
from crew_router.decide.model_table import capability_bits
from crew_router.types import ModelCapability, Rejection

if TYPE_CHECKING:
    from crew_router.decide.context import Situation
    from crew_router.decide.model_table import Columns
    from crew_router.types.arrays import Flags, Floats

QUALITY_FLOOR: Final = "quality"
TASTE: Final = (QUALITY_FLOOR, "latency", "deadline")  # not held against a model that somebody names (``CONTRACT.md``)


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
    need, have = int(np.broadcast_to(_room(situation), len(situation.models))[at]), situation.columns.context_window[at]
    cure = f"shorten input and expected output to {have:.0f} tokens"
    text = f"needs {need} tokens, has {have:.0f}"
    return Rejection("context_window", text, str(need), f"{have:.0f}", cure=cure, field="context_tokens", gap=gap(need, have))


@hard_filter("context_window", reason=_context_reason)
def _context(situation: Situation) -> Flags | None:
    need = _room(situation)
    smallest = situation.columns.smallest_context
    return None if isinstance(need, float) and need <= smallest else ~(situation.columns.context_window < need)


def _room(situation: Situation) -> Floats | float:
    """Return the tokens of input and answer, a number where all models count the input alike."""
    return situation.forecast.inputs + float(situation.forecast.output_tokens)


def _quality_reason(situation: Situation, at: int) -> Rejection:
    have, want = float(situation.forecast.quality[at]), float(situation.request.quality_requirement or 0.0)
    cure = f"lower quality_requirement to {outward(have, up=False)}"
    text = f"quality {have:.3f} < {want:.3f}"
    return Rejection("quality", text, f"{have:.3f}", f"{want:.3f}", cure=cure, field="quality_requirement", gap=gap(have, want))


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
    return Rejection(filter_name, text, f"{have:.2f}", f"{limit:.2f}", cure=cure, field=field, gap=gap(have, limit))


def _budget_reason(situation: Situation, at: int) -> Rejection:
    cost, limit = float(situation.forecast.cost[at]), situation.request.cost_budget or 0.0
    cure = f"raise cost_budget to ${outward(cost, up=True)}"
    text = f"expected ${cost:.6f} > ${limit:.6f} left of cost_budget"
    return Rejection("budget", text, f"{cost:.6f}", f"{limit:.6f}", cure=cure, field="cost_budget", gap=gap(cost, limit))


@hard_filter("budget", reason=_budget_reason)
def _budget(situation: Situation) -> Flags | None:
    limit = situation.request.cost_budget
    return None if limit is None else ~(situation.forecast.cost > limit)


def _region_reason(situation: Situation, at: int) -> Rejection:
    have, wanted = "/".join(sorted(situation.models[at].regions)) or "unknown", str(situation.request.region)
    return Rejection("region", f"region {have}, wanted {wanted}", have, wanted, cure="drop region", field="region")


@hard_filter("region", reason=_region_reason)
def _region(situation: Situation) -> Flags | None:
    wanted = situation.request.region
    return None if wanted is None else np.array([wanted in regions for regions in situation.columns.regions], dtype=np.bool_)


def _needed(situation: Situation) -> frozenset[ModelCapability]:
    needs, modality = situation.request.needs(), situation.profile.modality.value
    return needs | modality if modality else needs
