"""The recordings and what they cost."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, cast

CORES: Final = 2
USD_PER_CORE_HOUR: Final = 0.05  # a stated price, about that of an on-demand cloud core; the recordings themselves were free
_SECONDS_PER_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What one model made of one task: graded 0..1, timed in seconds, counted in tokens."""

    score: float
    latency_s: float
    input_tokens: int
    output_tokens: int
    text: str

    @property
    def cost_usd(self) -> float:
        """Return what the machine's time cost."""
        return compute_cost_usd(self.latency_s)


@dataclass(frozen=True, slots=True)
class Task:
    """One task with the answers of all models."""

    id: str
    domain: str
    prompt: str
    answers: Mapping[str, Answer]


def load_tasks() -> tuple[Task, ...]:
    """Read the recordings that come with the package."""
    text = files("crew_router.cli.demo").joinpath("local_models.jsonl").read_text(encoding="utf-8")
    return tuple(_task(json.loads(line)) for line in text.splitlines())


def compute_cost_usd(seconds: float) -> float:
    """Return the price of so many seconds of the whole machine."""
    return seconds * CORES * USD_PER_CORE_HOUR / _SECONDS_PER_HOUR


def halves(tasks: Sequence[Task], *, seed: int) -> tuple[tuple[Task, ...], tuple[Task, ...]]:
    """Split the tasks in two at random, so that what is known of the models for one half comes from the other."""
    order = list(tasks)
    random.Random(seed).shuffle(order)  # noqa: S311 - a split is no secret
    middle = len(order) // 2
    return tuple(order[:middle]), tuple(order[middle:])


def mean(values: Iterable[float]) -> float:
    """Return the mean of at least one value."""
    listed = list(values)
    return sum(listed) / len(listed)


def _task(row: dict[str, object]) -> Task:
    made = cast("dict[str, dict[str, object]]", row["outcomes"])
    return Task(str(row["id"]), str(row["domain"]), str(row["prompt"]), {name: _answer(fields) for name, fields in made.items()})


def _answer(fields: dict[str, object]) -> Answer:
    numbers = cast("dict[str, float]", fields)
    return Answer(
        score=float(numbers["score"]),
        latency_s=float(numbers["latency_s"]),
        input_tokens=int(numbers["input_tokens"]),
        output_tokens=int(numbers["output_tokens"]),
        text=str(fields["answer"]),
    )
