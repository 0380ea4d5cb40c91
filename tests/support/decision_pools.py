"""Small registries and the line over them, for tests of the decision."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from crew_router.decide.classify.classifier import TextClassifier
from crew_router.decide.context import TaskPreference, Weights
from crew_router.decide.model_table import model_table_of
from crew_router.decide.pipeline import DecisionPipeline
from crew_router.decide.rules import Pool, Rules
from crew_router.decide.strategies import make_strategy
from crew_router.decide.tokenizers import Tokenizer
from crew_router.types import (
    Latency,
    ModelCapability,
    ModelDefinition,
    ModelRef,
    Price,
    RoutingDecision,
    RoutingRequest,
    Snapshot,
    TaskType,
    Tier,
)
from crew_router.types.ids import IdSource

NOW = 1_790_000_000.0
EMPTY = Snapshot()


def model(ref: str, **figures: object) -> ModelDefinition:
    """Return a model with every figure known, some of them changed."""
    plain = ModelDefinition(
        ModelRef(ref),
        provider=ModelRef(ref).provider,
        model=ModelRef(ref).name,
        price=Price(1.0, 4.0),
        quality=0.8,
        context_window=100_000,
        capabilities=frozenset({ModelCapability.TOOLS, ModelCapability.STREAMING}),
        tier=Tier.BASELINE,
        latency=Latency(0.5, 100.0, 20.0),
        source="a test",
    )
    return replace(plain, **figures)  # type: ignore[arg-type]  # tests name real fields


def pool(
    models: Sequence[ModelDefinition], *, reachable: Sequence[bool] | None = None, tokenizers: Mapping[str, Tokenizer] | None = None
) -> Pool:
    """Return the models as the line takes them; all reachable unless said otherwise."""
    reach = np.array([True] * len(models) if reachable is None else reachable, dtype=np.bool_)
    table = model_table_of(models)
    return Pool(table.models, table, reach[table.model_code], "v", tokenizers or {})


def line(
    strategy: str = "weighted",
    *,
    preferences: Mapping[TaskType, TaskPreference] | None = None,
    rules: Mapping[str, object] | None = None,
    seed: int = 1,
    **parameters: object,
) -> DecisionPipeline:
    """Return a line with a strategy and no configuration; ``rules`` are further fields of :class:`Rules`."""
    plain = Rules(Weights(), preferences or {}, strategy, make_strategy(strategy, parameters), "test", "v")
    return DecisionPipeline(TextClassifier(), replace(plain, **(rules or {})), random.Random(seed), IdSource("d").next)  # type: ignore[arg-type]  # tests name real fields


def decide(
    models: Sequence[ModelDefinition],
    request: RoutingRequest,
    *,
    snapshot: Snapshot = EMPTY,
    executing: bool = False,
    strategy: str = "weighted",
) -> RoutingDecision:
    """Return the decision of a fresh line."""
    return line(strategy).decide(request, pool=pool(models), snapshot=snapshot, now=NOW, executing=executing)
