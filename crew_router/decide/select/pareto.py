"""Candidates that no other beats in everything (requirement A17)."""

from __future__ import annotations

import math

from crew_router.types import CandidateRow, RoutingDecision


def frontier(decision: RoutingDecision) -> tuple[CandidateRow, ...]:
    """Return the candidates of a decision that no other beats in cost, latency and P(success) at once, the cheapest first.

    An unknown price or latency counts as the worst, so that nothing is beaten by what nobody knows.
    """
    rows = [row for row in decision.table.candidates() if not row.rejections]
    best = [row for row in rows if not any(_beats(other, row) for other in rows)]
    return tuple(sorted(best, key=lambda row: (_figures(row), row.model)))


def _beats(one: CandidateRow, other: CandidateRow) -> bool:
    mine, theirs = _figures(one), _figures(other)
    return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))


def _figures(row: CandidateRow) -> tuple[float, float, float]:
    return _or_worst(row.cost_usd), _or_worst(row.latency_s), -(row.p_success or 0.0)


def _or_worst(value: float | None) -> float:
    return math.inf if value is None else value
