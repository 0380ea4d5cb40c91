"""What was chosen, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

from crew_router.types.vocabulary import Mode, ModelRef

if TYPE_CHECKING:
    from crew_router.types.candidates import Candidates
    from crew_router.types.outcome import TradeOff
    from crew_router.types.profile import RequestProfile
    from crew_router.types.request import RoutingRequest


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


class DecisionTable(Protocol):
    """The table behind a decision; made when somebody asks, so that an unexplained decision costs nothing."""

    def candidates(self) -> tuple[CandidateRow, ...]:
        """Return every model of the registry, chosen first, then by falling rank, rejected last."""
        ...

    def columns(self) -> Candidates:
        """Return the same by column, figures rounded to a millionth and costs to a thousandth of a nano-dollar."""
        ...

    def notes(self) -> tuple[Evidence, ...]:
        """Return evidence that is not a factor of the score: waivers, warnings, policies, arms, overrides."""
        ...

    def changes(self) -> tuple[Change, ...]:
        """Return the smallest changes of budget, quality and latency that would change the choice."""
        ...


@dataclass(frozen=True, slots=True)
class RecordedTable:
    """A table that was read back from JSON."""

    rows: tuple[CandidateRow, ...] = ()
    remarks: tuple[Evidence, ...] = ()
    flips: tuple[Change, ...] = ()

    def candidates(self) -> tuple[CandidateRow, ...]:
        """Return the rows."""
        return self.rows

    def columns(self) -> Candidates:
        """Return the rows by column."""
        from crew_router.types.candidates import Candidates  # noqa: PLC0415 - it is made of the values above

        return Candidates.of(self.rows)

    def notes(self) -> tuple[Evidence, ...]:
        """Return the remarks."""
        return self.remarks

    def changes(self) -> tuple[Change, ...]:
        """Return the changes."""
        return self.flips


@dataclass(frozen=True, slots=True)
class Draw:
    """The random part of a choice: the arm of an experiment or the draw of a bandit, for replay."""

    experiment: str | None = None
    arm: str | None = None
    detail: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class RoutingDecision:
    """The choice for one request (requirement A7).

    ``score`` is 0..100, ``confidence`` and ``propensity`` 0..1, ``at`` seconds since the epoch. ``models`` are the
    models of a cascade in order or of a parallel run; for a single call it holds the selected model only. ``cost`` is that of
    all calls of a parallel run together. ``approval`` says why a person has to agree before it is executed, empty otherwise.
    ``stops`` are the probabilities at which a learned cascade accepts the best answer after each of its models. ``trade_off`` is
    what a parallel run or cascade brought, once it has been carried out.
    """

    id: str
    selected_model: ModelRef
    fallbacks: tuple[ModelRef, ...]
    _: KW_ONLY
    mode: Mode
    models: tuple[ModelRef, ...]
    judge: ModelRef | None
    strategy: str
    request: RoutingRequest
    profile: RequestProfile
    cost: CostPrediction
    latency: LatencyPrediction
    score: float
    confidence: float
    propensity: float
    policy_version: str
    project: str
    at: float
    draw: Draw = field(default_factory=Draw)
    stops: tuple[float, ...] = ()
    effects: tuple[PolicyEffect, ...] = ()
    approval: str = ""
    trade_off: TradeOff | None = None
    table: DecisionTable = field(default_factory=RecordedTable, repr=False, compare=False)

    @property
    def estimated_cost(self) -> float | None:
        """Expected USD; ``None`` when the chosen model has no price."""
        return self.cost.expected_usd

    @property
    def rejected(self) -> dict[ModelRef, tuple[Rejection, ...]]:
        """Return every removed model with every filter that removed it."""
        return {row.model: row.rejections for row in self.table.candidates() if row.rejections}

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Return the evidence trail of the chosen model (requirement A8)."""
        from crew_router.explain import evidence_of  # noqa: PLC0415 - explaining is rare, the import is not needed to decide

        return evidence_of(self)

    @property
    def rationale(self) -> str:
        """Return one sentence that a person can read."""
        from crew_router.explain import rationale_of  # noqa: PLC0415 - as above

        return rationale_of(self)

    def explain(self) -> str:
        """Return the whole story as text: profile, scores, rejections, runner-up, what would change it."""
        from crew_router.explain import story_of  # noqa: PLC0415 - as above

        return story_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; :meth:`from_dict` reads it back."""
        from crew_router.codec import decision_to_dict  # noqa: PLC0415 - as above

        return decision_to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote."""
        from crew_router.codec import decision_from_dict  # noqa: PLC0415 - as above

        return decision_from_dict(cls, data)
