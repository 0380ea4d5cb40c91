"""Weighs the answers of a cascade by what was learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crew_router.decide.learned.trained_model import Learned, Spoken
from crew_router.types import ModelRef
from crew_router.types.prompt import prompt_text
from crew_router.types.transport import Payload


@dataclass(frozen=True, slots=True)
class Weigher:
    """Gives the executor the posterior of the best answer; it cannot tell about models that were not learnt."""

    learned: Learned

    def __call__(self, payload: Payload, said: Sequence[tuple[ModelRef, str]]) -> tuple[int, float] | None:
        """Return the place of the best answer and the probability that it is right."""
        places = [self.learned.place_of(ref) for ref, _ in said]
        spoken = [Spoken(place, text) for place, (_, text) in zip(places, said, strict=True) if place is not None]
        if len(spoken) < len(said):
            return None
        standing = self.learned.standing(prompt_text(payload), spoken)
        return standing.best, standing.probability
