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
    from crew_router.decide.learned.trained_model import Foreseen, Learned
    from crew_router.types.arrays import Floats

PRIOR_OUTCOMES: Final = 50.0  # guess, not measured: outcomes that training is worth against what was reported since


@dataclass(frozen=True, slots=True)
class Option:
    """A plan in places of the registry, with what it is expected to achieve (0..1) and to cost on this prompt."""

    places: tuple[int, ...]
    _: KW_ONLY
    quality: float
    cost_usd: float
    plan: Plan
    foreseen: Foreseen

    @property
    def stops(self) -> tuple[float, ...]:
        """Return the probability at which the best answer after each model is good enough; only the chosen plan is asked."""
        return tuple(float(stop) for stop in self.plan.stops(self.foreseen.quality[None], self.foreseen.cost_usd[None])[0])


def options_for(learned: Learned, request: RoutingRequest, *, refs: Sequence[ModelRef], snapshot: Snapshot) -> tuple[Option, ...]:
    """Return the plans for a prompt, moved by the quality that was reported of each model since training.

    Args:
        learned: What training left.
        request: What is asked.
        refs: Models of the registry in order.
        snapshot: The shared numbers.
    """
    foreseen = learned.foresee(asked_text(request))
    registry = {place: at for at, ref in enumerate(refs) if (place := learned.place_of(ref)) is not None}
    return tuple(_options(learned, foreseen, registry=registry, moved=_moved(learned, snapshot)))


def _options(learned: Learned, foreseen: Foreseen, *, registry: dict[int, int], moved: Floats) -> Iterator[Option]:
    for plan in learned.plans:
        if plan.cluster == foreseen.cluster and all(model in registry for model in plan.models):
            quality, cost = plan.expected(foreseen.quality, foreseen.cost_usd)
            yield Option(
                tuple(registry[model] for model in plan.models),
                quality=min(max(quality + _drift(plan, moved), 0.0), 1.0),
                cost_usd=cost,
                plan=plan,
                foreseen=foreseen,
            )


def _drift(plan: Plan, moved: Floats) -> float:
    return float(sum(share * moved[model] for model, share in zip(plan.models, plan.answered, strict=True)))


def _moved(learned: Learned, snapshot: Snapshot) -> Floats:
    """Return by how much each model does better or worse than in training, pulled to nothing while little was reported."""
    moved = np.zeros(len(learned.models))
    if not snapshot.performance:
        return moved
    samples, total = np.zeros(len(moved)), np.zeros(len(moved))
    for (ref, _task), metrics in snapshot.performance.items():
        place = learned.place_of(ref)
        if place is not None and metrics.quality is not None:
            samples[place] += metrics.samples
            total[place] += metrics.samples * (metrics.quality - learned.mean_quality[place])
    found: Floats = total / (samples + PRIOR_OUTCOMES)
    return found
