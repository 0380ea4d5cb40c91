"""Predict the probability that an answer is right, from the prompt, the model that gave it, and the answer's text.

A logistic regression per model comes first. Boosted trees over all models then add interactions of features (a call to a
function that the prompt does not mention, a missing number), if they lower the loss on held-out answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.learned.answer_features import ANSWER_FEATURES, TEXT_FEATURES, PromptFacts, answer_features, final_answer
from crew_router.decide.learned.answer_prior import AnswerPrior, fit_answer_prior
from crew_router.decide.learned.boosting import Trees, grow
from crew_router.decide.learned.linear import expit, folds, logistic, logit

if TYPE_CHECKING:
    from crew_router.types.arrays import Codes, Floats

_PENALTY: Final = 15.0
_MODEL_PENALTY: Final = 30.0
_SURPLUS_WEIGHT: Final = 4.0
_CONSTANT: Final = 1e-3
_FOLDS: Final = 5
_WIDEST: Final = 4.0
_DIRECTIONS: Final = 12  # text features that the trees may use, the main directions first


@dataclass(frozen=True, slots=True)
class AnswerFeatures:
    """One answer: its features and its final answer."""

    features: Sequence[float]
    final: str | None


@dataclass(frozen=True, slots=True)
class AnswerTable:
    """All answers to some prompts.

    Args:
        features: Prompts x models x features: those of the text, then those of the nearest prompt.
        final: Final answers by prompt and model; ``None`` for none.
    """

    features: Floats
    final: tuple[tuple[str | None, ...], ...]

    def take(self, rows: Codes) -> AnswerTable:
        """Return some rows."""
        return AnswerTable(self.features[rows], tuple(self.final[int(row)] for row in rows))

    def beside(self, nearest: Floats) -> AnswerTable:
        """Return the table with the features of the nearest prompt appended."""
        return AnswerTable(np.concatenate([self.features, nearest], axis=2), self.final)


def answer_table(prompts: Sequence[str], answers: Sequence[Sequence[str | None]]) -> AnswerTable:
    """Return the features of every answer; equal answers to a prompt are computed once."""
    features = np.zeros((len(prompts), len(answers[0]), ANSWER_FEATURES))
    final: list[tuple[str | None, ...]] = []
    for row, (prompt, row_answers) in enumerate(zip(prompts, answers, strict=True)):
        prompt_facts = PromptFacts.of(prompt)
        by_answer = {answer: AnswerFeatures(answer_features(prompt_facts, answer), final_answer(answer)) for answer in set(row_answers)}
        features[row] = [by_answer[answer].features for answer in row_answers]
        final.append(tuple(by_answer[answer].final for answer in row_answers))
    return AnswerTable(features, tuple(final))


@dataclass(frozen=True, slots=True)
class PromptTable:
    """What is known of some prompts before any model answers.

    Args:
        quality: Predicted quality, prompts x models.
        cluster: Cluster of each prompt.
        text: Text features of each prompt.
    """

    quality: Floats
    cluster: Codes
    text: Floats

    def take(self, rows: Codes) -> PromptTable:
        """Return some rows."""
        return PromptTable(self.quality[rows], self.cluster[rows], self.text[rows])


@dataclass(frozen=True, slots=True)
class CorrectnessModel:
    """Predicts the probability that an answer is right; fitted on answers with known scores.

    Args:
        centre: Mean of each text feature of answers.
        scale: Standard deviation of each text feature of answers.
        weights: One row per model: intercept, predicted log-odds, clusters, features of the answer, surplus of the answer.
        answer_prior: By how much certain answers of a model are more often right than predicted.
        clusters: Number of clusters of prompts.
        model_odds: Log-odds of the mean score of each model.
        trees: Boosted trees that add to the linear log-odds; possibly none.
    """

    centre: Floats
    scale: Floats
    weights: Floats
    answer_prior: AnswerPrior
    clusters: int
    model_odds: Floats
    trees: Trees

    def one(self, answer: AnswerFeatures, *, model: int, prompts: PromptTable) -> float:
        """Return the probability that one answer is right.

        Args:
            answer: The answer.
            model: Index of the model that gave it.
            prompts: What was known of its prompt; one row.
        """
        surplus = np.array(self.answer_prior.surplus(int(prompts.cluster[0]), model, answer.final))
        features = np.asarray(answer.features, dtype=np.float64)
        row = self._inputs(
            features[None, None], prompts.quality[:, model : model + 1], surplus=surplus[None, None], cluster=prompts.cluster
        )
        odds = float(row[0, 0] @ self.weights[model])
        if len(self.trees):
            tree_inputs = _tree_inputs(
                features[None, None], np.array([[odds]]), prompts=prompts, model_odds=self.model_odds[model : model + 1], models=[model]
            )
            odds += self.trees.one(tree_inputs[0, 0])
        return float(expit(np.array(odds)))

    def __call__(self, answers: AnswerTable, prompts: PromptTable) -> Floats:
        """Return the probability of every answer of a table."""
        odds = self.linear_odds(answers, prompts)
        if len(self.trees):
            tree_inputs = _tree_inputs(answers.features, odds, prompts=prompts, model_odds=self.model_odds, models=range(odds.shape[1]))
            odds = odds + self.trees(tree_inputs.reshape(-1, tree_inputs.shape[2])).reshape(odds.shape)
        return expit(odds)

    def linear_odds(self, answers: AnswerTable, prompts: PromptTable) -> Floats:
        """Return the log-odds of every answer of a table before the trees add to them."""
        surplus = np.array(
            [
                [self.answer_prior.surplus(int(cluster), model, answer) for model, answer in enumerate(row_answers)]
                for cluster, row_answers in zip(prompts.cluster, answers.final, strict=True)
            ]
        )
        odds: Floats = np.einsum(
            "rmp,mp->rm", self._inputs(answers.features, prompts.quality, surplus=surplus, cluster=prompts.cluster), self.weights
        )
        return odds

    def _inputs(self, features: Floats, quality: Floats, *, surplus: Floats, cluster: Codes) -> Floats:
        return _design(features, quality, surplus=surplus, cluster=cluster, clusters=self.clusters, centre=self.centre, scale=self.scale)


def _design(features: Floats, quality: Floats, *, surplus: Floats, cluster: Codes, clusters: int, centre: Floats, scale: Floats) -> Floats:
    rows, models = quality.shape
    one_hot = np.repeat(np.eye(clusters)[cluster][:, None, :], models, axis=1)
    scaled = np.clip((features[:, :, :TEXT_FEATURES] - centre) / scale, -_WIDEST, _WIDEST)
    return np.concatenate([np.ones((rows, models, 1)), logit(quality)[:, :, None], one_hot, scaled, _SURPLUS_WEIGHT * surplus], axis=2)


def _tree_inputs(features: Floats, odds: Floats, *, prompts: PromptTable, model_odds: Floats, models: Sequence[int]) -> Floats:
    """Return the inputs of the trees: log-odds so far, predicted log-odds, the model's own, answer features, text features."""
    rows, count = odds.shape
    predicted_odds = logit(prompts.quality)
    ease = np.broadcast_to(predicted_odds.mean(axis=1)[:, None, None], (rows, count, 1))
    text = prompts.text[:, :_DIRECTIONS]
    return np.concatenate(
        [
            odds[:, :, None],
            predicted_odds[:, list(models), None],
            ease,
            np.broadcast_to(model_odds[None, :, None], (rows, count, 1)),
            features,
            np.broadcast_to(text[:, None, :], (rows, count, text.shape[1])),
        ],
        axis=2,
    )


