"""Effects of policies: how each key of ``then:`` is read, and how the effects of several policies are merged.

A denial wins, because a model has to be admitted by every policy; of two caps the tighter counts; the first pin, strategy and
mode win.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias, cast

from crew_router.decide.conditions import Admission, Bound, EffortLimit, NamedStrategy, Pin, PolicyResult, Subject
from crew_router.decide.policies.yaml_values import as_list, as_mapping
from crew_router.types import EFFORT_ORDER, Mode, ModelRef, Tier

Merge: TypeAlias = Callable[[PolicyResult, str], PolicyResult]
MakeStrategy: TypeAlias = Callable[[str, Mapping[str, object]], Any]


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect of a policy.

    Args:
        key: Its key.
        text: Its value as text.
        value: Its value, for comparisons.
        merge: Returns a policy result with the effect added; the second argument names the policy.
    """

    key: str
    text: str
    value: object
    merge: Merge


def effect(key: str, value: object, *, safety: bool, make_strategy: MakeStrategy) -> Effect:
    """Read one entry of ``then:``.

    Args:
        key: Its key.
        value: What was written.
        safety: Whether the policy is of the order safety, whose pin has priority over all others.
        make_strategy: Builds a strategy from name and parameters.

    Raises:
        ValueError: The key is not known or the value is not valid.
    """
    if key in _ADMISSIONS:
        subject, allow = _ADMISSIONS[key]
        values = frozenset(_subject(subject, text) for text in texts(value))
        return Effect(key, ", ".join(sorted(values)), values, lambda result, who: _admit(result, Admission(who, subject, allow, values)))
    if key in _BOUNDS:
        field, tighter, high = _BOUNDS[key]
        limit = number(value, high=high)
        return Effect(key, f"{limit:g}", limit, lambda result, who: _bound(result, field, Bound(who, limit), tighter))
    if key == "pin":
        ref = ModelRef(str(value))
        return Effect(key, ref, ref, lambda result, who: result if result.pin else replace(result, pin=Pin(who, ref, outranks=safety)))
    if key == "require":
        if value not in ("moderated", ["moderated"]):
            msg = f"{value!r} cannot be required; write moderated"
            raise ValueError(msg)
        return Effect(key, "moderated", "moderated", lambda result, who: replace(result, moderated=result.moderated or who))
    return _other(key, value, make_strategy)


def _other(key: str, value: object, make_strategy: MakeStrategy) -> Effect:
    if key == "approval":
        if value is not True and not (isinstance(value, str) and value.strip()):
            msg = f"{value!r} is neither true nor a reason"
            raise ValueError(msg)
        reason = f": {value}" if isinstance(value, str) else ""
        return Effect(key, reason[2:] or "asked", value, lambda result, who: replace(result, approval=result.approval or f"{who}{reason}"))
    if key == "strategy":
        name, parameters = _strategy(value)
        make_strategy(name, parameters)  # raises an error for an unknown name or parameter
        chosen = NamedStrategy(name, parameters)
        return Effect(key, name, name, lambda result, _who: replace(result, strategy=result.strategy or chosen))
    if key == "max_effort":
        if value not in EFFORT_ORDER:
            msg = f"{value!r} is no reasoning effort; write one of {', '.join(EFFORT_ORDER)}"
            raise ValueError(msg)
        name = str(value)
        return Effect(key, name, name, lambda result, who: _limited(result, EffortLimit(who, name)))
    if key == "mode":
        mode = Mode(str(value))
        return Effect(key, mode, mode, lambda result, _who: replace(result, mode=result.mode or mode))
    msg = f"{key!r} is not known; use one of {', '.join(EFFECTS)}"
    raise ValueError(msg)


_ADMISSIONS: Final[Mapping[str, tuple[Subject, bool]]] = {
    "allow_models": ("models", True),
    "deny_models": ("models", False),
    "allow_tiers": ("tiers", True),
    "deny_tiers": ("tiers", False),
    "allow_providers": ("providers", True),
    "deny_providers": ("providers", False),
    "regions": ("regions", True),
    "deny_regions": ("regions", False),
}
_BOUNDS: Final[Mapping[str, tuple[str, Callable[[float, float], float], float]]] = {
    "cost_cap": ("cost_cap", min, math.inf),
    "quality_floor": ("quality_floor", max, 1.0),
    "latency_cap_s": ("latency_cap", min, math.inf),
}
EFFECTS: Final = (*_ADMISSIONS, *_BOUNDS, "max_effort", "pin", "require", "approval", "strategy", "mode")
CAPS: Final = frozenset(_BOUNDS)


def tighter(key: str, one: float, other: float) -> float:
    """Return the tighter of two caps of the same kind."""
    return _BOUNDS[key][1](one, other)


def admission(key: str) -> tuple[Subject, bool] | None:
    """Return what an effect allows or denies, and ``True`` when it allows; ``None`` for effects of another kind."""
    return _ADMISSIONS.get(key)


def texts(value: object) -> tuple[str, ...]:
    """Read a text or a list of texts.

    Raises:
        ValueError: It is neither, or the list is empty.
    """
    values = as_list(value)
    if not values or not all(isinstance(each, str) and each.strip() for each in values):
        msg = f"{value!r} is no text or list of texts"
        raise ValueError(msg)
    return tuple(map(str, values))


def number(value: object, *, high: float) -> float:
    """Read a number of at least 0.

    Raises:
        ValueError: It is not such a number, or above ``high``.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= high or math.isinf(value):
        msg = f"{value!r} is not a number of at least 0" + ("" if math.isinf(high) else f" and at most {high:g}")
        raise ValueError(msg)
    return float(value)


def _subject(subject: Subject, text: str) -> str:
    if subject == "models":
        return ModelRef(text)
    return Tier(text) if subject == "tiers" else text


def _admit(result: PolicyResult, admitted: Admission) -> PolicyResult:
    return replace(result, admissions=(*result.admissions, admitted))


def _bound(result: PolicyResult, field: str, bound: Bound, pick: Callable[[float, float], float]) -> PolicyResult:
    current: Bound | None = getattr(result, field)
    if current is not None and pick(current.value, bound.value) == current.value:
        return result
    return replace(result, **cast("Any", {field: bound}))


def _limited(result: PolicyResult, limit: EffortLimit) -> PolicyResult:
    known = result.max_effort
    if known is not None and EFFORT_ORDER.index(known.value) <= EFFORT_ORDER.index(limit.value):
        return result
    return replace(result, max_effort=limit)


def _strategy(value: object) -> tuple[str, Mapping[str, object]]:
    if isinstance(value, str):
        return value, {}
    entries = as_mapping(value)
    name, parameters = entries.get("name"), as_mapping(entries.get("parameters"))
    if not isinstance(name, str) or set(entries) - {"name", "parameters"}:
        msg = f"{value!r} is neither a name nor {{name: …, parameters: …}}"
        raise ValueError(msg)
    return name, parameters
