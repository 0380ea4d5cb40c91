"""Values of the line to rows of the ledger, and back. Runs on the writer's thread."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from crew_router.record.ledger.decision_codec import body_of
from crew_router.record.ledger.protocol import RequestOutcome
from crew_router.types import redaction
from crew_router.types.explain import said_of
from crew_router.types.outcome import Attempt, Usage
from crew_router.types.request import FeedbackData
from crew_router.types.vocabulary import ErrorKind, ModelRef, Risk, TaskType

if TYPE_CHECKING:
    from crew_router.record.ledger.schema import Row
    from crew_router.types.decision import RoutingDecision

_MESSAGE_CHARS: Final = 500
_NO_TEXT: Final = (0, None, None)
_NO_USAGE: Final = (None, None, None, None)


@dataclass(frozen=True, slots=True)
class Privacy:
    """What becomes of prompts and answers.

    Args:
        key: Secret of the ledger, for hashes that nobody can look up in a table of known prompts.
        keep_text: Whether texts are kept; those with personal data or secrets never are.
    """

    key: bytes
    keep_text: bool = False

    def kept(self, text: str, *, risky: bool = False) -> tuple[int, str | None, str | None]:
        """Return length, keyed hash, and the text itself where it may be kept."""
        if not text:
            return _NO_TEXT
        readable = clean(text)
        digest = hmac.new(self.key, readable.encode(), hashlib.sha256).hexdigest()
        return len(text), digest, redaction.redacted(readable) if self.keep_text and not risky else None


def decision_row(decision: RoutingDecision, text: str, privacy: Privacy, *, process: str | None = None) -> Row:
    """Return a decision's row; the request's own text stays in its body only if texts are kept."""
    request, profile = decision.request, decision.profile
    risky = bool(profile.risk.value & {Risk.PII, Risk.SECRETS})
    chars, digest, kept = privacy.kept(text or request.task_description, risky=risky)
    table, keeps = decision.table.columns(), privacy.keep_text and not risky
    body = body_of(decision, table, keep_text=keeps)
    return (
        decision.project,
        decision.id,
        decision.at,
        profile.task_type.value,
        profile.complexity.value,
        profile.domain.value,
        decision.selected_model,
        decision.selected_model.provider,
        decision.mode,
        decision.strategy,
        decision.policy_version,
        _finite(decision.cost.expected_usd),
        _finite(decision.latency.expected_s),
        decision.score,
        decision.confidence,
        decision.propensity,
        decision.draw.experiment,
        decision.draw.arm,
        request.session_id,
        request.user_id,
        request.run_id,
        chars or profile.text_chars,
        digest,
        kept,
        clean(redaction.redacted(said_of(decision, table))),
        redaction.redacted_json(body) if keeps else body,
        process,
    )


def attempt_row(project: str, decision_id: str, attempt: Attempt) -> Row:
    """Return the row of one call."""
    return (
        project,
        decision_id,
        attempt.number,
        str(attempt.model),
        attempt.model.provider,
        attempt.role,
        attempt.started_at,
        attempt.latency_s,
        attempt.ttft_s,
        *_usage_cells(attempt.usage),
        attempt.cost_nano,
        attempt.error and str(attempt.error),
        redacted(attempt.message) if attempt.message else "",
        attempt.status_code,
        attempt.finish_reason,
    )


def attempt_of(row: Row) -> Attempt:
    """Read an attempt back; the row has the columns of :data:`ATTEMPT_COLUMNS`."""
    cells: Any = row
    number, model, role, started, latency, ttft, tokens_in, tokens_out, cached, estimated, cost, error, message, status, finish = cells
    return Attempt(
        ModelRef(model),
        number=number,
        role=role,
        started_at=started,
        latency_s=latency,
        ttft_s=ttft,
        usage=_usage_of(tokens_in, tokens_out, cached, estimated),
        cost_nano=cost,
        error=None if error is None else ErrorKind(error),
        message=redaction.redacted(message or ""),  # rows of older versions were cleaned of less
        status_code=status,
        finish_reason=finish,
    )


ATTEMPT_COLUMNS: Final = (
    "number, model, role, started_at, latency_s, ttft_s, input_tokens, output_tokens, cached_tokens, estimated, cost_nano, error, "
    "message, status_code, finish_reason"
)


def outcome_row(project: str, outcome: RequestOutcome, answer: str, privacy: Privacy) -> Row:
    """Return the row of what a request came to."""
    # Plain strings take a third of the time of enum members to become JSON; the writer shares the interpreter with whoever decides.
    return (
        project,
        outcome.decision_id,
        outcome.at,
        str(outcome.model),
        outcome.model.provider,
        outcome.task_type and str(outcome.task_type),
        1 if outcome.success else 0,
        outcome.latency_s,
        outcome.cost_nano,
        *_usage_cells(outcome.usage),
        outcome.quality,
        outcome.confidence,
        1 if outcome.escalated else 0,
        outcome.error and str(outcome.error),
        outcome.source,
        *(privacy.kept(answer) if answer else _NO_TEXT),
    )


def outcome_of(row: Row) -> RequestOutcome:
    """Read an outcome back; the row has the columns of :data:`OUTCOME_COLUMNS`."""
    cells: Any = row
    decision, at, model, task, ok, latency, cost, tokens_in, tokens_out, cached, estimated, quality, sure, up, error, source = cells
    return RequestOutcome(
        decision,
        model=ModelRef(model),
        task_type=None if task is None else TaskType(task),
        success=bool(ok),
        at=at,
        latency_s=latency,
        cost_nano=cost,
        usage=_usage_of(tokens_in, tokens_out, cached, estimated),
        quality=quality,
        confidence=sure,
        escalated=bool(up),
        error=None if error is None else ErrorKind(error),
        source=source,
    )


OUTCOME_COLUMNS: Final = (
    "decision_id, at, model, task_type, success, latency_s, cost_nano, input_tokens, output_tokens, cached_tokens, estimated, "
    "quality, confidence, escalated, error, source"
)


def feedback_row(project: str, feedback: FeedbackData, reward: float, at: float, keep_text: bool) -> Row:
    """Return the row of feedback; the comment is kept where texts are."""
    return (
        project,
        feedback.request_id,
        at,
        feedback.model_id,
        feedback.task_type,
        feedback.outcome,
        feedback.quality_score,
        _flag(feedback.pr_merged),
        _flag(feedback.pr_reverted),
        feedback.user_rating,
        clean(redaction.redacted(feedback.comment)) if keep_text else "",
        reward,
    )


def feedback_of(row: Row) -> FeedbackData:
    """Read feedback back; the row has the columns of :data:`FEEDBACK_COLUMNS`."""
    cells: Any = row
    decision, model, task, outcome, quality, merged, reverted, rating, comment = cells
    return FeedbackData(
        decision,
        model_id=model,
        task_type=None if task is None else TaskType(task),
        outcome=outcome,
        quality_score=quality,
        pr_merged=None if merged is None else bool(merged),
        pr_reverted=None if reverted is None else bool(reverted),
        user_rating=rating,
        comment=comment or "",
    )


FEEDBACK_COLUMNS: Final = "decision_id, model, task_type, outcome, quality_score, pr_merged, pr_reverted, user_rating, comment"


def audit_row(project: str, event: str, detail: Mapping[str, object], at: float) -> Row:
    """Return the row of an event; what is no JSON in its detail is kept as text."""
    return project, at, event, clean(redaction.redacted_json(json.dumps(detail, default=str, sort_keys=True)))


def clean(text: str) -> str:
    """Return a text that every database takes: no NUL, no half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def redacted(message: str) -> str:
    """Return the start of a provider's message without what looks like a key."""
    return clean(redaction.redacted(message)[:_MESSAGE_CHARS])


def _usage_cells(usage: Usage | None) -> tuple[int | None, int | None, int | None, int | None]:
    if usage is None:
        return _NO_USAGE
    return usage.input_tokens, usage.output_tokens, usage.cached_tokens, 1 if usage.estimated else 0


def _usage_of(tokens_in: int | None, tokens_out: int | None, cached: int | None, estimated: int | None) -> Usage | None:
    if tokens_in is None or tokens_out is None:
        return None
    return Usage(tokens_in, tokens_out, cached_tokens=cached or 0, estimated=bool(estimated))


def _finite(figure: float | None) -> float | None:
    return figure if figure is not None and math.isfinite(figure) else None


def _flag(value: bool | None) -> int | None:
    return None if value is None else int(value)
