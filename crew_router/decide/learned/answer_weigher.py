"""Weigh the answers of a cascade with a trained model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crew_router.decide.learned.trained_model import GivenAnswer, TrainedModel
from crew_router.types import ModelRef
from crew_router.types.prompt import prompt_text
from crew_router.types.transport import Payload


@dataclass(frozen=True, slots=True)
class AnswerWeigher:
    """Tells the executor of a cascade which answer is best, and how probably it is right."""

    learned: TrainedModel

    def __call__(self, payload: Payload, answers: Sequence[tuple[ModelRef, str]]) -> tuple[int, float] | None:
        """Return the index of the best answer and the probability that it is right; ``None`` when a model was not trained on."""
        indices = [self.learned.index_of(ref) for ref, _ in answers]
        given = [GivenAnswer(index, text) for index, (_, text) in zip(indices, answers, strict=True) if index is not None]
        if len(given) < len(answers):
            return None
        best = self.learned.best_answer(prompt_text(payload), given)
        return best.index, best.probability
