"""Rules that never have an effect, and rules that leave nothing over together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal, cast

from crew_router.decide.policies.effects import CAPS, Effect, admission, tighter

if TYPE_CHECKING:
    from crew_router.decide.conditions import Subject
    from crew_router.decide.policies.policy import Policy
    from crew_router.types import ModelDefinition


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a set of rules: which rule, with which other, and why."""

    kind: Literal["shadowed", "contradiction", "nobody"]
    policy: str
    other: str
    text: str


def findings(policies: Sequence[Policy], models: Sequence[ModelDefinition]) -> tuple[Finding, ...]:
    """Return effects that another rule always outdoes, and effects of rules that can hold together but not be obeyed together.

    Args:
        policies: The rules, in the order in which they hold.
        models: The registry.
    """
    return (*_shadowed(policies), *_contradictions(policies, models), *_empty(policies, models))


def covers(wide: Policy, narrow: Policy) -> bool:
    """Tell whether one rule holds whenever the other does."""
    return all(key in narrow.when and condition.covers(narrow.when[key]) for key, condition in wide.when.items())


def together(one: Policy, other: Policy) -> bool:
    """Tell whether two rules may hold for one request."""
    return not any(key in other.when and condition.excludes(other.when[key]) for key, condition in one.when.items())


def _shadowed(policies: Sequence[Policy]) -> Iterator[Finding]:
    for at, policy in enumerate(policies):
        for each in policy.then:
            for place, other in enumerate(policies):
                rival = next((effect for effect in other.then if effect.key == each.key), None)
                if place == at or rival is None or not covers(other, policy) or (covers(policy, other) and place > at):
                    continue
                if _outdoes(rival, each, earlier=place < at):
                    text = f"{each.key} {each.text} never counts: {other.name!r} holds whenever it does and says {rival.text}"
                    yield Finding("shadowed", policy.name, other.name, text)
                    break


def _outdoes(rival: Effect, each: Effect, *, earlier: bool) -> bool:
    if each.key in CAPS:
        mine, theirs = cast("float", each.value), cast("float", rival.value)
        return tighter(each.key, mine, theirs) == theirs
    admitted = admission(each.key)
    if admitted is not None:
        mine_set, their_set = cast("frozenset[str]", each.value), cast("frozenset[str]", rival.value)
        return their_set <= mine_set if admitted[1] else mine_set <= their_set
    return rival.value == each.value if each.key in ("require", "approval") else earlier


def _contradictions(policies: Sequence[Policy], models: Sequence[ModelDefinition]) -> Iterator[Finding]:
    for one, other in combinations(policies, 2):
        if not together(one, other):
            continue
        for first in one.then:
            for second in other.then:
                text = _clash(first, second, models) or _clash(second, first, models)
                if text:
                    yield Finding("contradiction", one.name, other.name, text)


def _clash(first: Effect, second: Effect, models: Sequence[ModelDefinition]) -> str:
    if first.key == "pin" and second.key == "pin" and first.value < second.value:  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]  # references, each pair once
        return f"both pin: {first.text} and {second.text}; the first wins"
    if first.key == "pin":
        pinned = [model for model in models if model.ref == first.value]
        kept = _left(second, pinned)
        return f"{first.text} is pinned and {second.key} {second.text} removes it" if pinned and not kept else ""
    if admission(first.key) and admission(second.key) and models:
        kept = _left(second, _left(first, list(models)))
        alone = _left(first, list(models)) and _left(second, list(models))
        if alone and not kept and (first.key, first.text) < (second.key, second.text):
            return f"{first.key} {first.text} and {second.key} {second.text} leave no model over"
    return ""


def _empty(policies: Sequence[Policy], models: Sequence[ModelDefinition]) -> Iterator[Finding]:
    """Find single rules that no model of the registry can satisfy."""
    for policy in policies:
        left = list(models)
        for each in policy.then:
            left = _left(each, left)
        if models and not left:
            yield Finding("nobody", policy.name, "", "no model of the registry satisfies it")


def _left(each: Effect, models: list[ModelDefinition]) -> list[ModelDefinition]:
    """Return the models that an effect lets through, as far as the registry alone can tell."""
    admitted = admission(each.key)
    if admitted is not None:
        subject, allow = admitted
        wanted = cast("frozenset[str]", each.value)
        return [model for model in models if (not wanted.isdisjoint(_named(model, subject))) == allow]
    if each.key == "require":
        return [model for model in models if model.moderated]
    if each.key == "quality_floor":
        floor = cast("float", each.value)
        return [model for model in models if model.quality is None or max((model.quality, *model.task_quality.values())) >= floor]
    return models


def _named(model: ModelDefinition, subject: Subject) -> frozenset[str]:
    if subject == "regions":
        return model.regions
    if subject == "tiers":
        return frozenset() if model.tier is None else frozenset({str(model.tier)})
    return frozenset({str(model.ref) if subject == "models" else model.ref.provider})
