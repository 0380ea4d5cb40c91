"""What a signal is given and what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from crew_router.types.model import ModelDefinition
from crew_router.types.transport import Payload, Reply


@dataclass(frozen=True, slots=True)
class Drafted:
    """An answer that may be accepted: what was asked, what came, from whom."""

    payload: Payload
    reply: Reply
    model: ModelDefinition


Signal: TypeAlias = Callable[[Drafted], float | None]
"""Returns evidence for the answer being right as log-odds, or ``None`` when it has nothing to say."""
