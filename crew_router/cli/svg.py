"""Draw a cost-quality picture as SVG: numbered points, a line through the router's settings, the hull of the models, a legend."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from crew_router.decide.learned.curve import CurvePoint, hull

_WIDTH: Final = 900
_PLOT_HEIGHT: Final = 400
_LEFT, _RIGHT, _TOP = 92, 40, 62
_BELOW: Final = 62  # for the numbers and the title of the cost axis
_ROW: Final = 22
_COLOURS: Final = {"single": "#475569", "yardstick": "#b45309", "router": "#0f766e"}
_INK: Final = "#334155"
_ROOM: Final = 0.08
_CHARACTER: Final = 7.1  # average width of a character of the legend in pixels, rounded up
_NUMBERED: Final = 12  # settings of the dial that get a number; more numbers would cover the line
_RADIUS: Final = 5.0
_NUMBER: Final = (15.0, 13.0)  # pixels that a number needs to itself
_DIRECTIONS: Final = ((0, -1), (0, 1), (1, 0), (-1, 0), (0.8, -0.8), (-0.8, -0.8), (0.8, 0.8), (-0.8, 0.8))
_DISTANCES: Final = (16.0, 24.0, 34.0, 46.0, 60.0, 76.0)


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
    listed = _listed(points)
    legend = _Legend.of(listed)
    height = _TOP + _PLOT_HEIGHT + _BELOW + legend.height
    scale = _Scale.around(points)
    return "\n".join(
        (
            *_frame(title, height),
            *_axes(unit, scale),
            *_lines(points, scale),
            *_marks(points, scale),
            *_numbers(points, listed, scale),
            *legend.drawn(listed, top=_TOP + _PLOT_HEIGHT + _BELOW),
            "</svg>",
            "",
        )
    )


def _frame(title: str, height: int) -> Iterator[str]:
    yield "<?xml version='1.0' encoding='utf-8'?>"
    size = f'width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="13">'
    yield f'<rect width="{_WIDTH}" height="{height}" fill="white"/>'
    yield f'<text x="{_LEFT}" y="32" font-size="17" font-weight="bold" fill="{_INK}">{escape(title)}</text>'


def _listed(points: Sequence[Point]) -> list[Point]:
    """Return the points that get a number and a row of the legend: all but, of many settings of the dial, a dozen."""
    routed = [index for index, point in enumerate(points) if point.kind == "router"]
    if len(routed) > _NUMBERED:
        step = (len(routed) - 1) / (_NUMBERED - 1)
        kept = {routed[round(each * step)] for each in range(_NUMBERED)}
        return [point for index, point in enumerate(points) if point.kind != "router" or index in kept]
    return list(points)


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
        return _TOP + _PLOT_HEIGHT - (quality - self.quality_low) / (self.quality_high - self.quality_low) * _PLOT_HEIGHT

    def place(self, point: Point) -> tuple[float, float]:
        return self.x(point.cost_usd), self.y(point.quality)


def _axes(unit: str, scale: _Scale) -> Iterator[str]:
    bottom, right = _TOP + _PLOT_HEIGHT, _WIDTH - _RIGHT
    for quality in _ticks(scale.quality_low, scale.quality_high):
        yield f'<path d="M{_LEFT},{scale.y(quality):.1f} H{right}" stroke="#e2e8f0"/>'
        yield f'<text x="{_LEFT - 8}" y="{scale.y(quality) + 4:.1f}" text-anchor="end" fill="{_INK}">{quality:.0%}</text>'
    for cost in _ticks(scale.cost_low, scale.cost_high):
        yield f'<path d="M{scale.x(cost):.1f},{bottom} v5" stroke="{_INK}"/>'
        yield f'<text x="{scale.x(cost):.1f}" y="{bottom + 20}" text-anchor="middle" fill="{_INK}">{cost:g}</text>'
    yield f'<path d="M{_LEFT},{_TOP} V{bottom} H{right}" fill="none" stroke="{_INK}"/>'
    yield f'<text x="{(_LEFT + right) / 2}" y="{bottom + 42}" text-anchor="middle" fill="{_INK}">{escape(unit)}</text>'
    middle = _TOP + _PLOT_HEIGHT / 2
    yield f'<text x="26" y="{middle}" text-anchor="middle" fill="{_INK}" transform="rotate(-90 26 {middle})">share of right answers</text>'


def _lines(points: Sequence[Point], scale: _Scale) -> Iterator[str]:
    corners = _corners(points)
    if len(corners) > 1:
        path = " L".join(f"{scale.x(corner.cost_usd):.1f},{scale.y(corner.quality):.1f}" for corner in corners)
        yield f'<path d="M{path}" fill="none" stroke="{_COLOURS["single"]}" stroke-width="1.5" stroke-dasharray="5 4"/>'
    path = " ".join(f"{scale.x(p.cost_usd):.1f},{scale.y(p.quality):.1f}" for p in points if p.kind == "router")
    yield f'<polyline points="{path}" fill="none" stroke="{_COLOURS["router"]}" stroke-width="2"/>'


def _marks(points: Sequence[Point], scale: _Scale) -> Iterator[str]:
    for point in points:
        x, y = scale.place(point)
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS:g}" fill="{_COLOURS[point.kind]}" stroke="white"/>'


def _numbers(points: Sequence[Point], listed: Sequence[Point], scale: _Scale) -> Iterator[str]:
    """Draw each number beside its mark where it covers neither a mark nor another number; a line joins the two when they are apart."""
    occupied = [scale.place(point) for point in points] + list(_along(points, scale))
    for number, point in enumerate(listed, start=1):
        x, y = scale.place(point)
        colour = _COLOURS[point.kind]
        to_x, to_y = _free_place(x, y, occupied)
        occupied.append((to_x, to_y))
        away = math.hypot(to_x - x, to_y - y)
        if away > _DISTANCES[1]:
            right, down = (to_x - x) / away, (to_y - y) / away
            start = f"{x + right * _RADIUS:.1f},{y + down * _RADIUS:.1f}"
            yield f'<path d="M{start} L{to_x - right * 9:.1f},{to_y - down * 9:.1f}" stroke="{colour}" stroke-width="0.8"/>'
        style = f'font-size="12" font-weight="bold" text-anchor="middle" fill="{colour}"'
        yield f'<text x="{to_x:.1f}" y="{to_y + 4:.1f}" {style}>{number}</text>'


def _along(points: Sequence[Point], scale: _Scale) -> Iterator[tuple[float, float]]:
    """Yield places along both lines, so that no number lies on them."""
    routed = [scale.place(point) for point in points if point.kind == "router"]
    corners = [(scale.x(corner.cost_usd), scale.y(corner.quality)) for corner in _corners(points)]
    for (x, y), (next_x, next_y) in (*itertools.pairwise(routed), *itertools.pairwise(corners)):
        steps = math.ceil(math.hypot(next_x - x, next_y - y) / _RADIUS)
        yield from ((x + (next_x - x) * index / steps, y + (next_y - y) * index / steps) for index in range(1, steps))


def _corners(points: Sequence[Point]) -> tuple[CurvePoint, ...]:
    return hull(CurvePoint(point.cost_usd, point.quality) for point in points if point.kind == "single")


def _free_place(x: float, y: float, occupied: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the nearest free place for a number beside a mark, inside the plot; the farthest tried when none is free."""
    place = (x, y)
    for distance, (right, down) in itertools.product(_DISTANCES, _DIRECTIONS):
        place = (x + right * distance, y + down * distance)
        inside = _LEFT + 12 < place[0] < _WIDTH - 8 and _TOP - 12 < place[1] < _TOP + _PLOT_HEIGHT - 8
        if inside and not any(_covers(place, other) for other in occupied):
            return place
    return place


