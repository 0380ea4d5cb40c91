"""The line up to the decision: classify → rule → predict → filter → score → choose → select. Pure, no I/O."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Literal

from crew_router.classify.protocol import Classifier
from crew_router.ruling import ORDINARY, Circumstances
from crew_router.types import CandidateRow, ModelDefinition, RoutingDecision, RoutingRequest, Snapshot, TaskType

if TYPE_CHECKING:
    from crew_router.columns import Columns, Flags
    from crew_router.learn.learned import Learned
    from crew_router.policies import Policy
    from crew_router.predict.protocol import Predictor
    from crew_router.situation import TaskPreference, Weights
    from crew_router.strategies import Strategy
    from crew_router.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Pool:
    """The models of one registry version, as values and as arrays; ``reachable`` tells where a call could be made.

    ``tokenizers`` are those of reachable providers that are on this machine.
    """

    models: tuple[ModelDefinition, ...]
    columns: Columns
    reachable: Flags
    version: str
    tokenizers: Mapping[str, Tokenizer] = field(default_factory=dict[str, "Tokenizer"])


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says about deciding.

    ``budgets_usd`` are configured limits by scope name (``day``, ``run``, ``provider:openai``); what is left of each comes with the
    snapshot. ``implicit_parallel`` are the triggers of requirement A11; without ``smart`` one strategy serves everything (E11).
    ``learned`` is what `crew-router train` left, where it is configured.
    """

    weights: Weights
    preferences: Mapping[TaskType, TaskPreference]
    strategy_name: str
    strategy: Strategy
    project: str
    policy_version: str
    _: KW_ONLY
    task_strategies: Mapping[TaskType, tuple[str, Strategy]] = field(default_factory=dict[TaskType, "tuple[str, Strategy]"])
    policies: tuple[Policy, ...] = ()
    experiment: Callable[[RoutingRequest, TaskType], tuple[str, Strategy] | None] | None = None
    budgets_usd: Mapping[str, float] = field(default_factory=dict[str, float])
    unpriced_allowed: bool = False
    cost_scale_usd: tuple[float, float] = (1e-5, 1.0)
    optimize: Literal["cost", "quality"] = "cost"
    capacity_factor: float = 1.25
    escalation: bool = True
    implicit_parallel: bool = False
    smart: bool = True
    predictor: Predictor | None = None
    learned: Learned | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Decides; every random choice comes from ``rng``."""

    classifier: Classifier
    rules: Rules
    rng: random.Random
    new_id: Callable[[], str]

    def decide(
        self,
        request: RoutingRequest,
        *,
        pool: Pool,
        snapshot: Snapshot,
        now: float,
        executing: bool,
        circumstances: Circumstances = ORDINARY,
    ) -> RoutingDecision:
        """Pick a model and its fallbacks for one request.

        Args:
            request: What is asked, with its text.
            pool: The models.
            snapshot: The shared numbers.
            now: Seconds since the epoch.
            executing: Whether the choice will be called, so that unreachable models are out.
            circumstances: Overrides, and what happened earlier in this session or run.

        Raises:
            NoCandidateError: Every model was removed; the error lists each with what removed it.
        """
        from crew_router import deciding  # noqa: PLC0415 - numpy comes when the first decision is made

        seen = deciding.Seen(pool, snapshot, now, executing, circumstances)
        return deciding.decide(self, request, seen)

    def frontier(
        self, request: RoutingRequest, *, pool: Pool, snapshot: Snapshot, now: float, circumstances: Circumstances = ORDINARY
    ) -> tuple[CandidateRow, ...]:
        """Return the candidates that no other beats in cost, latency and P(success) at once, the cheapest first.

        Raises:
            NoCandidateError: No model satisfies the request.
        """
        from crew_router import deciding, pareto  # noqa: PLC0415 - as above

        return pareto.frontier(deciding.decide(self, request, deciding.Seen(pool, snapshot, now, False, circumstances)))
