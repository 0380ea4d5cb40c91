"""Candidates that no other beats in everything (requirement A17)."""

from __future__ import annotations

import math
from typing import TypeAlias

from crew_router.types import CandidateRow, RoutingDecision

_Figures: TypeAlias = tuple[float, float, float]


def frontier(decision: RoutingDecision) -> tuple[CandidateRow, ...]:
    """Return the candidates of a decision that no other beats in cost, latency and P(success) at once, the cheapest first.

    An unknown price or latency counts as the worst, so that nothing is beaten by what nobody knows.
    """
    rows = [(_figures(row), row.model, row) for row in decision.table.candidates() if not row.rejections]
    best: list[tuple[_Figures, CandidateRow]] = []
    # In this order whatever beats a model stands before it, and is beaten by nothing or by one that beats both.
    for figures, _, row in sorted(rows, key=lambda each: each[:2]):
        if not any(_beats(other, figures) for other, _ in best):
            best.append((figures, row))
    return tuple(row for _, row in best)


def _beats(mine: _Figures, theirs: _Figures) -> bool:
    return mine != theirs and mine[0] <= theirs[0] and mine[1] <= theirs[1] and mine[2] <= theirs[2]


def _figures(row: CandidateRow) -> _Figures:
    return _or_worst(row.cost_usd), _or_worst(row.latency_s), -(row.p_success or 0.0)


def _or_worst(value: float | None) -> float:
    return math.inf if value is None else value