@dataclass(frozen=True, slots=True)
class FittedCorrectness:
    """A fitted model, and the out-of-fold probability of every training answer."""

    model: CorrectnessModel
    held_out: Floats


def fit_correctness(answers: AnswerTable, prompts: PromptTable, score: Floats, *, clusters: int, seed: int) -> FittedCorrectness:
    """Fit a correctness model.

    Args:
        answers: The answers.
        prompts: What was known before the answers, predicted out of fold.
        score: Score of each answer, 0..1.
        clusters: Number of clusters of prompts.
        seed: Makes folds repeatable.
    """
    fold = folds(len(score), min(_FOLDS, len(score)), seed=seed)
    odds = np.zeros_like(score)
    for part in range(int(fold.max()) + 1):
        training, held_out = np.flatnonzero(fold != part), np.flatnonzero(fold == part)
        linear = _fit_linear(answers.take(training), prompts.take(training), score[training], clusters=clusters)
        odds[held_out] = linear.linear_odds(answers.take(held_out), prompts.take(held_out))
    model = _fit_linear(answers, prompts, score, clusters=clusters)
    tree_inputs = _tree_inputs(answers.features, odds, prompts=prompts, model_odds=model.model_odds, models=range(score.shape[1]))
    flat, prompt = tree_inputs.reshape(-1, tree_inputs.shape[2]), np.repeat(np.arange(len(score)), score.shape[1])
    grown = grow(flat, score.reshape(-1), start=odds.reshape(-1), group=prompt, groups=len(score), seed=seed)
    odds_held_out = odds.reshape(-1) + grown.held_out(flat, prompt)
    return FittedCorrectness(replace(model, trees=grown.trees), expit(odds_held_out).reshape(score.shape))


def _fit_linear(answers: AnswerTable, prompts: PromptTable, score: Floats, *, clusters: int) -> CorrectnessModel:
    """Fit one logistic regression over all models, and one per model that is shrunk towards it."""
    flat = answers.features[:, :, :TEXT_FEATURES].reshape(-1, TEXT_FEATURES)
    spread = flat.std(axis=0)
    centre, scale = flat.mean(axis=0), np.where(spread < _CONSTANT, 1e6, spread)
    answer_prior, surplus = fit_answer_prior(answers.final, quality=prompts.quality, score=score, cluster=prompts.cluster)
    inputs = _design(
        answers.features, prompts.quality, surplus=surplus, cluster=prompts.cluster, clusters=clusters, centre=centre, scale=scale
    )
    start = np.zeros(inputs.shape[2])
    start[1] = 1.0  # starts at the log-odds predicted before the answer
    shared = logistic(inputs.reshape(-1, inputs.shape[2]), score.reshape(-1), penalty=_PENALTY, start=start)
    by_model = [logistic(inputs[:, model], score[:, model], penalty=_MODEL_PENALTY, start=shared) for model in range(score.shape[1])]
    return CorrectnessModel(centre, scale, np.array(by_model), answer_prior, clusters, logit(score.mean(axis=0)), Trees.none())
