"""Answers about a choice: short by default, whole on request."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Literal, Self

from pydantic import BaseModel, Field

from crew_router.decide.select.pareto import frontier
from crew_router.types.explain import said_change
from crew_router_mcp.answers.figures import Figure, clipped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crew_router.types import Attempt, CandidateRow, RoutingDecision

Detail = Literal["short", "full"]

_SHORT_NOTES: Final = 3
_SHORT_LINES: Final = 5
_SHORT_CHARS: Final = 160
_STORY_CHARS: Final = 12_000


class RemovedModel(BaseModel):
    """A model that a hard constraint removed."""

    model: str
    reasons: list[str] = Field(description="Every constraint that it fails, with the figure")


class Candidate(BaseModel):
    """A model with what it is expected to do for this request."""

    model: str
    cost_usd: Figure = Field(description="Expected price of the request; null when the price is unknown")
    latency_s: Figure = Field(description="Expected seconds to the whole answer; null when unknown")
    p_success: Figure = Field(description="Probability, 0 to 1, that it serves")

    @classmethod
    def of(cls, row: CandidateRow) -> Self:
        """Return a row of the table behind a decision as an answer."""
        return cls(model=row.model, cost_usd=row.cost_usd, latency_s=row.latency_s, p_success=row.p_success)


class Interval(BaseModel):
    """An expected figure and the range around it; null where nothing is known."""

    low: Figure
    expected: Figure
    high: Figure


class Suggestion(BaseModel):
    """The model to use for a task, what to use if it fails, and why."""

    decision_id: str = Field(description="Names this decision in explain_decision, record_outcome and submit_feedback")
    model: str = Field(description="provider:model")
    effort: str | None = Field(description="Reasoning effort to ask for; null for the model's own")
    fallbacks: list[str] = Field(description="Models to try next, best first")
    mode: str = Field(description="single, cascade or parallel")
    task_type: str
    complexity: int = Field(description="1 (trivial) to 10 (research)")
    score: Figure = Field(description="0 to 100")
    confidence: Figure = Field(description="0 to 1")
    p_success: Figure = Field(description="Probability, 0 to 1, that the model serves this request")
    estimated_cost_usd: Figure = Field(description="Expected price of the request; null when the price is unknown")
    cost_usd: Interval = Field(description="Price of the request, USD")
    expected_latency_s: Figure = Field(description="Expected seconds to the whole answer; null when unknown")
    latency_s: Interval = Field(description="Seconds: to the first token, to the whole answer, and at the 95th percentile")
    callable_here: bool = Field(description="Whether the server could call the model itself: key set, package installed, server up")
    approval: str | None = Field(description="Why a person has to agree before it is called; null when nobody has to")
    rationale: str
    notes: list[str] = Field(description="Waivers, warnings, policies and overrides that had a part in it")
    pareto: list[Candidate] = Field(description="The choices that make sense at some worth of money and time, cheapest first")
    removed_models: int = Field(description="How many models a hard constraint removed")
    removed_by: dict[str, int] = Field(description="How many models each constraint removed")
    removed: list[RemovedModel] | None = Field(description="Every removed model with its reasons; only with detail full")

    @classmethod
    def of(cls, decision: RoutingDecision, *, callable_here: bool, detail: Detail) -> Self:
        """Return a decision as an answer."""
        full = detail == "full"
        notes = [note.detail for note in decision.table.notes()]
        best = frontier(decision)
        chosen = next((row for row in decision.table.candidates() if row.model == decision.candidate), None)
        cost, latency = decision.cost, decision.latency
        return cls(
            decision_id=decision.id,
            model=decision.selected_model,
            effort=decision.effort,
            fallbacks=list(decision.fallbacks if full else decision.fallbacks[:_SHORT_LINES]),
            mode=decision.mode,
            task_type=decision.profile.task_type.value,
            complexity=decision.profile.complexity.value,
            score=decision.score,
            confidence=decision.confidence,
            p_success=None if chosen is None else chosen.p_success,
            estimated_cost_usd=decision.estimated_cost,
            cost_usd=Interval(low=cost.min_usd, expected=cost.expected_usd, high=cost.max_usd),
            expected_latency_s=latency.expected_s,
            latency_s=Interval(low=latency.ttft_s, expected=latency.expected_s, high=latency.p95_s),
            callable_here=callable_here,
            approval=decision.approval or None,
            rationale=decision.rationale if full else clipped(decision.rationale, 2 * _SHORT_CHARS),
            notes=notes if full else [clipped(note, _SHORT_CHARS) for note in notes[:_SHORT_NOTES]],
            pareto=[Candidate.of(row) for row in (best if full else best[:_SHORT_LINES])],
            removed_models=len(decision.rejected),
            removed_by=removed_by(decision),
            removed=removed(decision) if full else None,
        )


def removed_by(decision: RoutingDecision) -> dict[str, int]:
    """Count what removed models, the most frequent first."""
    counted = Counter(filter_ for reasons in decision.rejected.values() for filter_ in {why.filter for why in reasons})
    return dict(counted.most_common(_SHORT_LINES))


def removed(decision: RoutingDecision) -> list[RemovedModel]:
    """Return every removed model with its reasons."""
    return [RemovedModel(model=model, reasons=[str(why) for why in reasons]) for model, reasons in decision.rejected.items()]


class Compared(BaseModel):
    """One model in a comparison."""

    model: str
    cost_usd: Figure = Field(description="Expected price of the request; null when the price is unknown")
    latency_s: Figure = Field(description="Expected seconds to the whole answer; null when unknown")
    p_success: Figure = Field(description="Probability, 0 to 1, that it serves")
    score: Figure = Field(description="0 to 100; null for a model that a constraint removed")
    on_frontier: bool = Field(description="Whether no other model beats it in cost, latency and P(success) at once")
    removed_because: list[str] = Field(description="Every hard constraint that it fails; empty for one that may serve")


class Comparison(BaseModel):
    """Models side by side for one task; the first is what the router would choose."""

    chosen: str = Field(description="What the router would choose of all models")
    models: list[Compared]
    frontier: list[str] = Field(description="Models that no other beats, the cheapest first")
    left_out: int = Field(description="Models that are not in the table because of limit")

    @classmethod
    def of(cls, decision: RoutingDecision, *, only: frozenset[str] | None, limit: int) -> Self:
        """Return the table behind a decision, of some models or of all that may serve."""
        best = [row.model for row in frontier(decision)]
        rows = [
            row
            for row in decision.table.candidates()
            if (bool(only & {row.model, row.model.model}) if only is not None else not row.rejections)
        ]
        return cls(
            chosen=decision.selected_model,
            models=[_compared(row, best) for row in rows[:limit]],
            frontier=[str(model) for model in best],
            left_out=max(len(rows) - limit, 0),
        )


def _compared(row: CandidateRow, best: Iterable[str]) -> Compared:
    return Compared(
        model=row.model,
        cost_usd=row.cost_usd,
        latency_s=row.latency_s,
        p_success=row.p_success,
        score=row.score,
        on_frontier=row.model in best,
        removed_because=[clipped(str(why), _SHORT_CHARS) for why in row.rejections],
    )


class Variant(BaseModel):
    """One of the two decisions of a simulation."""

    model: str | None = Field(description="What is chosen; null when no model satisfies the request")
    fallbacks: list[str]
    mode: str | None
    estimated_cost_usd: Figure
    expected_latency_s: Figure
    p_success: Figure
    removed_models: int
    removed_by: dict[str, int] = Field(description="How many models each constraint removed")
    why: str = Field(description="The reasons, or what would have to change where no model is left")


class Simulation(BaseModel):
    """What would be chosen if something were different; nothing is recorded or called."""

    changed: bool = Field(description="Whether another model would be chosen")
    now: Variant
    then: Variant
    cost_difference_usd: Figure = Field(description="Expected USD of the changed decision less that of today's; null when one is unknown")


def variant_of(decision: RoutingDecision) -> Variant:
    """Return one decision of a simulation."""
    chosen = next((row for row in decision.table.candidates() if row.model == decision.candidate), None)
    return Variant(
        model=decision.selected_model,
        fallbacks=list(decision.fallbacks[:_SHORT_LINES]),
        mode=decision.mode,
        estimated_cost_usd=decision.estimated_cost,
        expected_latency_s=decision.latency.expected_s,
        p_success=None if chosen is None else chosen.p_success,
        removed_models=len(decision.rejected),
        removed_by=removed_by(decision),
        why=clipped(decision.rationale, 2 * _SHORT_CHARS),
    )


def no_variant(why: str) -> Variant:
    """Return the side of a simulation on which no model is left."""
    return Variant(
        model=None,
        fallbacks=[],
        mode=None,
        estimated_cost_usd=None,
        expected_latency_s=None,
        p_success=None,
        removed_models=0,
        removed_by={},
        why=clipped(why, 3 * _SHORT_CHARS),
    )


class Called(BaseModel):
    """One call that was made for a decision."""

    number: int
    model: str
    ok: bool
    error: str | None
    latency_s: Figure
    cost_usd: Figure


class Explanation(BaseModel):
    """Why a model was chosen for an earlier request, and what came of it."""

    decision_id: str
    model: str
    mode: str
    strategy: str
    rationale: str
    fallbacks: list[str]
    would_change_it: list[str] = Field(description="The smallest changes of the request that would change the choice")
    notes: list[str]
    calls: list[Called] = Field(description="Calls that were made for it, in order; empty for advice")
    story: str | None = Field(description="The whole story, with points and removed models; only with detail full")

    @classmethod
    def of(cls, decision: RoutingDecision, attempts: Iterable[Attempt], *, detail: Detail) -> Self:
        """Return an earlier decision as an answer."""
        notes = [note.detail for note in decision.table.notes()]
        full = detail == "full"
        return cls(
            decision_id=decision.id,
            model=decision.selected_model,
            mode=decision.mode,
            strategy=decision.strategy,
            rationale=clipped(decision.rationale, 3 * _SHORT_CHARS),
            fallbacks=list(decision.fallbacks[:_SHORT_LINES]),
            would_change_it=[said_change(change) for change in decision.table.changes()],
            notes=notes if full else [clipped(note, _SHORT_CHARS) for note in notes[:_SHORT_NOTES]],
            calls=[called(attempt) for attempt in attempts],
            story=clipped(decision.explain(), _STORY_CHARS) if full else None,
        )


def called(attempt: Attempt) -> Called:
    """Return one call as an answer."""
    return Called(
        number=attempt.number,
        model=attempt.model,
        ok=attempt.ok,
        error=None if attempt.error is None else str(attempt.error),
        latency_s=attempt.latency_s,
        cost_usd=attempt.cost_usd,
    )
