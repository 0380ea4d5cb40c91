"""Cost-quality curves: hull, AIQ, cost at a given quality, and APGR and CPT of routers between two models.

AIQ is RouterBench's (Hu and others 2024): the area under the non-decreasing convex hull of (cost, quality) between the costs
of the cheapest and the dearest single model, divided by that range. The hull counts as 0 left of the router's cheapest point
and as flat to the right of its dearest; points above the dearest single model are dropped.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_SAME: Final = 1e-12


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Mean cost of a request, USD, and mean quality, 0..1, at one setting."""

    cost_usd: float
    quality: float


def hull(points: Iterable[CurvePoint]) -> tuple[CurvePoint, ...]:
    """Return the corners of the non-decreasing concave hull, cheapest first.

    Example:
        >>> [point.cost_usd for point in hull([CurvePoint(1, 0.5), CurvePoint(2, 0.5), CurvePoint(2.5, 0.6), CurvePoint(3, 0.9)])]
        [1, 3]
    """
    corners: list[CurvePoint] = []
    for point in sorted(points, key=lambda each: (each.cost_usd, -each.quality)):
        if corners and point.quality <= corners[-1].quality + _SAME:
            continue
        while len(corners) > 1 and _below(corners[-2], corners[-1], point):
            corners.pop()
        corners.append(point)
    return tuple(corners)


def _below(first: CurvePoint, middle: CurvePoint, last: CurvePoint) -> bool:
    rise = (last.quality - first.quality) * (middle.cost_usd - first.cost_usd)
    return (middle.quality - first.quality) * (last.cost_usd - first.cost_usd) <= rise


def quality_at(corners: Sequence[CurvePoint], cost_usd: float) -> float:
    """Return the quality of a hull at a cost: 0 left of its first corner, flat right of its last."""
    if not corners or cost_usd < corners[0].cost_usd - _SAME:
        return 0.0
    for left, right in itertools.pairwise(corners):
        if cost_usd <= right.cost_usd:
            share = (cost_usd - left.cost_usd) / (right.cost_usd - left.cost_usd)
            return left.quality + max(share, 0.0) * (right.quality - left.quality)
    return corners[-1].quality


def aiq(points: Iterable[CurvePoint], *, low_usd: float, high_usd: float) -> float:
    """Return the average quality over a range of costs; when the range is empty, the quality at that cost."""
    corners = hull(point for point in points if point.cost_usd <= high_usd + _SAME)
    if not corners:
        return 0.0
    if high_usd - low_usd <= _SAME:
        return quality_at(corners, high_usd)
    inside = [corner.cost_usd for corner in corners if low_usd < corner.cost_usd < high_usd]
    start = max(low_usd, corners[0].cost_usd)
    costs = sorted({start, *inside, high_usd})
    pairs = itertools.pairwise(costs)
    area = sum((right - left) * (quality_at(corners, left) + quality_at(corners, right)) / 2 for left, right in pairs)
    return area / (high_usd - low_usd)


def cost_for(points: Iterable[CurvePoint], quality: float) -> float | None:
    """Return the lowest cost at which a curve, with mixtures of two settings, reaches a quality; ``None`` when it does not."""
    corners = hull(points)
    if not corners or corners[-1].quality < quality - _SAME:
        return None
    if corners[0].quality >= quality:
        return corners[0].cost_usd
    for left, right in itertools.pairwise(corners):
        if right.quality >= quality - _SAME:
            return left.cost_usd + (quality - left.quality) / (right.quality - left.quality) * (right.cost_usd - left.cost_usd)
    return None


@dataclass(frozen=True, slots=True)
class StrongShare:
    """One setting of a two-model router: share of requests that call the strong model, and quality."""

    share: float
    quality: float


def apgr(settings: Iterable[StrongShare], *, weak: float, strong: float) -> float:
    """Return RouteLLM's average performance gap recovered (APGR), over all shares of strong calls (Ong and others 2024).

    Args:
        settings: The settings of the router.
        weak: Quality of the weak model, 0..1.
        strong: Quality of the strong model, 0..1.
    """
    line = _between(settings, weak=weak, strong=strong)
    return sum((right.share - left.share) * (left.quality + right.quality) / 2 for left, right in itertools.pairwise(line))


def cpt(settings: Iterable[StrongShare], recovered: float, *, weak: float, strong: float) -> float | None:
    """Return the share of strong calls that recovers a given share of the performance gap (CPT); ``None`` when none does."""
    line = _between(settings, weak=weak, strong=strong)
    for left, right in itertools.pairwise(line):
        if left.quality >= recovered:
            return left.share
        if right.quality >= recovered:
            return left.share + (recovered - left.quality) / (right.quality - left.quality) * (right.share - left.share)
    return None


def _between(settings: Iterable[StrongShare], *, weak: float, strong: float) -> list[StrongShare]:
    gap = strong - weak
    inside = [StrongShare(each.share, (each.quality - weak) / gap) for each in settings]
    best: dict[float, float] = {0.0: 0.0, 1.0: 1.0}
    for each in inside:
        best[each.share] = max(best.get(each.share, each.quality), each.quality)
    return [StrongShare(share, quality) for share, quality in sorted(best.items())]
