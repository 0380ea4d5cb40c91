"""The posterior of the best answer so far, given who said what, with dependence between models taken into account.

For every set of models that a plan can have asked there is one small logistic regression per member: is its answer right,
given what reading it says, which others gave the same answer, how strong the strongest other answer is, and the cluster of
the prompt. Models that repeat one another's mistakes get small weights for agreeing, because they agree on wrong answers too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.learned.linear import expit, left_out, logistic, logit

if TYPE_CHECKING:
    from crew_router.types.arrays import Codes, Flags, Floats

_PENALTY: Final = 8.0
_WEIGHT_AT_EVEN: Final = 1.5  # votes of models that are right half of the time count for something
_READ_EDGE: Final = 0.02
_SPEAKER: Final = 1e-3  # breaks the tie between those who gave the same answer
_GENERIC_SETS: Final = 40
_GENERIC_LARGEST: Final = 5

Members = tuple[int, ...]
"""Places of models in ascending order."""


@dataclass(frozen=True, slots=True)
class Ballots:
    """Answers of all models to some prompts.

    Args:
        odds: Log-odds that each answer is right, from reading it.
        said: A number per answer, equal for equal answers of a row; -1 for none.
        cluster: Cluster of each prompt.
        clusters: Number of clusters.
    """

    odds: Floats
    said: Codes
    cluster: Codes
    clusters: int

    def same(self, one: int, other: int) -> Flags:
        """Tell where two models gave the same answer."""
        equal: Flags = (self.said[:, one] == self.said[:, other]) & (self.said[:, one] >= 0)
        return equal


@dataclass(frozen=True, slots=True)
class Verdict:
    """The best answer of each row: its probability, and the member that gave it (its place in the table)."""

    probability: Floats
    speaker: Codes


def ballots_of(final: Iterable[Sequence[str | None]], *, read: Floats, cluster: Codes, clusters: int) -> Ballots:
    """Number the answers of each row."""
    said = [_numbered(row) for row in final]
    odds = logit(np.clip(read, _READ_EDGE, 1 - _READ_EDGE))
    return Ballots(odds, np.array(said, dtype=np.int64).reshape(read.shape), cluster, clusters)


def _numbered(row: Sequence[str | None]) -> list[int]:
    places = {answer: at for at, answer in enumerate(dict.fromkeys(answer for answer in row if answer is not None))}
    return [-1 if answer is None else places[answer] for answer in row]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Weights by set of members, one row per member, and generic weights for sets that were not learnt."""

    weights: Mapping[Members, Floats]
    generic: Floats

    def verdict(self, ballots: Ballots, members: Members) -> Verdict:
        """Return the best answer of each row, given the answers of some models."""
        learnt = self.weights.get(members)
        if learnt is None:
            rows = [_generic_inputs(ballots, member, members) @ self.generic for member in members]
        else:
            rows = [_inputs(ballots, member, members) @ own for member, own in zip(members, learnt, strict=True)]
        return best_of(ballots, members, expit(np.stack(rows, axis=1)))


