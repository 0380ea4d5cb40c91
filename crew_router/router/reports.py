"""Reported outcomes and feedback, and the figures that a router reports about itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crew_router.errors import InvalidRequestError
from crew_router.record.recorder import outcome_reported
from crew_router.types import FeedbackData, ModelRef, TaskType
from crew_router.types.model import NANO_PER_USD

if TYPE_CHECKING:
    from crew_router.router.runtime import Runtime


def take_outcome(
    runtime: Runtime,
    *,
    success: bool,
    decision_id: str | None,
    model_id: str | None,
    task_type: TaskType | str | None,
    latency_ms: float | None,
    cost_usd: float | None,
    quality: float | None,
) -> None:
    """Record the outcome that a caller reports, of an answer of this router or of a call made without it.

    Raises:
        InvalidRequestError: Neither decision nor model is named, or a figure is out of range.
        UnknownDecisionError: The ledger does not have the decision.
    """
    for name, value, high in (("latency_ms", latency_ms, math.inf), ("cost", cost_usd, math.inf), ("quality", quality, 1.0)):
        if value is not None and not (0.0 <= value <= high and value < math.inf):
            raise InvalidRequestError(name, value, expected=f"a number from 0 to {high}")
    model, task = _subject(runtime, decision_id, model_id, task_type)
    outcome = outcome_reported(
        model,
        task,
        decision_id=decision_id,
        success=success,
        at=runtime.clock.now(),
        latency_ms=latency_ms,
        cost_usd=cost_usd,
        quality=quality,
    )
    known = None if decision_id is None else runtime.kept.recent.get(decision_id)
    expected = known.expected if known is not None and known.model == model else None
    runtime.recorder.reported(outcome, expected_quality=expected)
    if decision_id is not None:
        runtime.learning.record_outcome(decision_id, success=success, quality=quality)


def take_feedback(runtime: Runtime, feedback: FeedbackData) -> float:
    """Record feedback and, when learning is on, learn from it; return the reward, 0..1."""
    model = None if feedback.model_id is None else runtime.models.registry.resolve(feedback.model_id).ref
    return runtime.learning.record(feedback, model)


def stats(runtime: Runtime) -> dict[str, object]:
    """Return the totals of the ledger, and the health of state and ledger."""
    return {
        "project": runtime.config.project,
        "models": len(runtime.models.registry.models),
        **runtime.ledger.totals(),
        "state": dict(runtime.state.health()),
        "ledger": dict(runtime.ledger.health()),
    }


def budget_left(runtime: Runtime, name: str) -> float | None:
    """Return the USD left of a budget, ``None`` when there is no such limit."""
    scope = runtime.limits.scope(name, at=runtime.clock.now())
    return None if scope is None else runtime.budgets.remaining_nano(scope) / NANO_PER_USD


def reset(runtime: Runtime, *, before: float | None) -> None:
    """Start a new epoch of statistics; without a time the shared state is emptied too. This is written to the audit."""
    runtime.ledger.reset(before=before)
    if before is None:
        runtime.state.reset()
    runtime.ledger.audited("reset", {"before": before, "deleted_rows": 0}, at=runtime.clock.now())


def task_named(task_type: TaskType | str) -> TaskType:
    """Return a task type by its name.

    Raises:
        InvalidRequestError: There is none of that name.
    """
    try:
        return TaskType(task_type)
    except ValueError:
        raise InvalidRequestError("task_type", task_type, expected=f"one of {', '.join(TaskType)}") from None


def _subject(
    runtime: Runtime, decision_id: str | None, model_id: str | None, task_type: TaskType | str | None
) -> tuple[ModelRef, TaskType | None]:
    task = None if task_type is None else task_named(task_type)
    if model_id is not None:
        ref = runtime.models.registry.resolve(model_id).ref
        answered = None if decision_id is None or ref.effort is not None else runtime.kept.recent.get(decision_id)
        return (answered.model if answered is not None and answered.model.model == ref else ref), task
    if decision_id is None:
        raise InvalidRequestError("decision_id", None, expected="the id of a decision, or model_id")
    answered = runtime.learning.subject(decision_id)
    return answered.model, task or answered.task_type
