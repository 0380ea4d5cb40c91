"""What the configuration, policies and operators demand: budgets, ceilings, allowances and floors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from crew_router.decide.filter.constraint import gap, hard_filter, outward
from crew_router.types import EFFORT_ORDER, Rejection

if TYPE_CHECKING:
    from crew_router.decide.conditions import Admission, Subject
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.model_table import ModelTable
    from crew_router.types.arrays import Flags


def _hard_budget_reason(context: RoutingContext, at: int) -> Rejection:
    cost = float(context.forecast.cost[at])
    if math.isnan(cost):
        return Rejection("hard_budget", "has no price under a hard budget", cure="state its price, or set budgets.unpriced: allow")
    scopes = dict(context.limits_usd)
    provider = context.model_table.refs[at].provider
    if provider in context.provider_limits_usd:
        scopes[f"budgets.provider.{provider}"] = context.provider_limits_usd[provider]
    scope = min(scopes, key=lambda name: scopes[name])
    limit = scopes[scope]
    text = f"expected ${cost:.6f} > ${limit:.6f} left of {scope}"
    cure = f"raise {scope} so that ${outward(cost, up=True)} is left"
    return Rejection("hard_budget", text, f"{cost:.6f}", f"{limit:.6f}", cure=cure, gap=gap(cost, limit))


@hard_filter("hard_budget", reason=_hard_budget_reason)
def _hard_budget(context: RoutingContext) -> Flags | None:
    """What is left of every configured budget, an operator's ceiling and the caps of policies."""
    limits, by_provider, cost = context.limits_usd, context.provider_limits_usd, context.forecast.cost
    if not limits and not by_provider:
        return None
    kept = ~(cost > min(limits.values(), default=math.inf))
    if by_provider:
        kept &= ~(cost > context.model_table.provider_values(lambda name: by_provider.get(name, math.inf)))
    if not context.unpriced_allowed:
        bounded = True if limits else context.model_table.provider_values(lambda name: float(name in by_provider)) > 0
        kept &= ~(np.isnan(cost) & bounded)
    return kept


def _policy_reason(context: RoutingContext, at: int) -> Rejection:
    policy_result, model_table = context.policy_result, context.model_table
    for rule in policy_result.admissions:
        if not _admitted(model_table, rule)[at]:
            verb = "allows only" if rule.allow else "denies"
            text = f"{rule.who} {verb} {rule.subject} {', '.join(sorted(rule.values))}"
            return Rejection("policy", text, cure=f"change {rule.who}")
    return Rejection(
        "policy", f"{policy_result.moderated} asks for moderated models", cure="state moderated: true in the registry if it is"
    )


@hard_filter("policy", reason=_policy_reason)
def _policy(context: RoutingContext) -> Flags | None:
    """What policies allow and deny; a denial wins because every rule has to be passed."""
    policy_result, model_table = context.policy_result, context.model_table
    if not policy_result.admissions and not policy_result.moderated:
        return None
    kept = model_table.moderated if policy_result.moderated else model_table.enabled | True
    for rule in policy_result.admissions:
        kept = kept & _admitted(model_table, rule)
    return kept


def _admitted(model_table: ModelTable, rule: Admission) -> Flags:
    return model_table.memo.get(rule, lambda: _admission(model_table, rule))


def _admission(model_table: ModelTable, rule: Admission) -> Flags:
    names: Sequence[Iterable[str]] = model_table.regions
    if rule.subject != "regions":
        names = [_named(model_table, at, rule.subject) for at in range(len(model_table.refs))]
    return np.array([(not rule.values.isdisjoint(each)) == rule.allow for each in names], dtype=np.bool_)


def _named(model_table: ModelTable, at: int, subject: Subject) -> tuple[str, ...]:
    """Return what a rule may call a candidate: a rule that names a model means all its efforts."""
    if subject == "tiers":
        return (model_table.tiers[at],)
    ref = model_table.refs[at]
    return (ref.provider,) if subject == "providers" else (ref, model_table.candidates[at])


def _max_effort_reason(context: RoutingContext, at: int) -> Rejection:
    limit, have = context.policy_result.max_effort, str(context.model_table.efforts[at])
    assert limit is not None
    text = f"effort {have} is above {limit.value} of {limit.who}"
    return Rejection("policy_effort", text, have, limit.value, cure=f"change {limit.who}")


@hard_filter("policy_effort", reason=_max_effort_reason)
def _policy_effort(context: RoutingContext) -> Flags | None:
    limit = context.policy_result.max_effort
    return None if limit is None else context.model_table.effort_rank <= EFFORT_ORDER.index(limit.value)


def _policy_quality_reason(context: RoutingContext, at: int) -> Rejection:
    floor, have = context.policy_result.quality_floor, float(context.forecast.quality[at])
    assert floor is not None
    text = f"quality {have:.3f} < {floor.value:.3f} of {floor.who}"
    return Rejection("policy_quality", text, f"{have:.3f}", f"{floor.value:.3f}", cure=f"change {floor.who}", gap=gap(have, floor.value))


@hard_filter("policy_quality", reason=_policy_quality_reason)
def _policy_quality(context: RoutingContext) -> Flags | None:
    floor = context.policy_result.quality_floor
    return None if floor is None else context.forecast.quality >= floor.value


def _policy_latency_reason(context: RoutingContext, at: int) -> Rejection:
    cap, have = context.policy_result.latency_cap, float(context.forecast.latency[at])
    assert cap is not None
    text = f"expected {have:.2f} s > {cap.value:.2f} s of {cap.who}"
    return Rejection("policy_latency", text, f"{have:.2f}", f"{cap.value:.2f}", cure=f"change {cap.who}", gap=gap(have, cap.value))


@hard_filter("policy_latency", reason=_policy_latency_reason)
def _policy_latency(context: RoutingContext) -> Flags | None:
    cap = context.policy_result.latency_cap
    return None if cap is None else ~(context.forecast.latency > cap.value)
