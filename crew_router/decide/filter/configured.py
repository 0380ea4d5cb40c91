"""What the configuration, policies and operators demand: budgets, ceilings, allowances and floors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from crew_router.decide.filter.constraint import gap, hard_filter, outward
from crew_router.types import ModelRef, Rejection

if TYPE_CHECKING:
    from crew_router.decide.conditions import Admission
    from crew_router.decide.context import Situation
    from crew_router.decide.model_table import Columns
    from crew_router.types.arrays import Flags


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
    return Rejection("hard_budget", text, f"{cost:.6f}", f"{limit:.6f}", cure=cure, gap=gap(cost, limit))


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
    return Rejection("policy_quality", text, f"{have:.3f}", f"{floor.value:.3f}", cure=f"change {floor.who}", gap=gap(have, floor.value))


@hard_filter("policy_quality", reason=_policy_quality_reason)
def _policy_quality(situation: Situation) -> Flags | None:
    floor = situation.ruling.quality_floor
    return None if floor is None else situation.forecast.quality >= floor.value


def _policy_latency_reason(situation: Situation, at: int) -> Rejection:
    cap, have = situation.ruling.latency_cap, float(situation.forecast.latency[at])
    assert cap is not None
    text = f"expected {have:.2f} s > {cap.value:.2f} s of {cap.who}"
    return Rejection("policy_latency", text, f"{have:.2f}", f"{cap.value:.2f}", cure=f"change {cap.who}", gap=gap(have, cap.value))


@hard_filter("policy_latency", reason=_policy_latency_reason)
def _policy_latency(situation: Situation) -> Flags | None:
    cap = situation.ruling.latency_cap
    return None if cap is None else ~(situation.forecast.latency > cap.value)
