"""P(this answer is right), from the prompt, from who gave it, and from reading it.

A logistic regression per model comes first; boosted trees over all models add what figures say only together (a call of a function
that the prompt does not speak of, a number too few), where that lowers the loss of held-out answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.learned.answer_prior import Sayings, count_sayings
from crew_router.decide.learned.boosting import Trees, grow
from crew_router.decide.learned.linear import expit, folds, logistic, logit
from crew_router.decide.learned.readings import PLAIN_READINGS, READINGS, Asked, final_answer, readings

if TYPE_CHECKING:
    from crew_router.types.arrays import Codes, Floats

_PENALTY: Final = 15.0
_MODEL_PENALTY: Final = 30.0
_SURPLUS_WEIGHT: Final = 4.0
_CONSTANT: Final = 1e-3
_FOLDS: Final = 5
_WIDEST: Final = 4.0
_DIRECTIONS: Final = 12  # of the text, the main ones first


@dataclass(frozen=True, slots=True)
class Draft:
    """One answer as it stands in a table: its figures and what it comes down to."""

    figures: Sequence[float]
    final: str | None


@dataclass(frozen=True, slots=True)
class Drafts:
    """All answers to some prompts; ``figures`` has a row per prompt, a column per model, the readings and what is recalled behind."""

    figures: Floats
    final: tuple[tuple[str | None, ...], ...]

    def take(self, rows: Codes) -> Drafts:
        """Return some rows."""
        return Drafts(self.figures[rows], tuple(self.final[int(row)] for row in rows))

    def beside(self, recalled: Floats) -> Drafts:
        """Return the answers with what is recalled of like prompts beside their readings."""
        return Drafts(np.concatenate([self.figures, recalled], axis=2), self.final)


def read_drafts(prompts: Sequence[str], answers: Sequence[Sequence[str | None]]) -> Drafts:
    """Read every answer; equal answers to a prompt are read once."""
    figures = np.zeros((len(prompts), len(answers[0]), READINGS))
    final: list[tuple[str | None, ...]] = []
    for row, (prompt, said) in enumerate(zip(prompts, answers, strict=True)):
        asked = Asked.of(prompt)
        seen = {answer: Draft(readings(asked, answer), final_answer(answer)) for answer in set(said)}
        figures[row] = [seen[answer].figures for answer in said]
        final.append(tuple(seen[answer].final for answer in said))
    return Drafts(figures, tuple(final))


@dataclass(frozen=True, slots=True)
class Before:
    """What is known of some prompts before any model answers.

    Args:
        quality: What was predicted of each model; a row per prompt.
        cluster: Cluster of each prompt.
        text: Features of each prompt.
    """

    quality: Floats
    cluster: Codes
    text: Floats

    def take(self, rows: Codes) -> Before:
        """Return some rows."""
        return Before(self.quality[rows], self.cluster[rows], self.text[rows])


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads answers as it learnt from answers of known worth.

    Args:
        centre: Mean of each plain figure.
        scale: Spread of each plain figure.
        weights: One row per model: intercept, predicted log-odds, clusters, figures, surplus of the saying.
        sayings: How often what a model says is right.
        clusters: Number of clusters of prompts.
        record: Log-odds of the mean score of each model.
        trees: What the figures add together; none where that lowered no loss.
    """

    centre: Floats
    scale: Floats
    weights: Floats
    sayings: Sayings
    clusters: int
    record: Floats
    trees: Trees

    def one(self, draft: Draft, *, model: int, before: Before) -> float:
        """Return the probability that one answer is right.

        Args:
            draft: The answer as read.
            model: Place of the model that gave it.
            before: What was known of its prompt; one row.
        """
        surplus = np.array(self.sayings.surplus(int(before.cluster[0]), model, draft.final))
        figures = np.asarray(draft.figures, dtype=np.float64)
        row = self._inputs(figures[None, None], before.quality[:, model : model + 1], surplus=surplus[None, None], cluster=before.cluster)
        odds = float(row[0, 0] @ self.weights[model])
        if len(self.trees):
            seen = _seen(figures[None, None], np.array([[odds]]), before=before, record=self.record[model : model + 1], models=[model])
            odds += self.trees.one(seen[0, 0])
        return float(expit(np.array(odds)))

    def __call__(self, drafts: Drafts, before: Before) -> Floats:
        """Return the probability of every answer of a table."""
        odds = self.linear(drafts, before)
        if len(self.trees):
            seen = _seen(drafts.figures, odds, before=before, record=self.record, models=range(odds.shape[1]))
            odds = odds + self.trees(seen.reshape(-1, seen.shape[2])).reshape(odds.shape)
        return expit(odds)

    def linear(self, drafts: Drafts, before: Before) -> Floats:
        """Return the log-odds of every answer of a table before the trees add to them."""
        surplus = np.array(
            [
                [self.sayings.surplus(int(own), model, answer) for model, answer in enumerate(said)]
                for own, said in zip(before.cluster, drafts.final, strict=True)
            ]
        )
        odds: Floats = np.einsum(
            "rmp,mp->rm", self._inputs(drafts.figures, before.quality, surplus=surplus, cluster=before.cluster), self.weights
        )
        return odds

    def _inputs(self, figures: Floats, quality: Floats, *, surplus: Floats, cluster: Codes) -> Floats:
        return _design(figures, quality, surplus=surplus, cluster=cluster, clusters=self.clusters, centre=self.centre, scale=self.scale)


