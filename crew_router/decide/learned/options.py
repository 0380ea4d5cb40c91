"""The plans that a trained model offers for one prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.learned.predictor import asked_text
from crew_router.types import ModelRef, RoutingRequest, Snapshot

if TYPE_CHECKING:
    from crew_router.decide.learned.cascade_table import Plan
    from crew_router.decide.learned.trained_model import PromptPrediction, TrainedModel
    from crew_router.types.arrays import Floats

PRIOR_OUTCOMES: Final = 50.0  # guess, not measured: reported outcomes that the training data count for


@dataclass(frozen=True, slots=True)
class Option:
    """A plan for one prompt.

    Args:
        indices: Its models, as indices of the model table, in the order of calls.
        quality: Expected score on this prompt, 0..1.
        cost_usd: Expected cost on this prompt.
        plan: The plan.
        prediction: What was predicted for the prompt.
    """

    indices: tuple[int, ...]
    _: KW_ONLY
    quality: float
    cost_usd: float
    plan: Plan
    prediction: PromptPrediction

    @property
    def stops(self) -> tuple[float, ...]:
        """Return the probability at which the best answer after each model is good enough; only computed for the chosen plan."""
        return tuple(float(stop) for stop in self.plan.stops(self.prediction.quality[None], self.prediction.cost_usd[None])[0])


def options_for(learned: TrainedModel, request: RoutingRequest, *, refs: Sequence[ModelRef], snapshot: Snapshot) -> tuple[Option, ...]:
    """Return the plans for a prompt, with expected scores corrected by the quality reported of each model since training.

    Args:
        learned: The trained model.
        request: The request.
        refs: The models of the model table, in order.
        snapshot: The shared numbers, with the reported qualities.
    """
    prediction = learned.predict(asked_text(request))
    registry = {model: index for index, ref in enumerate(refs) if (model := learned.index_of(ref)) is not None}
    return tuple(_options(learned, prediction, registry=registry, quality_change=_quality_change(learned, snapshot)))


def _options(learned: TrainedModel, prediction: PromptPrediction, *, registry: dict[int, int], quality_change: Floats) -> Iterator[Option]:
    for plan in learned.plans:
        if plan.cluster == prediction.cluster and all(model in registry for model in plan.models):
            quality, cost = plan.expected(prediction.quality, prediction.cost_usd)
            yield Option(
                tuple(registry[model] for model in plan.models),
                quality=min(max(quality + _expected_change(plan, quality_change), 0.0), 1.0),
                cost_usd=cost,
                plan=plan,
                prediction=prediction,
            )


def _expected_change(plan: Plan, quality_change: Floats) -> float:
    return float(sum(share * quality_change[model] for model, share in zip(plan.models, plan.answered, strict=True)))


def _quality_change(learned: TrainedModel, snapshot: Snapshot) -> Floats:
    """Return by how much each model's reported quality differs from training, shrunk to 0 while little was reported."""
    quality_change = np.zeros(len(learned.models))
    if not snapshot.performance:
        return quality_change
    samples, total = np.zeros(len(quality_change)), np.zeros(len(quality_change))
    for (ref, _task), metrics in snapshot.performance.items():
        model = learned.index_of(ref)
        if model is not None and metrics.quality is not None:
            samples[model] += metrics.samples
            total[model] += metrics.samples * (metrics.quality - learned.mean_quality[model])
    change: Floats = total / (samples + PRIOR_OUTCOMES)
    return change
