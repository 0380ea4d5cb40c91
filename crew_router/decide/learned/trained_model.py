"""The trained model: predictions before a call, the table of plans, and the probability of an answer after a call."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import numpy as np
from cachetools import FIFOCache

from crew_router.decide.learned.agreement import Agreement, ballots_of
from crew_router.decide.learned.answer_features import PromptFacts, answer_features, final_answer
from crew_router.decide.learned.cascade_table import Plan
from crew_router.decide.learned.correctness_model import AnswerFeatures, CorrectnessModel, PromptTable
from crew_router.decide.learned.nearest_prompt import NearestPrompt, sketches
from crew_router.decide.learned.quality import QualityModel
from crew_router.decide.learned.text import TextFeatures
from crew_router.types import ModelRef
from crew_router.types.fork_hooks import free_in_child

if TYPE_CHECKING:
    from crew_router.types.arrays import Floats

_MAX_RECENT: Final = 256

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PromptPrediction:
    """Predictions for one prompt.

    Args:
        cluster: Cluster of the prompt.
        quality: Predicted score 0..1, by index of the model, like the next two.
        cost_usd: Predicted cost of a call.
        tokens: Predicted length of the answer.
        text: Text features of the prompt.
    """

    cluster: int
    quality: Floats
    cost_usd: Floats
    tokens: Floats
    text: Floats

    @property
    def as_table(self) -> PromptTable:
        """Return the input of the correctness model; one row."""
        return PromptTable(self.quality[None], np.array([self.cluster]), self.text[None])


@dataclass(frozen=True, slots=True)
class ComparedPrompt:
    """What the answers to one prompt are compared with.

    Args:
        facts: The prompt, prepared.
        nearest: Index of the most similar training prompt.
        similarity: Its cosine similarity, -1..1.
    """

    facts: PromptFacts
    nearest: int
    similarity: float


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """One answer: the index of the model that gave it, and its text."""

    model: int
    text: str | None


@dataclass(frozen=True, slots=True)
class BestAnswer:
    """The best answer so far: its index among the answers given, and the probability that it is right."""

    index: int
    probability: float


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """Figures of a training, on held-out rows.

    Args:
        rows: Number of training prompts.
        clusters: Number of clusters of prompts.
        explained: Share of the variance of scores that is predicted before a call.
        ece_before: Expected calibration error of P(success) before a call.
        ece_after: The same of the correctness model, after the answer; NaN without answers.
        ece_plan: The same of the answers that cascades take; NaN without cascades.
    """

    rows: int
    clusters: int
    explained: float
    ece_before: float
    ece_after: float
    ece_plan: float


class RecentPrompts(Generic[T]):
    """Keeps results for the newest prompts, so that deciding and executing one request compute them once."""

    def __init__(self) -> None:
        self._known: FIFOCache[str, T] = FIFOCache(_MAX_RECENT)
        self._lock = threading.Lock()
        free_in_child(self)

    def get(self, prompt: str) -> T | None:
        """Return the result for a prompt, ``None`` when it is not kept."""
        with self._lock:
            return self._known.get(prompt)

    def put(self, prompt: str, value: T) -> None:
        """Keep a result, and drop the oldest beyond the limit."""
        with self._lock:
            self._known[prompt] = value


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained artifact; its arrays never change, so that threads can share it.

    Args:
        models: Names of the models, in the order of all arrays.
        text: Turns prompts into features.
        quality: Predicts quality, cost and length before a call.
        correctness: Predicts whether an answer is right; ``None`` when no answers were recorded.
        agreement: Combines the answers of several models.
        plans: The table of plans.
        settings: Settings of the dial that the table was made for, USD a right answer.
        mean_quality: Mean score of every model on the training rows.
        mean_cost_usd: Mean cost of a call of every model there.
        report: Figures of the training.
        nearest_prompt: Answers to training prompts; ``None`` when no answers were recorded.
        recent_predictions: Predictions for the newest prompts.
        recent_comparisons: Prepared newest prompts.
        indices: Index of each model by name.
    """

    models: tuple[str, ...]
    _: KW_ONLY
    text: TextFeatures
    quality: QualityModel
    correctness: CorrectnessModel | None
    agreement: Agreement
    plans: tuple[Plan, ...]
    settings: tuple[float, ...]
    mean_quality: Floats
    mean_cost_usd: Floats
    report: TrainingReport
    nearest_prompt: NearestPrompt | None = None
    recent_predictions: RecentPrompts[PromptPrediction] = field(
        default_factory=RecentPrompts["PromptPrediction"], repr=False, compare=False
    )
    recent_comparisons: RecentPrompts[ComparedPrompt] = field(default_factory=RecentPrompts["ComparedPrompt"], repr=False, compare=False)
    indices: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the models by name."""
        object.__setattr__(self, "indices", {name: index for index, name in enumerate(self.models)})

    def index_of(self, ref: ModelRef) -> int | None:
        """Return the index of a model, found by its reference or else by its name; ``None`` when it was not trained on."""
        return self.indices.get(str(ref), self.indices.get(ref.name))

    def predict(self, prompt: str) -> PromptPrediction:
        """Predict quality, cost and length of every model on a prompt."""
        prediction = self.recent_predictions.get(prompt)
        if prediction is None:
            text = self.text([prompt])
            predicted = self.quality(text)
            prediction = PromptPrediction(
                int(predicted.cluster[0]), predicted.quality[0], predicted.cost_usd[0], predicted.tokens[0], text[0]
            )
            self.recent_predictions.put(prompt, prediction)
        return prediction

    def best_answer(self, prompt: str, given: Sequence[GivenAnswer]) -> BestAnswer:
        """Return the best of some answers, each of another model, and the probability that it is right given all of them."""
        prediction = self.predict(prompt)
        members = tuple(sorted(each.model for each in given))
        position = {each.model: index for index, each in enumerate(given)}
        answers = {each.model: answer for each, answer in zip(given, self._features_of(prompt, given), strict=True)}
        read = prediction.quality.copy()
        final: list[str | None] = [None] * len(self.models)
        for model, answer in answers.items():
            final[model] = answer.final
            if self.correctness is not None:
                read[model] = self.correctness.one(answer, model=model, prompts=prediction.as_table)
        ballots = ballots_of([final], read=read[None], cluster=np.array([prediction.cluster]), clusters=self.report.clusters)
        verdict = self.agreement.verdict(ballots, members)
        return BestAnswer(position[int(verdict.model[0])], float(verdict.probability[0]))

    def _features_of(self, prompt: str, given: Sequence[GivenAnswer]) -> list[AnswerFeatures]:
        compared = self._compared(prompt)
        final = [final_answer(each.text) for each in given]
        nearest: list[list[float]] = [[] for _ in given]
        if self.nearest_prompt is not None:
            nearest = self.nearest_prompt.features(compared.nearest, compared.similarity, prompt=prompt, final=final)
        features = [[*answer_features(compared.facts, each.text), *of_nearest] for each, of_nearest in zip(given, nearest, strict=True)]
        return [AnswerFeatures(figures, answer) for figures, answer in zip(features, final, strict=True)]

    def _compared(self, prompt: str) -> ComparedPrompt:
        compared = self.recent_comparisons.get(prompt)
        if compared is None:
            nearest, similarity = 0, 0.0
            if self.nearest_prompt is not None:
                indices, similarities = self.nearest_prompt.nearest(sketches(self.text, [prompt]))
                nearest, similarity = int(indices[0]), float(similarities[0])
            compared = ComparedPrompt(PromptFacts.of(prompt), nearest, similarity)
            self.recent_comparisons.put(prompt, compared)
        return compared
