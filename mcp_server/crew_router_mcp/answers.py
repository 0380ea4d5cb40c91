"""What the tools answer; clients get these as structured content with a schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, Field

from crew_router.decide.select.pareto import frontier

if TYPE_CHECKING:
    from crew_router.types import CandidateRow, ModelDefinition, ModelRef, RoutingDecision


class RemovedModel(BaseModel):
    """A model that a hard constraint removed."""

    model: str
    reasons: list[str] = Field(description="Every constraint that it fails, with the figure")


class Candidate(BaseModel):
    """A model that no other beats in expected cost, latency and success at once."""

    model: str
    cost_usd: float | None = Field(description="Expected price of the request; null when the price is unknown")
    latency_s: float | None = Field(description="Expected seconds to the whole answer; null when unknown")
    p_success: float | None = Field(description="0 to 1")

    @classmethod
    def of(cls, row: CandidateRow) -> Self:
        """Return a row of the table behind a decision as an answer."""
        return cls(model=row.model, cost_usd=row.cost_usd, latency_s=row.latency_s, p_success=row.p_success)


class Suggestion(BaseModel):
    """The model to use for a task, what to use if it fails, and why."""

    decision_id: str = Field(description="Names this decision in `crew-router explain` and in feedback")
    model: str = Field(description="provider:model")
    effort: str | None = Field(description="Reasoning effort to ask the model for; null where it has none")
    fallbacks: list[str] = Field(description="Models to try next, best first")
    mode: str = Field(description="single, cascade or parallel")
    task_type: str
    complexity: int = Field(description="1 (trivial) to 10 (research)")
    score: float = Field(description="0 to 100")
    confidence: float = Field(description="0 to 1")
    estimated_cost_usd: float | None = Field(description="Expected price of the request; null when the price is unknown")
    expected_latency_s: float | None = Field(description="Expected seconds to the whole answer; null when unknown")
    callable_here: bool = Field(description="Whether the server could call the model itself: key set, package installed, server up")
    rationale: str
    notes: list[str] = Field(description="Waivers, warnings, policies and overrides that had a part in it")
    pareto: list[Candidate] = Field(description="The choices that make sense at some worth of money and time, cheapest first")
    removed: list[RemovedModel]

    @classmethod
    def of(cls, decision: RoutingDecision, *, reachable: frozenset[ModelRef]) -> Self:
        """Return a decision as an answer."""
        return cls(
            decision_id=decision.id,
            model=decision.selected_model,
            effort=decision.effort,
            fallbacks=list(decision.fallbacks),
            mode=decision.mode,
            task_type=decision.profile.task_type.value,
            complexity=decision.profile.complexity.value,
            score=decision.score,
            confidence=decision.confidence,
            estimated_cost_usd=decision.estimated_cost,
            expected_latency_s=decision.latency.expected_s,
            callable_here=decision.selected_model in reachable,
            rationale=decision.rationale,
            notes=[note.detail for note in decision.table.notes()],
            pareto=[Candidate.of(row) for row in frontier(decision)],
            removed=[RemovedModel(model=model, reasons=[str(why) for why in reasons]) for model, reasons in decision.rejected.items()],
        )


class ListedModel(BaseModel):
    """One entry of the registry."""

    model: str = Field(description="provider:model")
    provider: str
    tier: str | None
    input_usd_per_million: float | None = Field(description="USD per million input tokens; null when unknown")
    output_usd_per_million: float | None = Field(description="USD per million output tokens; null when unknown")
    quality: float | None = Field(description="0 to 1; null when unknown")
    quality_source: str = Field(description="Where the quality was measured, or unmeasured")
    context_window: int | None = Field(description="Tokens")
    capabilities: list[str]
    enabled: bool
    callable_here: bool = Field(description="Whether the server could call it: key set, package installed, server up")

    @classmethod
    def of(cls, model: ModelDefinition, *, reachable: frozenset[ModelRef]) -> Self:
        """Return a registry entry as an answer."""
        return cls(
            model=model.ref,
            provider=model.provider,
            tier=model.tier,
            input_usd_per_million=None if model.price is None else model.price.input,
            output_usd_per_million=None if model.price is None else model.price.output,
            quality=model.quality,
            quality_source=model.source,
            context_window=model.context_window,
            capabilities=sorted(model.capabilities),
            enabled=model.enabled,
            callable_here=model.ref in reachable,
        )


class ModelList(BaseModel):
    """Models of the registry that fit."""

    models: list[ListedModel]


class HealthReport(BaseModel):
    """What can be called from here, and the state of the stores."""

    ok: bool = Field(description="Whether any of the models asked about can be called")
    models: dict[str, str] = Field(description="State of each model: reachable, or what keeps it from being called")
    details: dict[str, str] = Field(description="Open breakers and the state of the stores")

    @classmethod
    def of(cls, report: Mapping[str, object]) -> Self:
        """Return the router's report as an answer."""
        models = report.get("models")
        states = {str(ref): str(state) for ref, state in models.items()} if isinstance(models, Mapping) else {}
        details = {key: str(value) for key, value in report.items() if key not in {"ok", "models"}}
        return cls(ok=bool(report.get("ok")), models=states, details=details)
