"""P(this answer is right), from the prompt, from who gave it, and from reading it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.learn.linear import expit, folds, logistic, logit
from crew_router.learn.readings import READINGS, Asked, final_answer, readings
from crew_router.learn.sayings import Sayings, count_sayings

if TYPE_CHECKING:
    from crew_router.columns import Codes, Floats

_PENALTY: Final = 15.0
_MODEL_PENALTY: Final = 30.0
_SURPLUS_WEIGHT: Final = 4.0
_CONSTANT: Final = 1e-3
_FOLDS: Final = 5
_WIDEST: Final = 4.0


@dataclass(frozen=True, slots=True)
class Draft:
    """One answer as it stands in a table: its figures and what it comes down to."""

    figures: Sequence[float]
    final: str | None


@dataclass(frozen=True, slots=True)
class Drafts:
    """All answers to some prompts; ``figures`` has a row per prompt, a column per model, and the readings behind."""

    figures: Floats
    final: tuple[tuple[str | None, ...], ...]

    def take(self, rows: Codes) -> Drafts:
        """Return some rows."""
        return Drafts(self.figures[rows], tuple(self.final[int(row)] for row in rows))


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
class Reader:
    """Reads answers as it learnt from answers of known worth.

    Args:
        centre: Mean of each figure.
        scale: Spread of each figure.
        weights: One row per model: intercept, predicted log-odds, clusters, figures, surplus of the saying.
        sayings: How often what a model says is right.
        clusters: Number of clusters of prompts.
    """

    centre: Floats
    scale: Floats
    weights: Floats
    sayings: Sayings
    clusters: int

    def one(self, draft: Draft, *, model: int, quality: float, cluster: int) -> float:
        """Return the probability that one answer is right.

        Args:
            draft: The answer as read.
            model: Place of the model that gave it.
            quality: What was predicted of the model before it answered.
            cluster: Cluster of the prompt.
        """
        surplus = np.array(self.sayings.surplus(cluster, model, draft.final))
        figures = np.asarray(draft.figures, dtype=np.float64)
        row = self._inputs(figures[None, None], np.array([[quality]]), surplus[None, None], np.array([cluster]))[0, 0]
        return float(expit(row @ self.weights[model]))

    def __call__(self, drafts: Drafts, *, quality: Floats, cluster: Codes) -> Floats:
        """Return the probability of every answer of a table."""
        surplus = np.array(
            [
                [self.sayings.surplus(int(own), model, answer) for model, answer in enumerate(said)]
                for own, said in zip(cluster, drafts.final, strict=True)
            ]
        )
        inputs = self._inputs(drafts.figures, quality, surplus, cluster)
        return expit(np.einsum("rmp,mp->rm", inputs, self.weights))

    def _inputs(self, figures: Floats, quality: Floats, surplus: Floats, cluster: Codes) -> Floats:
        return _design(figures, quality, surplus=surplus, cluster=cluster, clusters=self.clusters, centre=self.centre, scale=self.scale)


def _design(figures: Floats, quality: Floats, *, surplus: Floats, cluster: Codes, clusters: int, centre: Floats, scale: Floats) -> Floats:
    rows, models = quality.shape
    own = np.repeat(np.eye(clusters)[cluster][:, None, :], models, axis=1)
    seen = np.clip((figures - centre) / scale, -_WIDEST, _WIDEST)
    return np.concatenate([np.ones((rows, models, 1)), logit(quality)[:, :, None], own, seen, _SURPLUS_WEIGHT * surplus], axis=2)


def fit_reader(drafts: Drafts, *, quality: Floats, score: Floats, cluster: Codes, clusters: int) -> Reader:
    """Fit one logistic regression over all models and pull each model's own towards it.

    Args:
        drafts: The answers.
        quality: What was predicted of each model before it answered, each row held out.
        score: What the answers were worth, 0..1.
        cluster: Cluster of each prompt.
        clusters: Number of clusters.
    """
    flat = drafts.figures.reshape(-1, drafts.figures.shape[2])
    spread = flat.std(axis=0)
    centre, scale = flat.mean(axis=0), np.where(spread < _CONSTANT, 1e6, spread)
    sayings, surplus = count_sayings(drafts.final, quality=quality, score=score, cluster=cluster)
    inputs = _design(drafts.figures, quality, surplus=surplus, cluster=cluster, clusters=clusters, centre=centre, scale=scale)
    start = np.zeros(inputs.shape[2])
    start[1] = 1.0  # the prediction made before the answer, taken as it is
    shared = logistic(inputs.reshape(-1, inputs.shape[2]), score.reshape(-1), penalty=_PENALTY, start=start)
    own = [logistic(inputs[:, model], score[:, model], penalty=_MODEL_PENALTY, start=shared) for model in range(score.shape[1])]
    return Reader(centre, scale, np.array(own), sayings, clusters)


def held_out_reading(drafts: Drafts, *, quality: Floats, score: Floats, cluster: Codes, clusters: int, seed: int) -> Floats:
    """Return the probability of every training answer, read by a reader that had not seen its row."""
    fold = folds(len(score), min(_FOLDS, len(score)), seed=seed)
    read = np.zeros_like(score)
    for at in range(int(fold.max()) + 1):
        known, out = np.flatnonzero(fold != at), np.flatnonzero(fold == at)
        reader = fit_reader(drafts.take(known), quality=quality[known], score=score[known], cluster=cluster[known], clusters=clusters)
        read[out] = reader(drafts.take(out), quality=quality[out], cluster=cluster[out])
    return read
