"""How often what a model says is right: "B" from a model that nearly always says "A" is worth more than its "A"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from crew_router.types.arrays import Codes, Floats

_PRIOR: Final = 6.0  # answers that what all models' record says is worth for one model
_PRIOR_SHARED: Final = 18.0
_LEAST: Final = 2  # prompts; an answer to one alone says little of the next, and may give away what was asked

Key = tuple[int, int, str]
"""Cluster, model (-1 for all of them together) and the answer."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Answers of one kind: how many, and by how much more often they were right than predicted."""

    count: int = 0
    surplus: float = 0.0

    def without(self, count: int, surplus: float) -> Tally:
        """Return the tally as if some answers had not been seen."""
        return Tally(self.count - count, self.surplus - surplus)


@dataclass(frozen=True, slots=True)
class Sayings:
    """Tallies by cluster, model and answer."""

    tallies: Mapping[Key, Tally]

    def surplus(self, cluster: int, model: int, answer: str | None) -> tuple[float, float]:
        """Return by how much an answer is more probable than predicted: from this model, and from any."""
        key = "" if answer is None else answer
        none = Tally()
        return _pulled(self.tallies.get((cluster, model, key), none), self.tallies.get((cluster, -1, key), none))


def count_sayings(answers: Sequence[Sequence[str | None]], *, quality: Floats, score: Floats, cluster: Codes) -> tuple[Sayings, Floats]:
    """Count the answers of the training rows.

    Returns:
        The tallies worth keeping, and the surplus of every training answer as if its own row had not been seen.
    """
    rest = score - quality
    counted: dict[Key, list[float]] = defaultdict(lambda: [0.0, 0.0])
    prompts: dict[Key, int] = defaultdict(int)
    own: list[dict[str, list[float]]] = []
    for row, said in enumerate(answers):
        shared: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for model, answer in enumerate(said):
            key = "" if answer is None else answer
            for tally in (counted[int(cluster[row]), model, key], counted[int(cluster[row]), -1, key], shared[key]):
                tally[0] += 1
                tally[1] += float(rest[row, model])
            prompts[int(cluster[row]), model, key] += 1
        for key in shared:
            prompts[int(cluster[row]), -1, key] += 1
        own.append(shared)
    tallies = {key: Tally(int(count), surplus) for key, (count, surplus) in counted.items()}
    held_out = np.zeros((*score.shape, 2))
    for row, said in enumerate(answers):
        for model, answer in enumerate(said):
            key = "" if answer is None else answer
            mine = tallies[int(cluster[row]), model, key].without(1, float(rest[row, model]))
            shared_count, shared_surplus = own[row][key]
            held_out[row, model] = _pulled(mine, tallies[int(cluster[row]), -1, key].without(int(shared_count), shared_surplus))
    return Sayings({key: tally for key, tally in tallies.items() if prompts[key] >= _LEAST}), held_out


def _pulled(own: Tally, shared: Tally) -> tuple[float, float]:
    everybody = shared.surplus / (shared.count + _PRIOR_SHARED)
    return (own.surplus + _PRIOR * everybody) / (own.count + _PRIOR), everybody
