"""The figures and remarks behind a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field

from crew_router.types.vocabulary import ModelRef


@dataclass(frozen=True, slots=True)
class CostPrediction:
    """Expected price of one request on one model in USD (requirement A9); ``None`` where the model has no price."""

    model: ModelRef
    _: KW_ONLY
    min_usd: float | None
    expected_usd: float | None
    max_usd: float | None
    input_tokens: int
    output_tokens: int
    source: str = "prior"

    def within(self, budget_usd: float) -> bool | None:
        """Tell whether the expected cost fits the budget; ``None`` when the price is unknown."""
        return None if self.expected_usd is None else self.expected_usd <= budget_usd

    def roi(self, value_usd: float) -> float | None:
        """Return the value got per dollar spent; ``None`` when the price is unknown or nothing."""
        return value_usd / self.expected_usd if self.expected_usd else None


@dataclass(frozen=True, slots=True)
class LatencyPrediction:
    """Expected seconds to the whole answer, to the first token, and at the 95th percentile; ``None`` when unknown."""

    model: ModelRef
    _: KW_ONLY
    expected_s: float | None
    ttft_s: float | None
    p95_s: float | None
    source: str = "prior"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a filter removed a model: the figure that failed, its limit, and what would satisfy the filter.

    ``field`` is the field of the request that asks for it, empty when it is not the request that does; ``gap`` is how far the
    figure lies from the limit, relative to the limit, ``None`` where no figure can be changed.
    """

    filter: str
    reason: str
    value: str = ""
    limit: str = ""
    cure: str = ""
    field: str = ""
    gap: float | None = None

    def __str__(self) -> str:
        """Return the reason as one line."""
        return f"{self.filter}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One item of the evidence trail (requirement A8); ``at`` is in seconds since the epoch."""

    source: str
    detail: str
    weight: float
    at: float


@dataclass(frozen=True, slots=True)
class PolicyEffect:
    """What one rule did to one request (requirement D3); effects of ``safety`` rules leave audit rows."""

    policy: str
    order: str
    effect: str
    value: str


@dataclass(frozen=True, slots=True)
class Change:
    """The smallest change of one field of the request that makes another model the choice.

    Args:
        field: ``cost_budget`` (USD), ``quality_requirement`` (0..1) or ``max_latency_s``.
        given: Its value in the request.
        value: A value at which the choice is another; every value between ``given`` and it leaves the choice as it is.
        model: The choice then; ``None`` when no model would be left.
    """

    field: str
    _: KW_ONLY
    given: float | None
    value: float
    model: ModelRef | None


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """One model in the table behind a decision; ``points`` are the factors of requirement A5 by name."""

    model: ModelRef
    _: KW_ONLY
    rank: float | None
    score: float | None
    points: Mapping[str, float]
    p_success: float | None
    cost_usd: float | None
    latency_s: float | None
    quality_source: str
    rejections: tuple[Rejection, ...] = ()
    quality: float | None = None

    @property
    def roi(self) -> float | None:
        """Expected right answers per dollar (requirement A9); ``None`` when a figure is unknown or the model is free."""
        return None if self.p_success is None or not self.cost_usd else self.p_success / self.cost_usd


@dataclass(frozen=True, slots=True)
class Draw:
    """The random part of a choice: the arm of an experiment or the draw of a bandit, for replay."""

    experiment: str | None = None
    arm: str | None = None
    detail: Mapping[str, float] = field(default_factory=dict[str, float])
