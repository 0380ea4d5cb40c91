"""How hard a request is, on the scale of abilities: from complexity, task type and domain to logits.

``benchmarks/choice/difficulty_map.py`` fits the map on outcomes of real models and prints its calibration.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from crew_router.types.profile import CALLER
from crew_router.types.vocabulary import Domain, TaskType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crew_router.types import RequestProfile

MIDDLE_COMPLEXITY: Final = 5.0
MIDDLE_LEVEL: Final = -2.75
"""Logits of a request in the middle: where that line has it; the prompts of the outcome files, 5.3 in the mean, lie at -2.95."""

STEP: Final = 0.95
"""Logits that one step of complexity costs: the slope of the difficulty of 32 public benchmarks over the grade of their items (r 0.90)."""

READ_SHARE: Final = 0.8
"""How much of its distance from the middle a complexity that was read, and not stated, keeps: on the outcome files a reading that
is believed in full makes the choice worse."""

ITEM_SPREAD: Final = 0.7
"""Logits by which requests of one complexity differ, one standard deviation: what that line misses the benchmarks by."""

SLOPE: Final = 1.0
"""How sharply P(success) falls where difficulty passes ability."""

TASK_OFFSET: Final[Mapping[TaskType, float]] = {TaskType.TOOL_USE: -0.4, TaskType.REASONING: -0.3, TaskType.CODE_GENERATION: -0.2}
"""Logits that a task type adds, of those with more than 5,000 outcomes; others add none."""

DOMAIN_OFFSET: Final[Mapping[Domain, float]] = {Domain.MATHS: 0.9, Domain.CODE: 0.5, Domain.SCIENCE: -0.5}
"""Logits that a domain adds, of those with more than 5,000 outcomes that are further from the rest than the error; others add none.
A domain counts where it was read with some confidence."""

SURE_OF_DOMAIN: Final = 0.5

_PROBIT: Final = math.pi / 8.0


def difficulty_of(profile: RequestProfile) -> tuple[float, float]:
    """Return the difficulty of a request and one standard deviation of it, logits."""
    complexity, spread = float(profile.complexity.value), 0.0
    read = profile.difficulty
    if read is not None and profile.complexity.source != CALLER:
        complexity, spread = MIDDLE_COMPLEXITY + READ_SHARE * (read.mean - MIDDLE_COMPLEXITY), read.spread
    task, domain = profile.task_type.value, profile.domain.value
    sure = profile.domain.confidence >= SURE_OF_DOMAIN
    level = typical_difficulty(task, complexity) + (DOMAIN_OFFSET.get(domain, 0.0) if sure else 0.0)
    return level, math.hypot(STEP * spread, ITEM_SPREAD)


def typical_difficulty(task: TaskType, complexity: float = MIDDLE_COMPLEXITY) -> float:
    """Return the difficulty of a task type at a complexity, 1 to 10, whatever its domain."""
    return MIDDLE_LEVEL + STEP * (complexity - MIDDLE_COMPLEXITY) + TASK_OFFSET.get(task, 0.0)


def sharpness(spread: float) -> float:
    """Return the slope of P(success) that is left where the difficulty is only known within a spread.

    Averaging a logistic curve over a normal distribution flattens it; this is the usual probit approximation.
    """
    return SLOPE / math.sqrt(1.0 + _PROBIT * (SLOPE * spread) ** 2)
