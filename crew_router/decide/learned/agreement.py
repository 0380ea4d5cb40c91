"""The probability that the best answer so far is right, given the answers of several models.

For every set of models that a plan can have called there is one small logistic regression per member. It predicts whether
the member's answer is right from: the correctness model's probability, which other members gave the same answer, how much
support the strongest different answer has, and the cluster of the prompt. Models that make the same mistakes get small
weights for agreeing, because they agree on wrong answers too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.learned.linear import expit, leave_one_out, logistic, logit

if TYPE_CHECKING:
    from crew_router.types.arrays import Codes, Flags, Floats

_PENALTY: Final = 8.0
_VOTE_OFFSET: Final = 1.5  # added to the log-odds of a vote, so that a model that is right half of the time still counts
_READ_EDGE: Final = 0.02
_MODEL_WEIGHT: Final = 1e-3  # breaks ties between models that gave the same answer
_GENERIC_SETS: Final = 40
_GENERIC_LARGEST: Final = 5

Members = tuple[int, ...]
"""Indices of models in ascending order."""


@dataclass(frozen=True, slots=True)
class Ballots:
    """Answers of all models to some prompts.

    Args:
        odds: Log-odds that each answer is right by itself; prompts x models.
        answers: A number per answer, equal for equal answers of a row; -1 for none.
        cluster: Cluster of each prompt.
        clusters: Number of clusters.
    """

    odds: Floats
    answers: Codes
    cluster: Codes
    clusters: int

    def same(self, one: int, other: int) -> Flags:
        """Tell where two models gave the same answer."""
        equal: Flags = (self.answers[:, one] == self.answers[:, other]) & (self.answers[:, one] >= 0)
        return equal


@dataclass(frozen=True, slots=True)
class Verdict:
    """The best answer of each row: the probability that it is right, and the index of the model that gave it."""

    probability: Floats
    model: Codes


def ballots_of(final: Iterable[Sequence[str | None]], *, read: Floats, cluster: Codes, clusters: int) -> Ballots:
    """Return ballots from the final answers of each row.

    Args:
        final: Final answers by prompt and model; ``None`` for none.
        read: Probability that each answer is right by itself.
        cluster: Cluster of each prompt.
        clusters: Number of clusters.
    """
    answers = [_numbered(row) for row in final]
    odds = logit(np.clip(read, _READ_EDGE, 1 - _READ_EDGE))
    return Ballots(odds, np.array(answers, dtype=np.int64).reshape(read.shape), cluster, clusters)


def _numbered(row: Sequence[str | None]) -> list[int]:
    numbers = {answer: index for index, answer in enumerate(dict.fromkeys(answer for answer in row if answer is not None))}
    return [-1 if answer is None else numbers[answer] for answer in row]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Regression weights by set of members, one row per member; and generic weights for sets that were not fitted."""

    weights: Mapping[Members, Floats]
    generic: Floats

    def verdict(self, ballots: Ballots, members: Members) -> Verdict:
        """Return the best answer of each row, given the answers of some models."""
        learnt = self.weights.get(members)
        if learnt is None:
            rows = [_generic_inputs(ballots, member, members) @ self.generic for member in members]
        else:
            rows = [_inputs(ballots, member, members) @ row_weights for member, row_weights in zip(members, learnt, strict=True)]
        return best_of(ballots, members, expit(np.stack(rows, axis=1)))


