"""What several calls brought against what one would have (requirement A11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crew_router.types.decision import RoutingDecision
from crew_router.types.outcome import Attempt, Member, TradeOff, total_usd
from crew_router.types.vocabulary import ModelRef

_SHOWN_CHARS = 200


def trade_off(
    decision: RoutingDecision,
    attempts: Sequence[Attempt],
    *,
    accuracy: Mapping[ModelRef, float],
    answers: Mapping[int, str] | None = None,
    chosen: int | None = None,
    quality: float | None = None,
) -> TradeOff | None:
    """Return the report of a parallel run or cascade; ``None`` when no member of it was called.

    The single call that it is held against is that of the member most likely to be right, at what that call really took.

    Args:
        decision: What was decided.
        attempts: Every call of the request.
        accuracy: Chance 0..1 of each model of being right.
        answers: What each call answered, equal for equal answers, by number of the attempt, where that is known.
        chosen: The number of the attempt whose answer was taken.
        quality: Probability that the answer taken is right.
    """
    answers = answers or {}
    own = [attempt for attempt in attempts if attempt.role in {"vote", "draft", "judge"}]
    voters = [attempt for attempt in own if attempt.role != "judge"]
    if not voters:
        return None
    key = None if chosen is None else answers.get(chosen)
    members = tuple(_member(attempt, answers.get(attempt.number), key) for attempt in own)
    agreed = [member.agrees for member in members if member.agrees is not None]
    best = max(voters, key=lambda attempt: (attempt.ok, accuracy.get(attempt.model, 0.0)))
    return TradeOff(
        decision.mode, members,
        agreement=sum(agreed) / len(agreed) if agreed else None,
        cost_usd=total_usd(attempts), latency_s=_elapsed_s(attempts), quality=quality,
        single=best.model, single_cost_usd=best.cost_usd, single_latency_s=best.latency_s, single_quality=accuracy.get(best.model),
    )  # fmt: skip


def _member(attempt: Attempt, answer: str | None, key: str | None) -> Member:
    return Member(
        attempt.model,
        role=attempt.role, cost_usd=attempt.cost_usd, latency_s=attempt.latency_s, error=attempt.error,
        agrees=None if answer is None or key is None else answer == key,
        answer=(answer or "")[:_SHOWN_CHARS],
    )  # fmt: skip


def _elapsed_s(attempts: Sequence[Attempt]) -> float:
    return max(each.started_at + each.latency_s for each in attempts) - min(each.started_at for each in attempts)
