"""Rules as values, and what they say about one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Final

from crew_router.decide.conditions import NO_RULING, Ruling
from crew_router.decide.policies.conditions import Facts, Matcher, matcher
from crew_router.decide.policies.effects import Effect, MakeStrategy, effect
from crew_router.errors import ConfigurationError
from crew_router.types import PolicyEffect, RequestProfile, RoutingRequest

if TYPE_CHECKING:
    from crew_router.config.settings import PolicySettings

ORDERS: Final = ("safety", "budget", "quality", "latency")


@dataclass(frozen=True, slots=True)
class Policy:
    """One rule: when all of its conditions hold, all of its effects do."""

    name: str
    order: str
    when: Mapping[str, Matcher]
    then: tuple[Effect, ...]

    @property
    def who(self) -> str:
        """How reasons name it."""
        return f"policy {self.name!r}"

    def matches(self, facts: Facts) -> bool:
        """Tell whether the rule holds."""
        return all(each.matches(facts) for each in self.when.values())


def compile_policies(
    settings: Sequence[PolicySettings], *, make_strategy: MakeStrategy, place: str = "policies", zone: tzinfo = UTC
) -> tuple[Policy, ...]:
    """Return the enabled rules in the order in which they hold: safety, budget, quality, latency, each as written.

    Args:
        settings: The rules as the configuration has them.
        make_strategy: Builds a strategy from name and parameters.
        place: How errors name where they stand.
        zone: Time zone of conditions on time that name none.

    Raises:
        ConfigurationError: A condition or an effect is not known, or its value means nothing.
    """
    policies = [_policy(each, make_strategy, place=place, zone=zone) for each in settings if each.enabled]
    return tuple(sorted(policies, key=lambda policy: ORDERS.index(policy.order)))


def ruling_of(policies: Sequence[Policy], request: RoutingRequest, profile: RequestProfile, *, now: float) -> Ruling:
    """Return what the rules say about a request.

    Args:
        policies: The rules, in order.
        request: What is asked.
        profile: What was read from it.
        now: Seconds since the epoch.
    """
    if not policies:
        return NO_RULING
    facts, ruling = Facts(request, profile, now), NO_RULING
    effects: list[PolicyEffect] = []
    for policy in policies:
        if policy.matches(facts):
            for each in policy.then:
                ruling = each.merge(ruling, policy.who)
                effects.append(PolicyEffect(policy.name, policy.order, each.key, each.text))
    return replace(ruling, effects=tuple(effects)) if effects else NO_RULING


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
