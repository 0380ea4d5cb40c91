"""One scale of ability for all models: measured, estimated or written by the user.

P(success) of a request of difficulty ``d`` is ``logistic(ability - d)``. Qualities from 0 to 1, in a registry entry, a policy or a
request's ``quality_requirement``, are P(success) at one reference difficulty, so that they mean the same for every request.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import date
from typing import Final

from crew_router.types.model import Ability, EffortLevel, ModelDefinition
from crew_router.types.vocabulary import ModelCapability, TaskType, Tier

REFERENCE_DIFFICULTY: Final = -2.29
"""Difficulty at which qualities are read, such that a model of the ability -1.67, about gpt-4o-mini, is right in 65 of 100 requests."""

USER_ERROR: Final = 0.3
"""Error of a quality that the user wrote; a convention: his word weighs as much as a dozen figures of one measurer."""

TIER_ABILITY: Final = {Tier.PREMIUM: 1.6, Tier.BASELINE: 0.05, Tier.FAST: -0.65, Tier.LOCAL: -1.5}
"""Mean ability of the packaged models of each tier that were measured; ``benchmarks/registry/fit.py`` prints them."""

TYPICAL_OUTPUT_TOKENS: Final = {"none": 0.40, "minimal": 0.43, "low": 0.46, "medium": 1.0, "high": 1.5, "xhigh": 2.2, "max": 4.5}
"""Output tokens of the same work, relative to medium: geometric means of the seven packaged models that were measured at several
efforts; minimal was not measured and lies between its neighbours. From model to model they differ by a factor of 1.2 to 1.6."""

_UNKNOWN_TIER_ABILITY: Final = 0.0
_TIER_ERROR: Final = 1.0
_NAME_ERROR: Final = 1.1  # leave-one-out error over 196 open models with a size in their names
_MARKET_ERROR: Final = 0.4  # what it misses by on the measured models whose date and price are known
_MARKET_START: Final = date(2026, 1, 1)
_DAYS_PER_YEAR: Final = 365.25
_CERTAIN: Final = 0.999
_SIZE: Final = re.compile(r"(?<![a-z\d.])(\d+(?:\.\d+)?)b(?![a-z\d])")


def quality_to_ability(quality: float) -> float:
    """Return the ability whose P(success) at the reference difficulty is ``quality``; 0 and 1 count as 0.001 and 0.999.

    Example:
        >>> round(quality_to_ability(0.65), 2)
        -1.67
    """
    share = min(max(quality, 1 - _CERTAIN), _CERTAIN)
    return math.log(share / (1 - share)) + REFERENCE_DIFFICULTY


def ability_to_quality(ability: float) -> float:
    """Return P(success) at the reference difficulty.

    Example:
        >>> round(ability_to_quality(1.9), 3)
        0.985
    """
    return success(ability, REFERENCE_DIFFICULTY)


def success(ability: float, difficulty: float) -> float:
    """Return P(success) of a model of this ability on a request of this difficulty."""
    return 1 / (1 + math.exp(min(difficulty - ability, 700.0)))


def ability_of(model: ModelDefinition, task: TaskType | None = None, *, effort: str | None = None) -> Ability:
    """Return how able a model is, whatever is known of it.

    The user's own word on the task type comes first, then his word on the model, then what was measured at the effort or at the
    default one, then an estimate. What he says of the model holds at its default effort; other efforts keep their distance from it.

    Args:
        model: An entry of the registry.
        task: The task type, for users who wrote a quality by task type.
        effort: One of the model's efforts; its default one when not given.
    """
    level = model.effort(effort)
    measured = model.ability if level is None or level.ability is None else level.ability
    base = measured or estimated_ability(model)
    said = model.quality if task is None else model.task_quality.get(task, model.quality)
    if said is None:
        return base
    default = model.ability or base
    source = () if model.source == "unmeasured" else (model.source,)
    return Ability(quality_to_ability(said) + base.value - default.value, USER_ERROR, sources=source, kind="user")


def efforts_of(model: ModelDefinition, task: TaskType | None = None) -> tuple[EffortLevel, ...]:
    """Return the efforts of a model with the ability at each as :func:`ability_of` tells it; empty where it has none."""
    return tuple(replace(level, ability=ability_of(model, task, effort=level.name)) for level in model.efforts)


def relative_output_tokens(model: ModelDefinition, effort: str | None = None) -> tuple[float, bool]:
    """Return the output tokens at an effort relative to the default one, and whether that was measured.

    Where it was not, it is what models take in the mean; models without efforts, and the default effort itself, are 1.
    """
    base = model.effort(None) or (model.efforts[0] if model.efforts else None)
    level = base if effort is None else model.effort(effort)
    if level is None or base is None:
        return 1.0, False
    if level.relative_output_tokens is not None:
        return level.relative_output_tokens, True
    return TYPICAL_OUTPUT_TOKENS[level.name] / TYPICAL_OUTPUT_TOKENS[base.name], False


def estimated_ability(model: ModelDefinition) -> Ability:
    """Return what a model without any figure is taken to be able of.

    Release date, price and reasoning tell most. Without a date or a price above zero, the size in the name does, then the tier.
    """
    price = model.price
    if model.released is not None and price is not None and price.input + price.output > 0:
        years = (model.released - _MARKET_START).days / _DAYS_PER_YEAR
        blended = (3 * price.input + price.output) / 4
        value = -0.32 + 1.11 * years + 0.16 * math.log(blended) + 0.93 * _reasons(model)
        return Ability(value, _MARKET_ERROR, sources=("release date, price and reasoning",), kind="estimated")
    size = _SIZE.search(model.ref.name.lower())
    if size is not None and float(size.group(1)) > 0:
        value = -2.23 + 0.29 * math.log(float(size.group(1))) + 0.90 * _reasons(model)
        return Ability(value, _NAME_ERROR, sources=("size in the name",), kind="estimated")
    value = _UNKNOWN_TIER_ABILITY if model.tier is None else TIER_ABILITY[model.tier]
    return Ability(value, _TIER_ERROR, sources=("tier",), kind="estimated")


def _reasons(model: ModelDefinition) -> bool:
    """Tell whether a model thinks before it answers when nothing is asked of it; the lowest effort where no default is documented."""
    usual = model.default_effort or (model.efforts[0].name if model.efforts else None)
    return ModelCapability.REASONING in model.capabilities and usual not in {"none", "minimal"}
