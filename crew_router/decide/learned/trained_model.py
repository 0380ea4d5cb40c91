"""What training leaves: predictions before a call, the table of plans, and the posterior of an answer after one."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import numpy as np

from crew_router.decide.learned.agreement import Agreement, ballots_of
from crew_router.decide.learned.cascade_table import Plan
from crew_router.decide.learned.correctness_model import Before, Draft, Reader
from crew_router.decide.learned.nearest_prompt import Recollection, sketches
from crew_router.decide.learned.quality import QualityModel
from crew_router.decide.learned.readings import Asked, final_answer, readings
from crew_router.decide.learned.text import TextFeatures
from crew_router.types import ModelRef

if TYPE_CHECKING:
    from crew_router.types.arrays import Floats

_REMEMBERED: Final = 256

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What is predicted for one prompt, by place of the model."""

    cluster: int
    quality: Floats
    cost_usd: Floats
    tokens: Floats
    text: Floats

    @property
    def before(self) -> Before:
        """Return what a reader of answers looks at; one row."""
        return Before(self.quality[None], np.array([self.cluster]), self.text[None])


@dataclass(frozen=True, slots=True)
class Grounds:
    """What the answers to one prompt are held against: the prompt as it was read, and the training prompt that is most like it."""

    asked: Asked
    place: int
    likeness: float


@dataclass(frozen=True, slots=True)
class Spoken:
    """One answer that was given: by which model (its place), and its text."""

    model: int
    text: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """The best answer so far: its place among the answers given, and the probability that it is right."""

    best: int
    probability: float


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """How training went, on held-out rows.

    Args:
        rows: Prompts that were learnt from.
        clusters: Clusters of prompts that were told apart.
        explained: Share of the variance of scores that is predicted before a call.
        ece_before: Expected calibration error of P(success) before a call.
        ece_after: The same after reading the answer; NaN without answers.
        ece_plan: The same of the answers that cascades accept; NaN without cascades.
    """

    rows: int
    clusters: int
    explained: float
    ece_before: float
    ece_after: float
    ece_plan: float


class Recall(Generic[T]):
    """What was worked out for the newest prompts, so that deciding and executing one request work it out once."""

    def __init__(self) -> None:
        self._known: dict[str, T] = {}
        self._lock = threading.Lock()

    def get(self, prompt: str) -> T | None:
        """Return what was worked out for a prompt lately."""
        return self._known.get(prompt)

    def put(self, prompt: str, value: T) -> None:
        """Remember something and forget the oldest beyond the limit."""
        with self._lock:
            self._known[prompt] = value
            while len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]


@dataclass(frozen=True, slots=True)
class Learned:
    """A trained artifact; what it learnt never changes, so that it is shared by threads.

    Args:
        models: Names of the models, in the order of all arrays.
        text: Turns a prompt into numbers.
        quality: Predicts before a call.
        reader: Reads an answer; ``None`` when no answers were recorded.
        agreement: Weighs answers against one another.
        plans: The table.
        settings: Settings of the dial that the table was made for, in USD.
        mean_quality: Mean score of every model on the training rows.
        mean_cost_usd: Mean price of a call of every model there.
        report: How training went.
        memory: What was right on training prompts; ``None`` when no answers were recorded.
    """

    models: tuple[str, ...]
    _: KW_ONLY
    text: TextFeatures
    quality: QualityModel
    reader: Reader | None
    agreement: Agreement
    plans: tuple[Plan, ...]
    settings: tuple[float, ...]
    mean_quality: Floats
    mean_cost_usd: Floats
    report: TrainingReport
    memory: Recollection | None = None
    recall: Recall[Foreseen] = field(default_factory=Recall["Foreseen"], repr=False, compare=False)
    grounds: Recall[Grounds] = field(default_factory=Recall["Grounds"], repr=False, compare=False)
    places: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Note where each model stands."""
        object.__setattr__(self, "places", {name: at for at, name in enumerate(self.models)})

    def place_of(self, ref: ModelRef) -> int | None:
        """Return the place of a model: by its whole reference, else by its name; ``None`` when it was not learnt."""
        return self.places.get(str(ref), self.places.get(ref.name))

    def foresee(self, prompt: str) -> Foreseen:
        """Predict quality, price and length of every model on a prompt."""
        known = self.recall.get(prompt)
        if known is None:
            text = self.text([prompt])
            predicted = self.quality(text)
            known = Foreseen(int(predicted.cluster[0]), predicted.quality[0], predicted.cost_usd[0], predicted.tokens[0], text[0])
            self.recall.put(prompt, known)
        return known

    def standing(self, prompt: str, spoken: Sequence[Spoken]) -> Standing:
        """Return the best of some answers, each of another model, by the posterior given who said what."""
        foreseen = self.foresee(prompt)
        members = tuple(sorted(each.model for each in spoken))
        place = {each.model: at for at, each in enumerate(spoken)}
        drafts = {each.model: draft for each, draft in zip(spoken, self._drafts(prompt, spoken), strict=True)}
        read = foreseen.quality.copy()
        final: list[str | None] = [None] * len(self.models)
        for model, draft in drafts.items():
            final[model] = draft.final
            if self.reader is not None:
                read[model] = self.reader.one(draft, model=model, before=foreseen.before)
        ballots = ballots_of([final], read=read[None], cluster=np.array([foreseen.cluster]), clusters=self.report.clusters)
        verdict = self.agreement.verdict(ballots, members)
        return Standing(place[int(verdict.speaker[0])], float(verdict.probability[0]))

    def _drafts(self, prompt: str, spoken: Sequence[Spoken]) -> list[Draft]:
        grounds = self._grounds(prompt)
        final = [final_answer(each.text) for each in spoken]
        recalled: list[list[float]] = [[] for _ in spoken]
        if self.memory is not None:
            recalled = self.memory.figures(grounds.place, grounds.likeness, prompt=prompt, final=final)
        figures = [[*readings(grounds.asked, each.text), *also] for each, also in zip(spoken, recalled, strict=True)]
        return [Draft(own, answer) for own, answer in zip(figures, final, strict=True)]

    def _grounds(self, prompt: str) -> Grounds:
        known = self.grounds.get(prompt)
        if known is None:
            place, likeness = 0, 0.0
            if self.memory is not None:
                places, likenesses = self.memory.nearest(sketches(self.text, [prompt]))
                place, likeness = int(places[0]), float(likenesses[0])
            known = Grounds(Asked.of(prompt), place, likeness)
            self.grounds.put(prompt, known)
        return known
