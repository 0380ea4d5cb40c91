"""Find policies that never have an effect, and policies that contradict each other."""

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
    """One problem of a set of policies: its kind, the policy, the other policy involved (may be empty), and why."""

    kind: Literal["shadowed", "contradiction", "nobody"]
    policy: str
    other: str
    text: str


def findings(policies: Sequence[Policy], models: Sequence[ModelDefinition]) -> tuple[Finding, ...]:
    """Return the problems of a set of policies.

    These are effects that another policy always overrides, effects of two policies that can apply to one request but cannot
    both be satisfied, and policies that no model satisfies.

    Args:
        policies: The policies, in the order in which they apply.
        models: The models of the registry.
    """
    return (*_shadowed(policies), *_contradictions(policies, models), *_unsatisfiable(policies, models))


def covers(wide: Policy, narrow: Policy) -> bool:
    """Tell whether one policy applies whenever the other does."""
    return all(key in narrow.when and condition.covers(narrow.when[key]) for key, condition in wide.when.items())


def can_both_match(one: Policy, other: Policy) -> bool:
    """Tell whether two policies may apply to one request."""
    return not any(key in other.when and condition.excludes(other.when[key]) for key, condition in one.when.items())


def _shadowed(policies: Sequence[Policy]) -> Iterator[Finding]:
    for index, policy in enumerate(policies):
        for own_effect in policy.then:
            for other_index, other in enumerate(policies):
                rival = next((effect for effect in other.then if effect.key == own_effect.key), None)
                if other_index == index or rival is None or not covers(other, policy) or (covers(policy, other) and other_index > index):
                    continue
                if _overrides(rival, own_effect, earlier=other_index < index):
                    text = f"{own_effect.key} {own_effect.text} never counts: {other.name!r} holds whenever it does and says {rival.text}"
                    yield Finding("shadowed", policy.name, other.name, text)
                    break


def _overrides(rival: Effect, effect: Effect, *, earlier: bool) -> bool:
    """Tell whether an effect has no influence beside another one of the same kind, which stands earlier or later."""
    if effect.key in CAPS:
        value, other_value = cast("float", effect.value), cast("float", rival.value)
        return tighter(effect.key, value, other_value) == other_value
    admits = admission(effect.key)
    if admits is not None:
        values, other_values = cast("frozenset[str]", effect.value), cast("frozenset[str]", rival.value)
        return other_values <= values if admits[1] else values <= other_values
    return rival.value == effect.value if effect.key in ("require", "approval") else earlier


def _contradictions(policies: Sequence[Policy], models: Sequence[ModelDefinition]) -> Iterator[Finding]:
    for one, other in combinations(policies, 2):
        if not can_both_match(one, other):
            continue
        for first in one.then:
            for second in other.then:
                text = _conflict(first, second, models) or _conflict(second, first, models)
                if text:
                    yield Finding("contradiction", one.name, other.name, text)


def _conflict(first: Effect, second: Effect, models: Sequence[ModelDefinition]) -> str:
    """Return why two effects cannot both be satisfied, or an empty text."""
    if first.key == "pin" and second.key == "pin" and first.value < second.value:  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]  # references, each pair once
        return f"both pin: {first.text} and {second.text}; the first wins"
    if first.key == "pin":
        pinned = [model for model in models if model.ref == first.value]
        left = _models_left(second, pinned)
        return f"{first.text} is pinned and {second.key} {second.text} removes it" if pinned and not left else ""
    if admission(first.key) and admission(second.key) and models:
        left = _models_left(second, _models_left(first, list(models)))
        alone = _models_left(first, list(models)) and _models_left(second, list(models))
        if alone and not left and (first.key, first.text) < (second.key, second.text):
            return f"{first.key} {first.text} and {second.key} {second.text} leave no model over"
    return ""


def _unsatisfiable(policies: Sequence[Policy], models: Sequence[ModelDefinition]) -> Iterator[Finding]:
    """Yield the policies that no model of the registry satisfies."""
    for policy in policies:
        left = list(models)
        for effect in policy.then:
            left = _models_left(effect, left)
        if models and not left:
            yield Finding("nobody", policy.name, "", "no model of the registry satisfies it")


def _models_left(effect: Effect, models: list[ModelDefinition]) -> list[ModelDefinition]:
    """Return the models that an effect allows, as far as the registry alone can tell."""
    admits = admission(effect.key)
    if admits is not None:
        subject, allow = admits
        wanted = cast("frozenset[str]", effect.value)
        return [model for model in models if (not wanted.isdisjoint(_named(model, subject))) == allow]
    if effect.key == "require":
        return [model for model in models if model.moderated]
    if effect.key == "quality_floor":
        floor = cast("float", effect.value)
        return [model for model in models if model.quality is None or max((model.quality, *model.task_quality.values())) >= floor]
    return models


def _named(model: ModelDefinition, subject: Subject) -> frozenset[str]:
    if subject == "regions":
        return model.regions
    if subject == "tiers":
        return frozenset() if model.tier is None else frozenset({str(model.tier)})
    return frozenset({str(model.ref) if subject == "models" else model.ref.provider})
