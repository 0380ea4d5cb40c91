"""How often a certain answer of a model is right: "B" from a model that nearly always answers "A" deserves more trust than its "A"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from crew_router.types.arrays import Codes, Floats

_PRIOR: Final = 6.0  # answers that the surplus over all models counts for in the one of a single model
_PRIOR_SHARED: Final = 18.0  # answers that a surplus of 0 counts for in the one over all models
_MIN_PROMPTS: Final = 2  # an answer to one prompt alone predicts little, and could reveal what was asked

Key = tuple[int, int, str]
"""Cluster of prompts, index of the model (-1 for all models together), and the answer."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Equal answers: their number, and the sum of their scores minus the predicted quality."""

    count: int = 0
    surplus: float = 0.0

    def without(self, count: int, surplus: float) -> Tally:
        """Return the tally without some answers."""
        return Tally(self.count - count, self.surplus - surplus)


@dataclass(frozen=True, slots=True)
class AnswerPrior:
    """Tallies by cluster, model and answer."""

    tallies: Mapping[Key, Tally]

    def surplus(self, cluster: int, model: int, answer: str | None) -> tuple[float, float]:
        """Return by how much an answer is more probably right than predicted: when this model gives it, and when any does."""
        key = "" if answer is None else answer
        none = Tally()
        return _shrunk(self.tallies.get((cluster, model, key), none), self.tallies.get((cluster, -1, key), none))


def fit_answer_prior(
    answers: Sequence[Sequence[str | None]], *, quality: Floats, score: Floats, cluster: Codes
) -> tuple[AnswerPrior, Floats]:
    """Count the answers of the training rows.

    Returns:
        The tallies of answers to at least two prompts, and the two surpluses of every training answer without its own row.
    """
    surplus_of = score - quality
    counted: dict[Key, list[float]] = defaultdict(lambda: [0.0, 0.0])
    prompts: dict[Key, int] = defaultdict(int)
    by_row: list[dict[str, list[float]]] = []
    for row, row_answers in enumerate(answers):
        shared: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for model, answer in enumerate(row_answers):
            key = "" if answer is None else answer
            for tally in (counted[int(cluster[row]), model, key], counted[int(cluster[row]), -1, key], shared[key]):
                tally[0] += 1
                tally[1] += float(surplus_of[row, model])
            prompts[int(cluster[row]), model, key] += 1
        for key in shared:
            prompts[int(cluster[row]), -1, key] += 1
        by_row.append(shared)
    tallies = {key: Tally(int(count), surplus) for key, (count, surplus) in counted.items()}
    held_out = np.zeros((*score.shape, 2))
    for row, row_answers in enumerate(answers):
        for model, answer in enumerate(row_answers):
            key = "" if answer is None else answer
            own_tally = tallies[int(cluster[row]), model, key].without(1, float(surplus_of[row, model]))
            shared_count, shared_surplus = by_row[row][key]
            held_out[row, model] = _shrunk(own_tally, tallies[int(cluster[row]), -1, key].without(int(shared_count), shared_surplus))
    return AnswerPrior({key: tally for key, tally in tallies.items() if prompts[key] >= _MIN_PROMPTS}), held_out


def _shrunk(own: Tally, shared: Tally) -> tuple[float, float]:
    overall = shared.surplus / (shared.count + _PRIOR_SHARED)
    return (own.surplus + _PRIOR * overall) / (own.count + _PRIOR), overall
