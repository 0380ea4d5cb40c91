"""How hard a request is, on the scale of abilities: from complexity, task type and domain to logits.

``benchmarks/choice/difficulty_map.py`` fits the map on outcomes of real models and prints its calibration.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from crew_router.config.ability import REFERENCE_DIFFICULTY
from crew_router.types.vocabulary import Domain, TaskType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crew_router.types import RequestProfile

MIDDLE_COMPLEXITY: Final = 5.0
STEP: Final = 0.65
"""Logits that one step of complexity costs."""

SLOPE: Final = 1.0
"""How sharply P(success) falls where difficulty passes ability."""

TASK_OFFSET: Final[Mapping[TaskType, float]] = {}
"""Logits that a task type adds; task types that are not listed add none."""

DOMAIN_OFFSET: Final[Mapping[Domain, float]] = {}
"""Logits that a domain adds; domains that are not listed add none."""

_PROBIT: Final = math.pi / 8.0


def difficulty_of(profile: RequestProfile) -> tuple[float, float]:
    """Return the difficulty of a request and one standard deviation of it, logits."""
    complexity, spread = float(profile.complexity.value), 0.0
    read = getattr(profile, "difficulty", None)
    if read is not None:
        complexity, spread = read.mean, read.spread
    task, domain = profile.task_type.value, profile.domain.value
    return typical_difficulty(task, complexity) + DOMAIN_OFFSET.get(domain, 0.0), STEP * spread


def typical_difficulty(task: TaskType, complexity: float = MIDDLE_COMPLEXITY) -> float:
    """Return the difficulty of a task type at a complexity, 1 to 10, whatever its domain."""
    return REFERENCE_DIFFICULTY + STEP * (complexity - MIDDLE_COMPLEXITY) + TASK_OFFSET.get(task, 0.0)


def sharpness(spread: float) -> float:
    """Return the slope of P(success) that is left where the difficulty is only known within a spread.

    Averaging a logistic curve over a normal distribution flattens it; this is the usual probit approximation.
    """
    return SLOPE / math.sqrt(1.0 + _PROBIT * (SLOPE * spread) ** 2)
