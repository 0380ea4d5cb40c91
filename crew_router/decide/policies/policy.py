"""Policies as values, and their combined result for one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Final

from crew_router.decide.conditions import NO_POLICY, PolicyResult
from crew_router.decide.policies.conditions import Facts, Matcher, matcher
from crew_router.decide.policies.effects import Effect, MakeStrategy, effect
from crew_router.errors import ConfigurationError
from crew_router.types import PolicyEffect, RequestProfile, RoutingRequest

if TYPE_CHECKING:
    from crew_router.config.settings import PolicySettings

ORDERS: Final = ("safety", "budget", "quality", "latency")


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy: when all its conditions hold, all its effects apply."""

    name: str
    order: str
    when: Mapping[str, Matcher]
    then: tuple[Effect, ...]

    @property
    def who(self) -> str:
        """How rejections and evidence name it."""
        return f"policy {self.name!r}"

    def matches(self, facts: Facts) -> bool:
        """Tell whether the policy applies."""
        return all(each.matches(facts) for each in self.when.values())


def compile_policies(
    settings: Sequence[PolicySettings], *, make_strategy: MakeStrategy, place: str = "policies", zone: tzinfo = UTC
) -> tuple[Policy, ...]:
    """Return the enabled policies in the order in which they apply: safety, budget, quality, latency, each as written.

    Args:
        settings: The policies of the configuration.
        make_strategy: Builds a strategy from name and parameters.
        place: How errors name the source of the configuration.
        zone: Time zone of conditions on time that name none.

    Raises:
        ConfigurationError: A condition or an effect is not known, or its value is not valid.
    """
    policies = [_policy(each, make_strategy, place=place, zone=zone) for each in settings if each.enabled]
    return tuple(sorted(policies, key=lambda policy: ORDERS.index(policy.order)))


def apply_policies(policies: Sequence[Policy], request: RoutingRequest, profile: RequestProfile, *, now: float) -> PolicyResult:
    """Return the combined effects of the policies that apply to a request.

    Args:
        policies: The policies, in order.
        request: The request.
        profile: What was read from it.
        now: Seconds since the epoch.
    """
    if not policies:
        return NO_POLICY
    facts, policy_result = Facts(request, profile, now), NO_POLICY
    effects: list[PolicyEffect] = []
    for policy in policies:
        if policy.matches(facts):
            for each in policy.then:
                policy_result = each.merge(policy_result, policy.who)
                effects.append(PolicyEffect(policy.name, policy.order, each.key, each.text))
    return replace(policy_result, effects=tuple(effects)) if effects else NO_POLICY


def _policy(settings: PolicySettings, make_strategy: MakeStrategy, *, place: str, zone: tzinfo) -> Policy:
    safety, path = settings.order == "safety", f"policies.{settings.name}"
    when: dict[str, Matcher] = {}
    then: list[Effect] = []
    for key, value in settings.when.items():
        try:
            when[key] = matcher(key, value, zone=zone)
        except ValueError as error:
            raise ConfigurationError(place, f"{path}.when.{key}", str(error), cure="see docs/policies.md for conditions") from None
    for key, value in settings.then.items():
        try:
            then.append(effect(key, value, safety=safety, make_strategy=make_strategy))
        except ValueError as error:
            raise ConfigurationError(place, f"{path}.then.{key}", str(error), cure="see docs/policies.md for effects") from None
    return Policy(settings.name, settings.order, when, tuple(then))
