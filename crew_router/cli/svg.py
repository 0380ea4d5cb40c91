"""A cost-quality picture as SVG: named points, and a line for the settings of the dial."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

_WIDTH: Final = 860
_HEIGHT: Final = 520
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 250, 50, 60
_COLOURS: Final = {"single": "#64748b", "yardstick": "#b45309", "router": "#0f766e"}
_ROOM: Final = 0.08


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the picture: cost in USD, quality 0..1; ``kind`` is single, yardstick or router."""

    label: str
    cost_usd: float
    quality: float
    kind: str


def cost_quality_svg(title: str, points: Sequence[Point], *, unit: str) -> str:
    """Return the picture; the points of kind router are joined in the order given.

    Args:
        title: Its heading.
        points: What to draw; costs are shown as they are, in ``unit``.
        unit: What a cost means, for example ``USD per 1,000 requests``.
    """
    scale = _Scale.around(points)
    return "\n".join(["<?xml version='1.0' encoding='utf-8'?>", *_drawn(title, points, unit=unit, scale=scale), "</svg>", ""])


@dataclass(frozen=True, slots=True)
class _Scale:
    cost_low: float
    cost_high: float
    quality_low: float
    quality_high: float

    @classmethod
    def around(cls, points: Sequence[Point]) -> _Scale:
        costs, qualities = [p.cost_usd for p in points], [p.quality for p in points]
        room_x, room_y = _ROOM * ((max(costs) - min(costs)) or 1.0), _ROOM * ((max(qualities) - min(qualities)) or 1.0)
        return cls(max(min(costs) - room_x, 0.0), max(costs) + room_x, min(qualities) - room_y, min(max(qualities) + room_y, 1.0))

    def x(self, cost: float) -> float:
        return _LEFT + (cost - self.cost_low) / (self.cost_high - self.cost_low) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, quality: float) -> float:
        return _HEIGHT - _BOTTOM - (quality - self.quality_low) / (self.quality_high - self.quality_low) * (_HEIGHT - _TOP - _BOTTOM)


def _drawn(title: str, points: Sequence[Point], *, unit: str, scale: _Scale) -> Iterator[str]:
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="13">'
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>'
    yield f'<text x="{_LEFT}" y="28" font-size="17" font-weight="bold">{escape(title)}</text>'
    yield from _axes(unit, scale)
    path = " ".join(f"{scale.x(p.cost_usd):.1f},{scale.y(p.quality):.1f}" for p in points if p.kind == "router")
    yield f'<polyline points="{path}" fill="none" stroke="{_COLOURS["router"]}" stroke-width="2"/>'
    for at, point in enumerate(points):
        yield from _mark(point, scale, at=at)


def _axes(unit: str, scale: _Scale) -> Iterator[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    yield f'<path d="M{_LEFT},{_TOP} V{bottom} H{right}" fill="none" stroke="#334155"/>'
    for cost in _ticks(scale.cost_low, scale.cost_high):
        yield f'<text x="{scale.x(cost):.1f}" y="{bottom + 20}" text-anchor="middle">{cost:g}</text>'
        yield f'<path d="M{scale.x(cost):.1f},{bottom} v5" stroke="#334155"/>'
    for quality in _ticks(scale.quality_low, scale.quality_high):
        yield f'<text x="{_LEFT - 8}" y="{scale.y(quality) + 4:.1f}" text-anchor="end">{quality:.0%}</text>'
        yield f'<path d="M{_LEFT},{scale.y(quality):.1f} H{right}" stroke="#e2e8f0"/>'
    yield f'<text x="{(_LEFT + right) / 2}" y="{_HEIGHT - 14}" text-anchor="middle">{escape(unit)}</text>'


def _mark(point: Point, scale: _Scale, *, at: int) -> Iterator[str]:
    x, y, colour = scale.x(point.cost_usd), scale.y(point.quality), _COLOURS[point.kind]
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>'
    yield f'<text x="{x + 6:.1f}" y="{y - 6:.1f}" font-size="11" fill="{colour}">{at + 1}</text>'
    label = f"{at + 1}  {point.label}: {point.quality:.1%}, {point.cost_usd:.3g}"
    yield f'<text x="{_WIDTH - _RIGHT + 16}" y="{_TOP + 14 + at * 20}" fill="{colour}">{escape(label)}</text>'


def _ticks(low: float, high: float) -> list[float]:
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    step *= next(factor for factor in (1, 2, 5) if (high - low) / (step * factor) <= 6 or factor == 5)  # noqa: PLR2004 - at most six ticks
    return [round(step * n, 12) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