def _design(figures: Floats, quality: Floats, *, surplus: Floats, cluster: Codes, clusters: int, centre: Floats, scale: Floats) -> Floats:
    rows, models = quality.shape
    own = np.repeat(np.eye(clusters)[cluster][:, None, :], models, axis=1)
    seen = np.clip((figures[:, :, :PLAIN_READINGS] - centre) / scale, -_WIDEST, _WIDEST)
    return np.concatenate([np.ones((rows, models, 1)), logit(quality)[:, :, None], own, seen, _SURPLUS_WEIGHT * surplus], axis=2)


def _seen(figures: Floats, odds: Floats, *, before: Before, record: Floats, models: Sequence[int]) -> Floats:
    """Return what the trees see of every answer: what is known so far, the record of the model, the figures, the prompt."""
    rows, count = odds.shape
    foreseen = logit(before.quality)
    ease = np.broadcast_to(foreseen.mean(axis=1)[:, None, None], (rows, count, 1))
    text = before.text[:, :_DIRECTIONS]
    return np.concatenate(
        [
            odds[:, :, None],
            foreseen[:, list(models), None],
            ease,
            np.broadcast_to(record[None, :, None], (rows, count, 1)),
            figures,
            np.broadcast_to(text[:, None, :], (rows, count, text.shape[1])),
        ],
        axis=2,
    )


@dataclass(frozen=True, slots=True)
class FittedReader:
    """A reader, and the probability of every training answer read by one that had not seen its row."""

    reader: Reader
    held_out: Floats


def fit_reader(drafts: Drafts, before: Before, score: Floats, *, clusters: int, seed: int) -> FittedReader:
    """Fit a reader.

    Args:
        drafts: The answers.
        before: What was known before they came, each row held out.
        score: What the answers were worth, 0..1.
        clusters: Number of clusters of prompts.
        seed: Makes folds repeatable.
    """
    fold = folds(len(score), min(_FOLDS, len(score)), seed=seed)
    odds = np.zeros_like(score)
    for at in range(int(fold.max()) + 1):
        known, out = np.flatnonzero(fold != at), np.flatnonzero(fold == at)
        linear = _fit_linear(drafts.take(known), before.take(known), score[known], clusters=clusters)
        odds[out] = linear.linear(drafts.take(out), before.take(out))
    reader = _fit_linear(drafts, before, score, clusters=clusters)
    seen = _seen(drafts.figures, odds, before=before, record=reader.record, models=range(score.shape[1]))
    flat, prompt = seen.reshape(-1, seen.shape[2]), np.repeat(np.arange(len(score)), score.shape[1])
    grown = grow(flat, score.reshape(-1), start=odds.reshape(-1), group=prompt, groups=len(score), seed=seed)
    held_out = odds.reshape(-1) + grown.held_out(flat, prompt)
    return FittedReader(replace(reader, trees=grown.trees), expit(held_out).reshape(score.shape))


def _fit_linear(drafts: Drafts, before: Before, score: Floats, *, clusters: int) -> Reader:
    """Fit one logistic regression over all models and pull each model's own towards it."""
    flat = drafts.figures[:, :, :PLAIN_READINGS].reshape(-1, PLAIN_READINGS)
    spread = flat.std(axis=0)
    centre, scale = flat.mean(axis=0), np.where(spread < _CONSTANT, 1e6, spread)
    sayings, surplus = count_sayings(drafts.final, quality=before.quality, score=score, cluster=before.cluster)
    inputs = _design(drafts.figures, before.quality, surplus=surplus, cluster=before.cluster, clusters=clusters, centre=centre, scale=scale)
    start = np.zeros(inputs.shape[2])
    start[1] = 1.0  # the prediction made before the answer, taken as it is
    shared = logistic(inputs.reshape(-1, inputs.shape[2]), score.reshape(-1), penalty=_PENALTY, start=start)
    own = [logistic(inputs[:, model], score[:, model], penalty=_MODEL_PENALTY, start=shared) for model in range(score.shape[1])]
    return Reader(centre, scale, np.array(own), sayings, clusters, logit(score.mean(axis=0)), Trees.none())
