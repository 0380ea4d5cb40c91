"""The default choice on outcome files, untrained: of each model one ability, from its mean score over a random half, and its price.

Nothing is known by domain or prompt. The other half is judged; five splits.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from crew_router.decide.classify.classifier import TextClassifier
from crew_router.decide.context import Weights
from crew_router.decide.learned.curve import CurvePoint, aiq
from crew_router.decide.model_table import model_table_of
from crew_router.decide.pipeline import DecisionPipeline
from crew_router.decide.predict.difficulty import difficulty_of, sharpness
from crew_router.decide.rules import Pool, Rules
from crew_router.decide.strategies import make_strategy
from crew_router.evaluate.baselines import best_single, cheapest_adequate, singles
from crew_router.evaluate.outcomes import OutcomeTable, read_outcomes
from crew_router.router.rules import TENFOLD_PRICE_BUYS
from crew_router.types import Ability, ModelDefinition, ModelRef, Price, RequestProfile, RoutingRequest, Snapshot
from crew_router.types.ids import IdSource

SPLITS = 5
DECADES = 5.0
CURVE = tuple(
    sorted({0.0, 0.005, 0.01, *TENFOLD_PRICE_BUYS.values(), 0.03, 0.04, 0.06, 0.075, 0.085, 0.14, 0.2, 0.25, 0.3, 0.45, 0.6, 1.0})
)
"""What a tenfold price has to buy, from nothing to certainty."""

ERROR = 0.1  # of an ability that hundreds of rows speak for
NOW = 1_790_000_000.0


@dataclass(frozen=True)
class Judged:
    """One file, means over the splits: shares of the best single model's quality, USD per thousand requests."""

    name: str
    kept: float
    cost_usd: float
    best_usd: float
    cheapest_adequate_usd: float
    aiq: float
    hull_aiq: float
    by_setting: tuple[tuple[float, float, float], ...]

    def __str__(self) -> str:
        """Say it in one line."""
        curve = ", ".join(f"{step:g}: {kept:.3f} at {cost:.2f}" for step, kept, cost in self.by_setting)
        return (
            f"{self.name}: keeps {self.kept:.3f} at ${1000 * self.cost_usd:.3f} per 1k; best single ${1000 * self.best_usd:.3f}, cheapest"
            f" with 95 % ${1000 * self.cheapest_adequate_usd:.3f}; AIQ {self.aiq:.4f}, hull of singles {self.hull_aiq:.4f} [{curve}]"
        )


def judged_files(folder: Path) -> Iterator[Judged]:
    """Yield what came of every outcome file of a folder."""
    for path in sorted(folder.glob("*.jsonl.gz")):
        yield judged(path.name.partition(".")[0], read_outcomes(path).complete())


def judged(name: str, table: OutcomeTable) -> Judged:
    """Judge one file."""
    profiles = [_classify(prompt) for prompt in table.prompts]
    found = [_split(table, profiles, seed) for seed in range(SPLITS)]
    mean = np.array([each[:-1] for each in found]).mean(axis=0).tolist()
    settings = np.array([each[-1] for each in found]).mean(axis=0).tolist()
    return Judged(name, *mean, tuple((step, *pair) for step, pair in zip(CURVE, settings, strict=True)))


@cache
def _classify(prompt: str) -> RequestProfile:
    return TextClassifier().classify(RoutingRequest(task_description=prompt))


def _split(
    table: OutcomeTable, profiles: Sequence[RequestProfile], seed: int
) -> tuple[float, float, float, float, float, float, list[tuple[float, float]]]:
    rows = list(range(len(table)))
    random.Random(seed).shuffle(rows)
    known, asked = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    models = registry(table.take(known), [profiles[row] for row in known])
    judged_table, alone = table.take(asked), singles(table.take(asked))
    best, adequate = alone[best_single(alone)], alone[cheapest_adequate(alone)]
    points = [_routed(judged_table, models, [profiles[row] for row in asked], tenfold) for tenfold in CURVE]
    low, high = min(each.cost_usd for each in alone), max(each.cost_usd for each in alone)
    balanced = points[CURVE.index(TENFOLD_PRICE_BUYS["balanced"])]
    return (
        balanced.quality / best.quality,
        balanced.cost_usd,
        best.cost_usd,
        adequate.cost_usd,
        aiq(points, low_usd=low, high_usd=high),
        aiq(alone, low_usd=low, high_usd=high),
        [(each.quality / best.quality, each.cost_usd / best.cost_usd) for each in points],
    )


def registry(table: OutcomeTable, profiles: Sequence[RequestProfile]) -> list[ModelDefinition]:
    """Return the models with the ability that gives their mean score, and the price that gives their mean cost, on these rows."""
    curves = [(sharpness(spread), level) for level, spread in map(difficulty_of, profiles)]
    slope, level = (np.array(each) for each in zip(*curves, strict=True))
    tokens = sum(each.input_tokens.value + 4 * each.expected_output_tokens.value for each in profiles) / len(profiles)
    made = []
    for at, name in enumerate(table.models):
        ref = ModelRef(f"recorded:{name}")
        rate = float(table.cost_usd[:, at].mean()) / tokens * 1e6
        ability = ability_for(float(table.score[:, at].mean()), slope, level)
        made.append(
            ModelDefinition(
                ref, provider="recorded", model=name, price=Price(rate, 4 * rate), ability=Ability(ability, ERROR), source="outcomes"
            )
        )
    return made


def ability_for(score: float, slope: np.ndarray, level: np.ndarray) -> float:
    """Return the ability whose mean P(success) over some requests is a score."""
    low, high = -12.0, 12.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 / (1 + np.exp(slope * (level - middle)))).mean() < score else (low, middle)
    return (low + high) / 2


@dataclass(frozen=True)
class _Known:
    profiles: dict[str, RequestProfile]

    def classify(self, request: RoutingRequest) -> RequestProfile:
        return self.profiles[request.task_description]


def _routed(table: OutcomeTable, models: list[ModelDefinition], profiles: Sequence[RequestProfile], tenfold: float) -> CurvePoint:
    model_table = model_table_of(models)
    pool = Pool(model_table.models, model_table, np.ones(len(model_table.refs), dtype=np.bool_), "v")
    weights = Weights(cost=50.0 * tenfold * DECADES, history=0.0, diversity=0.0)
    # Prices of 2024 on short prompts lie below the usual scale, so its lower end is moved; a decade counts the same.
    rules = Rules(weights, {}, "weighted", make_strategy("weighted"), "benchmark", "v", cost_scale_usd=(1e-7, 1e-2))
    pipeline = DecisionPipeline(_Known(dict(zip(table.prompts, profiles, strict=True))), rules, random.Random(0), IdSource("d").next)
    places = {model.ref: at for at, model in enumerate(models)}
    picked = []
    for prompt in table.prompts:
        request = RoutingRequest(task_description=prompt, fallbacks=False)
        decision = pipeline.decide(request, pool=pool, snapshot=Snapshot(), now=NOW, executing=False)
        picked.append(places[decision.selected_model])
    rows = np.arange(len(table))
    return CurvePoint(float(table.cost_usd[rows, picked].mean()), float(table.score[rows, picked].mean()))