@dataclass(slots=True)
class AgreementFitter:
    """Fits sets of members when they are first asked for; the verdicts on training rows are held out."""

    ballots: Ballots
    score: Floats
    weights: dict[Members, Floats] = field(default_factory=dict[Members, "Floats"])
    verdicts: dict[Members, Verdict] = field(default_factory=dict[Members, Verdict])

    def verdict(self, members: Members) -> Verdict:
        """Return the best answer of each training row, its probability as if the row had not been seen."""
        known = self.verdicts.get(members)
        if known is None:
            known = self.verdicts[members] = self._fitted(members)
        return known

    def _fitted(self, members: Members) -> Verdict:
        learnt: list[Floats] = []
        held_out: list[Floats] = []
        for member in members:
            inputs, target = _inputs(self.ballots, member, members), self.score[:, member]
            start = np.zeros(inputs.shape[1])
            start[1] = 1.0
            own = logistic(inputs, target, penalty=_PENALTY, start=start)
            learnt.append(own)
            held_out.append(left_out(inputs, target, own, penalty=_PENALTY))
        self.weights[members] = np.array(learnt)
        return best_of(self.ballots, members, np.stack(held_out, axis=1))

    def done(self, kept: Iterable[Members], *, seed: int) -> Agreement:
        """Return the weights of the sets that plans use, with generic ones for all others."""
        return Agreement({members: self.weights[members] for members in sorted(set(kept))}, self._generic(seed))

    def _generic(self, seed: int) -> Floats:
        rng = np.random.default_rng(seed)
        count = self.score.shape[1]
        inputs: list[Floats] = []
        targets: list[Floats] = []
        for _ in range(_GENERIC_SETS):
            size = int(rng.integers(1, min(_GENERIC_LARGEST, count) + 1))
            members = tuple(sorted(int(at) for at in rng.choice(count, size, replace=False)))
            inputs += [_generic_inputs(self.ballots, member, members) for member in members]
            targets += [self.score[:, member] for member in members]
        start = np.zeros(inputs[0].shape[1])
        start[1] = 1.0
        return logistic(np.vstack(inputs), np.concatenate(targets), penalty=_PENALTY, start=start)


def best_of(ballots: Ballots, members: Members, probability: Floats) -> Verdict:
    """Return the answer whose supporters' probabilities have the highest mean, row by row, from the surest of them.

    Who says it matters where equal answers are worth different scores, as a call in a form that only some models keep to.
    """
    said = ballots.said[:, list(members)]
    equal = (said[:, :, None] == said[:, None, :]) & (said[:, :, None] >= 0)
    equal |= np.eye(len(members), dtype=np.bool_)
    mean = (equal * probability[:, None, :]).sum(axis=2) / equal.sum(axis=2)
    first = (mean + _SPEAKER * probability).argmax(axis=1)
    return Verdict(mean[np.arange(len(mean)), first], np.array(members)[first])


def _inputs(ballots: Ballots, member: int, members: Members) -> Floats:
    """Return what the regression of one member of a set sees; column 1 is what reading its answer says."""
    others = [other for other in members if other != member]
    odds = ballots.odds
    columns = [np.ones(len(odds)), odds[:, member]]
    if others:
        columns.append(odds[:, others].mean(axis=1))
        columns += [ballots.same(member, other).astype(np.float64) for other in others]
    if len(others) > 1:
        columns += _sides(ballots, member, others, np.maximum(odds + _WEIGHT_AT_EVEN, 0.0))
    columns += [(ballots.cluster == at).astype(np.float64) for at in range(1, ballots.clusters)]
    return np.stack(columns, axis=1)


def _generic_inputs(ballots: Ballots, member: int, members: Members) -> Floats:
    """Return what holds for sets of any size."""
    others = [other for other in members if other != member]
    odds = ballots.odds
    nothing = np.zeros(len(odds))
    mean = odds[:, others].mean(axis=1) if others else nothing
    sides = _sides(ballots, member, others, np.maximum(odds + _WEIGHT_AT_EVEN, 0.0)) if others else [nothing, nothing]
    alone = np.full(len(odds), float(not others))
    columns = [np.ones(len(odds)), odds[:, member], mean, *sides, alone]
    columns += [(ballots.cluster == at).astype(np.float64) for at in range(1, ballots.clusters)]
    return np.stack(columns, axis=1)


def _sides(ballots: Ballots, member: int, others: Sequence[int], weight: Floats) -> list[Floats]:
    """Return the weight of those who agree with a member, and of the strongest answer against it."""
    agreeing = np.zeros(len(weight))
    against = np.zeros(len(weight))
    for other in others:
        same = ballots.same(member, other)
        agreeing += same * weight[:, other]
        camp = sum((ballots.same(other, ally) * weight[:, ally] for ally in others), np.zeros(len(weight)))
        against = np.maximum(against, np.where(same | (ballots.said[:, other] < 0), 0.0, camp))
    return [agreeing, against]
