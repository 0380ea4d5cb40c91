"""A router that learnt from one half of the recordings and has the other half before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crew_router.cli.demo.recordings import Halves
from crew_router.decide.classify.classifier import TextClassifier
from crew_router.decide.learned.artifact import save
from crew_router.evaluate.evaluation import PROVIDER, recorded_models
from crew_router.evaluate.outcomes import OutcomeTable
from crew_router.evaluate.training import train
from crew_router.router.router import Router
from crew_router.testing.clock import FrozenClock
from crew_router.types import ModelDefinition, ModelRef, RequestProfile, RoutingRequest

SETTINGS: Final = 12
_NEVER: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Trial:
    """What was learnt, and from which recordings.

    Args:
        halves: The recordings.
        model: Folder of the trained model.
        largest: The model whose calls cost most.
        settings: Settings of the dial to be tried: USD that a right answer is worth.
    """

    halves: Halves
    model: Path
    largest: ModelRef
    settings: tuple[float, ...]

    def router(self, *, breaker_failures: int = _NEVER, models: Mapping[str, ModelDefinition] | None = None) -> Router:
        """Return a router over the recordings of the judged half; it learns nothing further, so that the order of tasks is of no matter.

        Args:
            breaker_failures: Failures in a row after which a model is left alone.
            models: The models, where they are not simply the recorded ones.
        """
        config: dict[str, object] = {
            "registry": "none",
            "learning": {"enabled": False, "model": str(self.model)},
            "breaker": {"failures": breaker_failures, "window_calls": _NEVER},
        }
        return Router(
            config,
            models=models or definitions(self.halves),
            ledger_url="sqlite://",
            state_url="memory://",
            project="demo",
            classifier=_ReadOnce(),
            clock=FrozenClock(),
            seed=0,
        )


class _ReadOnce:
    """The router's own reading of a text, kept, since each task is routed at many settings."""

    def __init__(self) -> None:
        self._classifier = TextClassifier()
        self._known: dict[tuple[str, tuple[object, ...]], RequestProfile] = {}

    def classify(self, request: RoutingRequest) -> RequestProfile:
        """Return the profile of a request; requests of the demo differ in their text and in what a right answer is worth."""
        text = request.task_description, request.messages
        if text not in self._known:
            self._known[text] = self._classifier.classify(request)
        return self._known[text]


def learn_from(halves: Halves, folder: Path) -> Trial:
    """Train on the half that is known and keep what was learnt in a folder, as `crew-router train` does."""
    learned = train(halves.known)
    save(learned, folder)
    last = len(learned.settings) - 1
    largest = ModelRef(f"{PROVIDER}:{halves.known.models[largest_of(halves.known)]}")
    return Trial(halves, folder, largest, tuple(learned.settings[round(at * last / (SETTINGS - 1))] for at in range(SETTINGS)))


def definitions(halves: Halves) -> dict[str, ModelDefinition]:
    """Return the models with prices and qualities as the known half shows them, answering from the recordings of the judged half."""
    answering = recorded_models(halves.judged)
    return {ref: dataclasses.replace(model, instance=answering[ref].instance) for ref, model in recorded_models(halves.known).items()}


def largest_of(table: OutcomeTable) -> int:
    """Return the place of the model whose calls cost most."""
    return int(table.cost_usd.mean(axis=0).argmax())
