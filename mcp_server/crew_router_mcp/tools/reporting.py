"""Tools that take what came of answers, and report spend and statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from crew_router.errors import InvalidRequestError
from crew_router.types import FeedbackData, TaskType
from crew_router.types.clock import SystemClock
from crew_router_mcp.answers.reports import BudgetLine, Budgets, Statistics, Taken
from crew_router_mcp.tools.parameters import DecisionId, resolved

if TYPE_CHECKING:
    from crew_router.router.router import Router

_EACH = frozenset({"request", "run", "session", "user"})
_HOUR_S = 3600.0


class ReportTools:
    """Reports.

    Args:
        router: Keeps the ledger.
    """

    def __init__(self, router: Router) -> None:
        self._router = router

    def record_outcome(
        self,
        success: Annotated[bool, Field(description="Whether the answer served")],
        *,
        decision_id: Annotated[str | None, Field(max_length=200, description="The decision it belongs to")] = None,
        model: Annotated[str | None, Field(max_length=200, description="The model, when no decision is named")] = None,
        task_type: Annotated[TaskType | None, Field(description="What it was for, when no decision is named")] = None,
        latency_ms: Annotated[float | None, Field(ge=0, description="Milliseconds that the call took")] = None,
        cost_usd: Annotated[float | None, Field(ge=0, description="USD that the call cost")] = None,
        quality: Annotated[float | None, Field(ge=0, le=1, description="How good the answer was, 0 to 1")] = None,
    ) -> Taken:
        """Report what an answer came to, so that later choices learn from it; also for a model that you called yourself."""
        if decision_id is not None:
            self._router.explain(decision_id)  # an id that the ledger does not hold is an error even beside a model
        ref = None if model is None else resolved(self._router, model)
        self._router.record_request_outcome(
            success=success,
            decision_id=decision_id,
            model_id=ref,
            task_type=task_type,
            latency_ms=latency_ms,
            cost=cost_usd,
            quality=quality,
        )
        self._router.history.flush()  # what was answered as recorded survives a kill
        return Taken(recorded=True, decision_id=decision_id, model=ref, reward=None)

    def submit_feedback(
        self,
        decision_id: DecisionId,
        *,
        outcome: Annotated[Literal["success", "partial", "failure"] | None, Field(description="Whether the answer served")] = None,
        quality_score: Annotated[float | None, Field(ge=0, le=1, description="How good it was, 0 to 1")] = None,
        user_rating: Annotated[float | None, Field(ge=1, le=5, description="Stars, 1 to 5")] = None,
        pr_merged: Annotated[bool | None, Field(description="Whether its pull request was merged")] = None,
        pr_reverted: Annotated[bool | None, Field(description="Whether that was reverted")] = None,
        comment: Annotated[str | None, Field(max_length=10_000, description="Anything else")] = None,
    ) -> Taken:
        """Say afterwards how good an answer was; give at least one of the figures. Later choices learn from it."""
        chosen = self._router.explain(decision_id).selected_model
        feedback = FeedbackData(
            decision_id,
            outcome=outcome,
            quality_score=quality_score,
            user_rating=user_rating,
            pr_merged=pr_merged,
            pr_reverted=pr_reverted,
            comment=comment or "",
        )
        reward = self._router.record_feedback(feedback)
        self._router.history.flush()
        return Taken(recorded=True, decision_id=decision_id, model=chosen, reward=reward)

    def get_budget(
        self,
        budget: Annotated[str | None, Field(max_length=200, description="day, project, provider:NAME, run:ID, session:ID, user:ID")] = None,
    ) -> Budgets:
        """Tell what the configured budgets have left; of one budget, or of all."""
        known = dict(self._router.config.budgets.limits())
        if budget is None:
            return Budgets(budgets=[self._line(name, name) for name in known])
        scope = budget if budget in known else budget.partition(":")[0]
        if scope not in known:
            raise InvalidRequestError("budget", budget, expected=f"one that is configured: {', '.join(known) or 'there are none'}")
        return Budgets(budgets=[self._line(budget, scope)])

    def get_stats(
        self, hours: Annotated[float | None, Field(gt=0, le=87_600, description="How far back; all since the last reset if absent")] = None
    ) -> Statistics:
        """Tell how many requests there were, how many served, what they cost and how long they took."""
        since = None if hours is None else SystemClock().now() - hours * _HOUR_S
        totals = self._router.history.totals(since=since)
        requests = int(totals["requests"])
        return Statistics(
            project=str(self._router.config.project),
            hours=hours,
            requests=requests,
            success_rate=totals["successes"] / requests if requests else None,
            escalations=int(totals["escalations"]),
            cost_usd=totals["cost_usd"],
            mean_latency_s=totals["latency_s"] if requests else None,
            models=len(self._router.models),
            policy_version=self._router.policy_version,
        )

    def _line(self, name: str, scope: str) -> BudgetLine:
        limit = dict(self._router.config.budgets.limits())[scope]
        each = name in _EACH  # one for each run, session or user: what is left depends on whose
        return BudgetLine(
            budget=name, limit_usd=limit.limit, per=limit.per, remaining_usd=None if each else self._router.budget_remaining(name)
        )
