"""What was chosen, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Self

from crew_router.types import codec, explain
from crew_router.types.candidates import DecisionTable, RecordedTable
from crew_router.types.evidence import CostPrediction, Draw, Evidence, LatencyPrediction, PolicyEffect, Rejection
from crew_router.types.outcome import TradeOff
from crew_router.types.profile import RequestProfile
from crew_router.types.request import RoutingRequest
from crew_router.types.vocabulary import Mode, ModelRef


@dataclass(frozen=True, slots=True)
class RoutingDecision:
    """The choice for one request (requirement A7).

    ``effort`` is the reasoning effort that ``selected_model`` is asked for, ``None`` where it has none. ``fallbacks`` and ``models``
    name models with their efforts. ``score`` is 0..100, ``confidence`` and ``propensity`` 0..1, ``at`` seconds since the epoch.
    ``models`` are the models of a cascade in order or of a parallel run; for a single call it holds the selected model only.
    ``cost`` is that of all calls of a parallel run together, and of a cascade's steps by the chance that they are called.
    ``approval`` says why a person has to agree before it is executed, empty otherwise. ``stops`` are the probabilities at which a
    learned cascade accepts the best answer after each of its models. ``trade_off`` is what a parallel run or cascade brought, once
    it has been carried out.
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
    effort: str | None = None
    draw: Draw = field(default_factory=Draw)
    stops: tuple[float, ...] = ()
    effects: tuple[PolicyEffect, ...] = ()
    approval: str = ""
    trade_off: TradeOff | None = None
    table: DecisionTable = field(default_factory=RecordedTable, repr=False, compare=False)

    @property
    def candidate(self) -> ModelRef:
        """The selected model at its reasoning effort, ``provider:model#effort``; the model alone where it has no efforts."""
        return self.selected_model.at_effort(self.effort)

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
        return explain.evidence_of(self)

    @property
    def rationale(self) -> str:
        """Return one sentence that a person can read."""
        return explain.rationale_of(self)

    def explain(self) -> str:
        """Return the whole story as text: profile, scores, rejections, runner-up, what would change it."""
        return explain.story_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; :meth:`from_dict` reads it back."""
        table = RecordedTable(self.table.candidates(), self.table.notes(), self.table.changes())
        data: dict[str, Any] = codec.encode(replace(self, table=table))
        return {"format": codec.FORMAT, **data}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote.

        Raises:
            ConfigurationError: The data were written by a newer format.
        """
        decoded: Self = codec.decode(cls, codec.checked(data))
        return decoded
