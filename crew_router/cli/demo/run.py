"""Running the router over the recordings at several settings of the dial."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crew_router.cli.demo.recordings import Answer, Task, compute_cost_usd, halves, mean
from crew_router.router.router import Router
from crew_router.testing.recorded import RecordedModel, RecordedOutcome
from crew_router.types import Latency, ModelCapability, ModelDefinition, ModelRef, Price, RoutingDecision, RoutingRequest, TaskType, Tier

SEED: Final = 7
DIAL: Final = (0.0, 0.0001, 0.0002, 0.0005, 0.001, 0.01)  # USD that a certainly right answer is worth
HEADLINE: Final = 0.001  # fixed before any figure was seen: about ten times what the dearest model costs
_LEAST_ROWS: Final = 8  # a task type with fewer graded rows uses the model's overall figure
_MEASURED: Final = "the other half of the recordings, 2026"
Progress = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the result: accuracy 0..1, mean seconds and mean USD per task."""

    name: str
    kind: str
    accuracy: float
    seconds: float
    cost_usd: float
    shares: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What the demo shows: the lines, the headline setting, and one decision for its trail."""

    lines: tuple[Line, ...]
    headline: Line
    trail: RoutingDecision


def run_demo(tasks: Sequence[Task], *, progress: Progress, config: Path | None = None) -> Report:
    """Route every task at every setting of the dial.

    What the router knows beforehand of the models for one half of the tasks is measured on the other half.

    Args:
        tasks: The recordings.
        progress: Called after each routed task.
        config: Configuration of the router, for example other weights; its models, state and ledger are not used.
    """
    parts = halves(tasks, seed=SEED)
    runs = [_routed(worth, parts, config=config, progress=progress) for worth in DIAL]
    lines = tuple(run[0] for run in runs)
    headline, trail = runs[DIAL.index(HEADLINE)]
    return Report((*_yardsticks(tasks), *lines), headline, trail)


def steps(tasks: Sequence[Task]) -> int:
    """Return how often the progress callback will be called."""
    return len(tasks) * len(DIAL)


def _routed(
    worth: float, parts: tuple[tuple[Task, ...], tuple[Task, ...]], *, config: Path | None, progress: Progress
) -> tuple[Line, RoutingDecision]:
    scores: list[float] = []
    seconds: list[float] = []
    costs: list[float] = []
    chosen: list[str] = []
    trail: RoutingDecision | None = None
    for routed, known in (parts, parts[::-1]):
        with Router(
            config, models=definitions(known, routed), ledger_url="sqlite://", state_url="memory://", project="demo", seed=SEED
        ) as router:
            length = round(mean(answer.output_tokens for task in known for answer in task.answers.values()))
            request = RoutingRequest(willingness_to_pay=worth, expected_output_tokens=length)
            for task in routed:
                response = router.invoke(task.prompt, request=request)
                score = task.answers[response.model.name].score
                router.record_request_outcome(decision_id=response.decision.id, success=score >= 1.0, quality=score)
                scores.append(score)
                seconds.append(sum(task.answers[attempt.model.name].latency_s for attempt in response.attempts))
                costs.append(response.cost_usd or 0.0)
                chosen.append(response.model.name)
                trail = response.decision
                progress()
    assert trail is not None
    shares = tuple((name, chosen.count(name) / len(chosen)) for name in sorted(set(chosen)))
    return Line(
        f"router, a right answer worth ${worth:g}", "router", mean(scores), mean(seconds), compute_cost_usd(mean(seconds)), shares
    ), trail


def definitions(known: Sequence[Task], routed: Sequence[Task]) -> dict[str, object]:
    """Return the models with what the known tasks showed of them, answering from the recordings of the routed ones."""
    return {f"local:{name}": _definition(name, known, routed) for name in known[0].answers}


def _definition(name: str, known: Sequence[Task], routed: Sequence[Task]) -> ModelDefinition:
    answers = [task.answers[name] for task in known]
    out = mean(answer.output_tokens for answer in answers)
    return ModelDefinition(
        ModelRef(f"local:{name}"),
        provider="local",
        model=name,
        # Compute time as a price: all of it on the output, which is what takes the time.
        price=Price(input=0.0, output=compute_cost_usd(mean(answer.latency_s for answer in answers)) / out * 1e6),
        quality=mean(answer.score for answer in answers),
        task_quality=_by_task(name, known),
        context_window=4096,
        capabilities=frozenset({ModelCapability.STREAMING}),
        tier=Tier.LOCAL,
        latency=Latency(ttft_s=0.0, tokens_per_s=out / mean(answer.latency_s for answer in answers)),
        source=_MEASURED,
        instance=RecordedModel({task.prompt: _recorded(task.answers[name]) for task in routed}),
    )


def _recorded(answer: Answer) -> RecordedOutcome:
    return RecordedOutcome(answer.score, cost_usd=answer.cost_usd, latency_s=answer.latency_s, answer=answer.text)


@functools.cache
def _task_type(prompt: str) -> TaskType:
    from crew_router.decide.classify.classifier import TextClassifier  # the same reading that the router makes

    return TextClassifier().classify(RoutingRequest(task_description=prompt)).task_type.value


def _by_task(name: str, known: Sequence[Task]) -> dict[TaskType, float]:
    scores: dict[TaskType, list[float]] = {}
    for task in known:
        scores.setdefault(_task_type(task.prompt), []).append(task.answers[name].score)
    return {task: mean(found) for task, found in scores.items() if len(found) >= _LEAST_ROWS}


def _yardsticks(tasks: Sequence[Task]) -> tuple[Line, ...]:
    names = sorted(tasks[0].answers)
    singles = [
        Line(
            f"only {name}",
            "single",
            mean(task.answers[name].score for task in tasks),
            mean(task.answers[name].latency_s for task in tasks),
            mean(task.answers[name].cost_usd for task in tasks),
        )
        for name in names
    ]
    mixed = Line(
        "random mix",
        "yardstick",
        mean(line.accuracy for line in singles),
        mean(line.seconds for line in singles),
        mean(line.cost_usd for line in singles),
    )
    best = [min(task.answers.values(), key=lambda answer: (-answer.score, answer.latency_s)) for task in tasks]
    oracle = Line("oracle", "yardstick", mean(a.score for a in best), mean(a.latency_s for a in best), mean(a.cost_usd for a in best))
    return (*singles, mixed, oracle)