def _covers(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] - other[0]) <= _NUMBER[0] and abs(one[1] - other[1]) <= _NUMBER[1]


@dataclass(frozen=True, slots=True)
class _Legend:
    """The layout of the legend: as many columns as the longest entry allows, filled from top to bottom."""

    columns: int
    rows: int

    @classmethod
    def of(cls, listed: Sequence[Point]) -> _Legend:
        widest = max((len(_legend_text(point, 99)) for point in listed), default=1) * _CHARACTER + 40
        columns = max(1, min(3, int((_WIDTH - _RIGHT) // widest)))
        return cls(columns, math.ceil(len(listed) / columns))

    @property
    def height(self) -> int:
        return (self.rows + 1) * _ROW + 20

    def drawn(self, listed: Sequence[Point], *, top: float) -> Iterator[str]:
        width = (_WIDTH - _RIGHT) / self.columns
        for index, point in enumerate(listed):
            column, row = divmod(index, self.rows)
            x, y = 30 + column * width, top + row * _ROW + 14
            colour = _COLOURS[point.kind]
            yield f'<rect x="{x - 5:.1f}" y="{y - 9:.1f}" width="10" height="10" rx="5" fill="{colour}"/>'
            yield f'<text x="{x + 14:.1f}" y="{y:.1f}" fill="{colour}">{escape(_legend_text(point, index + 1))}</text>'
        y = top + self.rows * _ROW + 14
        yield f'<path d="M22,{y - 4} h34" stroke="{_COLOURS["router"]}" stroke-width="2"/>'
        yield f'<text x="64" y="{y}" fill="{_INK}">the router at its settings</text>'
        yield f'<path d="M282,{y - 4} h34" stroke="{_COLOURS["single"]}" stroke-width="1.5" stroke-dasharray="5 4"/>'
        yield f'<text x="324" y="{y}" fill="{_INK}">hull of the single models: the best that a random mix of them can do</text>'


def _legend_text(point: Point, number: int) -> str:
    return f"{number}  {point.label}: {point.quality:.1%}, {point.cost_usd:.3g}"


def _ticks(low: float, high: float) -> list[float]:
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    step *= next(factor for factor in (1, 2, 5) if (high - low) / (step * factor) <= 6 or factor == 5)  # noqa: PLR2004 - at most six ticks
    return [round(step * n, 12) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
