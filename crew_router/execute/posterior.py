"""How probable an answer is, given who gave it: agreement between models as evidence.

With the accuracy a of every model and wrong answers spread evenly over W alternatives, Bayes' rule gives for each answer
x the weight  prod(a_m for m that said x) · prod((1 - a_m) / W for the others).  The same model asked again adds little: its
samples count with a discount, because its mistakes repeat.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Alternatives among which wrong answers spread, as far as mistakes of different models coincide. Of 1, 1.5, 2, 3, 4, 6 and 10 the one
# with the lowest Brier score over local_models, zeroeval, routellm_gsm8k and routerbench together (benchmarks/calibration.py).
WRONG_ANSWERS: Final = 2.0
REPEAT_DISCOUNT: Final = 0.35  # guess, not measured: weight of a further sample of the same model
_FLOOR: Final = 0.02


@dataclass(frozen=True, slots=True)
class Vote:
    """One model's answer: ``key`` is equal for equal answers, ``accuracy`` the chance 0..1 that the model is right."""

    model: str
    key: str
    accuracy: float


def posterior(votes: Sequence[Vote], *, wrong_answers: float = WRONG_ANSWERS) -> dict[str, float]:
    """Return the probability of each answer that was given; what is missing to 1 is that all are wrong."""
    weights = _weights(votes)
    scores: dict[str, float] = {}
    for key in {vote.key for vote in votes}:
        scores[key] = sum(weight * _evidence(vote, key, wrong_answers) for vote, weight in zip(votes, weights, strict=True))
    # An answer nobody gave: there are about as many of those as wrong answers, less the ones that were given.
    unseen = max(wrong_answers + 1 - len(scores), 0.5)
    none = math.log(unseen) + sum(
        weight * math.log((1 - _inside(vote.accuracy)) / wrong_answers) for vote, weight in zip(votes, weights, strict=True)
    )
    top = max([*scores.values(), none])
    total = sum(math.exp(score - top) for score in scores.values()) + math.exp(none - top)
    return {key: math.exp(score - top) / total for key, score in scores.items()}


def expected_best(votes: Sequence[Vote], model: str, *, accuracy: float, wrong_answers: float = WRONG_ANSWERS) -> float:
    """Return how probable the best answer is expected to be once one more model has answered.

    Args:
        votes: The answers so far.
        model: The model that would be asked.
        accuracy: Its chance of being right.
        wrong_answers: Alternatives among which wrong answers spread.
    """
    beliefs = posterior(votes, wrong_answers=wrong_answers)
    total, said = 0.0, 0.0
    for key, belief in beliefs.items():
        chance = belief * accuracy + (1 - belief) * (1 - accuracy) / wrong_answers
        after = posterior([*votes, Vote(model, key, accuracy)], wrong_answers=wrong_answers)
        total, said = total + chance * max(after.values()), said + chance
    other = posterior([*votes, Vote(model, "\0 another answer", accuracy)], wrong_answers=wrong_answers)
    # Counting the answers that nobody gave is coarse; what is known now is never lost by asking.
    return max(total + max(1.0 - said, 0.0) * max(other.values()), *beliefs.values())


def shifted(probability: float, log_odds: float) -> float:
    """Return a probability moved by evidence given as log-odds."""
    inside = min(max(probability, _FLOOR / 10), 1 - _FLOOR / 10)
    return 1 / (1 + math.exp(-(math.log(inside / (1 - inside)) + log_odds)))


def _weights(votes: Sequence[Vote]) -> list[float]:
    seen: dict[str, int] = {}
    weights: list[float] = []
    for vote in votes:
        weights.append(REPEAT_DISCOUNT if vote.model in seen else 1.0)
        seen[vote.model] = 1
    return weights


def _evidence(vote: Vote, key: str, wrong_answers: float) -> float:
    accuracy = _inside(vote.accuracy)
    return math.log(accuracy) if vote.key == key else math.log((1 - accuracy) / wrong_answers)


def _inside(accuracy: float) -> float:
    return min(max(accuracy, _FLOOR), 1 - _FLOOR)
