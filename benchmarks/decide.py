"""CPU time of each step of a decision, as microseconds and as multiples of a plain filter and argmin in the same run.

``python benchmarks/decide.py [REPEATS]``. Classification is measured by itself; the decision is measured without it.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crew_router.decide.classify.classifier import TextClassifier
from crew_router.decide.conditions import ORDINARY
from crew_router.decide.context import RoutingContext, TaskPreference, Weights
from crew_router.decide.filter import surviving
from crew_router.decide.model_table import model_table_of
from crew_router.decide.pipeline import DecisionPipeline
from crew_router.decide.predict.forecast import forecast
from crew_router.decide.rules import Pool, Rules
from crew_router.decide.score import Scores, score
from crew_router.decide.select.mode import Wish, select
from crew_router.decide.strategies import make_strategy
from crew_router.types import (
    Latency,
    ModelCapability,
    ModelDefinition,
    ModelRef,
    PerformanceMetrics,
    Price,
    RequestProfile,
    RoutingRequest,
    Snapshot,
    TaskType,
)
from crew_router.types.ids import IdSource

if TYPE_CHECKING:
    from crew_router.types.arrays import Flags

NOW = 1_790_000_000.0
TASK = TaskType.CODE_GENERATION
REQUEST = RoutingRequest(
    TASK,
    "Write a function that merges two sorted lists.",
    cost_budget=0.05,
    quality_requirement=0.5,
    requires_tools=True,
    max_latency_s=60.0,
)
ROUNDS = 7
BANDITS = ("thompson_beta", "thompson_gaussian", "ucb1", "lin_ucb", "epsilon_greedy")


@dataclass(frozen=True)
class Known:
    """A classifier that has the answer, so that the decision is measured without classification."""

    profile: RequestProfile

    def classify(self, request: RoutingRequest) -> RequestProfile:  # noqa: ARG002 - the protocol's
        """Return the answer."""
        return self.profile


def registry(count: int) -> tuple[ModelDefinition, ...]:
    """Return models of nine providers with every figure known, drawn with a fixed seed."""
    rng = random.Random(1)
    return tuple(
        ModelDefinition(
            ModelRef(f"p{at % 9}:m{at}"),
            provider=f"p{at % 9}",
            model=f"m{at}",
            price=Price(rng.uniform(0.1, 15), rng.uniform(0.4, 75)),
            quality=rng.uniform(0.4, 0.98),
            context_window=rng.choice((32_000, 128_000, 1_000_000)),
            capabilities=frozenset({ModelCapability.TOOLS, ModelCapability.STREAMING}),
            latency=Latency(rng.uniform(0.2, 2), rng.uniform(30, 200), rng.uniform(3, 30)),
            source="drawn",
        )
        for at in range(count)
    )


def history(models: tuple[ModelDefinition, ...]) -> Snapshot:
    """Return a snapshot in which every model has a history and every provider a share."""
    rng = random.Random(2)
    seen = {
        (model.ref, TASK): PerformanceMetrics(
            model.ref, TASK, samples=30.0, success_rate=rng.uniform(0.8, 1), latency_s=rng.uniform(1, 9), cost_usd=0.004,
            quality=rng.random(), confidence=0.7, updated_at=NOW, output_tokens=rng.uniform(100, 900), output_spread=0.5,
        )
        for model in models
    }  # fmt: skip
    shares = {f"p{at}": 1 / 9 for at in range(9)}
    return Snapshot(performance=seen, provider_share=shares, multipliers=dict.fromkeys(shares, 1.1))


def chosen_by(policy: str, context: RoutingContext, scores: Scores, *, eligible: Flags) -> Callable[[], object]:
    """Return the choice of a bandit as work to measure."""
    bandit, rng = make_strategy("bandit", {"policy": policy}), random.Random(3)
    return lambda: bandit.choose(context, scores, eligible=eligible, rng=rng)


def cpu_us(work: Callable[[], object], repeats: int) -> float:
    """Return CPU microseconds of one call, the best of several rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time_ns()
        for _ in range(repeats):
            work()
        best = min(best, time.process_time_ns() - began)
    return best / repeats / 1000


def main() -> None:
    """Print a table for 18 and 1,000 models."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    for count in (18, 1000):
        _table(count, max(repeats * 18 // count, 50))


def _table(count: int, repeats: int) -> None:
    models = registry(count)
    pool = Pool(models, model_table_of(models), np.ones(count, dtype=np.bool_), "v")
    snapshot, classifier = history(models), TextClassifier()
    profile = classifier.classify(REQUEST)
    rules = Rules(
        Weights(), {TASK: TaskPreference((models[0].ref,), (models[1].ref,))}, "weighted", make_strategy("weighted"), "bench", "v"
    )
    line = DecisionPipeline(Known(profile), rules, random.Random(1), IdSource("d").next)
    seen = {"pool": pool, "snapshot": snapshot, "now": NOW, "executing": False, "conditions": ORDINARY}
    context = line.context(REQUEST, **seen)
    scores, eligible = score(context), surviving(context)
    order = rules.strategy.choose(context, scores, eligible=eligible, rng=line.rng).order
    decision = line.decide(REQUEST, pool=pool, snapshot=snapshot, now=NOW, executing=False)
    cost, quality = pool.model_table.price_output, pool.model_table.quality_for(TASK)
    steps: dict[str, Callable[[], object]] = {
        "plain filter + argmin": lambda: np.where(quality >= 0.5, cost, np.inf).argmin(),  # noqa: PLR2004 - some floor
        "classify (by itself)": lambda: classifier.classify(REQUEST),
        "predict": lambda: forecast(profile, pool.model_table, models=models, snapshot=snapshot, now=NOW),
        "situation, predict included": lambda: line.context(REQUEST, **seen),
        "filter": lambda: surviving(context),
        "score": lambda: score(context),
        "choose": lambda: rules.strategy.choose(context, scores, eligible=eligible, rng=line.rng),
        **{f"choose, bandit {policy}": chosen_by(policy, context, scores, eligible=eligible) for policy in BANDITS},
        "select": lambda: select(context, Wish(order), implicit=False, judges=lambda: eligible),
        "decision, all of it": lambda: line.decide(REQUEST, pool=pool, snapshot=snapshot, now=NOW, executing=False),
        "explain": lambda: line.decide(REQUEST, pool=pool, snapshot=snapshot, now=NOW, executing=False).explain(),
    }
    assert decision.selected_model in pool.model_table.place
    print(f"{count} models, {repeats} repeats, best of {ROUNDS} rounds, CPU time")
    plain = 0.0
    for name, work in steps.items():
        spent = cpu_us(work, max(repeats // 20, 5) if name == "explain" else repeats)
        plain = plain or spent
        print(f"  {name:30} {spent:10.1f} µs {spent / plain:8.1f} x")


if __name__ == "__main__":
    main()