@dataclass(slots=True)
class AgreementFitter:
    """Fits a set of members when its verdict is first requested; the verdicts on training rows are leave-one-out."""

    ballots: Ballots
    score: Floats
    weights: dict[Members, Floats] = field(default_factory=dict[Members, "Floats"])
    verdicts: dict[Members, Verdict] = field(default_factory=dict[Members, Verdict])

    def verdict(self, members: Members) -> Verdict:
        """Return the best answer of each training row, with its probability as if the row had not been fitted."""
        verdict = self.verdicts.get(members)
        if verdict is None:
            verdict = self.verdicts[members] = self._fitted(members)
        return verdict

    def _fitted(self, members: Members) -> Verdict:
        learnt: list[Floats] = []
        held_out: list[Floats] = []
        for member in members:
            inputs, target = _inputs(self.ballots, member, members), self.score[:, member]
            start = np.zeros(inputs.shape[1])
            start[1] = 1.0
            weights = logistic(inputs, target, penalty=_PENALTY, start=start)
            learnt.append(weights)
            held_out.append(leave_one_out(inputs, target, weights, penalty=_PENALTY))
        self.weights[members] = np.array(learnt)
        return best_of(self.ballots, members, np.stack(held_out, axis=1))

    def done(self, kept: Iterable[Members], *, seed: int) -> Agreement:
        """Return the fitted weights of some sets, with generic weights for all others."""
        return Agreement({members: self.weights[members] for members in sorted(set(kept))}, self._generic(seed))

    def _generic(self, seed: int) -> Floats:
        rng = np.random.default_rng(seed)
        count = self.score.shape[1]
        inputs: list[Floats] = []
        targets: list[Floats] = []
        for _ in range(_GENERIC_SETS):
            size = int(rng.integers(1, min(_GENERIC_LARGEST, count) + 1))
            members = tuple(sorted(int(index) for index in rng.choice(count, size, replace=False)))
            inputs += [_generic_inputs(self.ballots, member, members) for member in members]
            targets += [self.score[:, member] for member in members]
        start = np.zeros(inputs[0].shape[1])
        start[1] = 1.0
        return logistic(np.vstack(inputs), np.concatenate(targets), penalty=_PENALTY, start=start)


def best_of(ballots: Ballots, members: Members, probability: Floats) -> Verdict:
    """Return, for each row, the answer whose mean probability over the models that gave it is highest.

    Of those models the one with the highest probability is named. This matters where equal answers get different scores,
    such as function calls in a format that only some models keep to.
    """
    answers = ballots.answers[:, list(members)]
    equal = (answers[:, :, None] == answers[:, None, :]) & (answers[:, :, None] >= 0)
    equal |= np.eye(len(members), dtype=np.bool_)
    mean = (equal * probability[:, None, :]).sum(axis=2) / equal.sum(axis=2)
    first = (mean + _MODEL_WEIGHT * probability).argmax(axis=1)
    return Verdict(mean[np.arange(len(mean)), first], np.array(members)[first])


def _inputs(ballots: Ballots, member: int, members: Members) -> Floats:
    """Return the inputs of one member's regression; column 1 is the log-odds of its answer by itself."""
    others = [other for other in members if other != member]
    odds = ballots.odds
    columns = [np.ones(len(odds)), odds[:, member]]
    if others:
        columns.append(odds[:, others].mean(axis=1))
        columns += [ballots.same(member, other).astype(np.float64) for other in others]
    if len(others) > 1:
        columns += _support(ballots, member, others, np.maximum(odds + _VOTE_OFFSET, 0.0))
    columns += [(ballots.cluster == index).astype(np.float64) for index in range(1, ballots.clusters)]
    return np.stack(columns, axis=1)


def _generic_inputs(ballots: Ballots, member: int, members: Members) -> Floats:
    """Return the inputs of the generic regression, which are the same for sets of any size."""
    others = [other for other in members if other != member]
    odds = ballots.odds
    zeros = np.zeros(len(odds))
    mean = odds[:, others].mean(axis=1) if others else zeros
    sides = _support(ballots, member, others, np.maximum(odds + _VOTE_OFFSET, 0.0)) if others else [zeros, zeros]
    alone = np.full(len(odds), float(not others))
    columns = [np.ones(len(odds)), odds[:, member], mean, *sides, alone]
    columns += [(ballots.cluster == index).astype(np.float64) for index in range(1, ballots.clusters)]
    return np.stack(columns, axis=1)


def _support(ballots: Ballots, member: int, others: Sequence[int], weight: Floats) -> list[Floats]:
    """Return the summed weight of the others that agree with a member, and that of the strongest different answer."""
    agreeing = np.zeros(len(weight))
    opposing = np.zeros(len(weight))
    for other in others:
        same = ballots.same(member, other)
        agreeing += same * weight[:, other]
        support = sum((ballots.same(other, ally) * weight[:, ally] for ally in others), np.zeros(len(weight)))
        opposing = np.maximum(opposing, np.where(same | (ballots.answers[:, other] < 0), 0.0, support))
    return [agreeing, opposing]
