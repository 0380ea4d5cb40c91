"""Figures of cost-quality curves, on curves whose figures are known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crew_router.decide.learned.curve import CurvePoint, StrongShare, aiq, apgr, cost_for, cpt, hull, quality_at

POINTS = st.lists(st.builds(CurvePoint, st.floats(0, 10), st.floats(0, 1)), min_size=1, max_size=12)


def test_hull_leaves_out_what_lies_below_a_mix_and_what_is_dearer_and_worse():
    """Only corners of the non-decreasing concave hull are left."""
    points = [CurvePoint(1, 0.5), CurvePoint(2, 0.6), CurvePoint(3, 0.9), CurvePoint(4, 0.8)]

    assert hull(points) == (CurvePoint(1, 0.5), CurvePoint(3, 0.9))


@given(POINTS)
def test_hull_is_nowhere_below_a_point_and_never_falls(points):
    """At the cost of every point the hull is at least as good, and it rises from corner to corner."""
    corners = hull(points)

    assert all(quality_at(corners, point.cost_usd) >= point.quality - 1e-9 for point in points)
    assert [corner.quality for corner in corners] == sorted(corner.quality for corner in corners)


def test_aiq_of_a_straight_line_is_its_middle():
    """From 0.5 to 0.9 over the whole range, the average is 0.7."""
    assert aiq([CurvePoint(1, 0.5), CurvePoint(3, 0.9)], low_usd=1, high_usd=3) == pytest.approx(0.7)


def test_aiq_is_nothing_left_of_the_cheapest_point_and_flat_to_the_right():
    """A router that begins in the middle gets half of its quality."""
    assert aiq([CurvePoint(2, 0.8)], low_usd=1, high_usd=3) == pytest.approx(0.4)


def test_aiq_drops_points_above_the_dearest_single_model():
    """What lies beyond the range does not lift the curve inside it."""
    assert aiq([CurvePoint(1, 0.5), CurvePoint(9, 1.0)], low_usd=1, high_usd=3) == pytest.approx(0.5)


@given(POINTS, POINTS)
def test_more_settings_never_lower_the_aiq_of_a_curve_that_begins_at_the_left(points, more):
    """With a point at the cheapest cost, further settings can only help."""
    first = CurvePoint(0.0, 0.0)

    assert aiq([first, *points, *more], low_usd=0, high_usd=10) >= aiq([first, *points], low_usd=0, high_usd=10) - 1e-9


def test_cost_for_a_quality_mixes_two_settings():
    """Halfway between two corners costs halfway between them; what is never reached has no cost."""
    points = [CurvePoint(1, 0.5), CurvePoint(3, 0.9)]

    assert cost_for(points, 0.7) == pytest.approx(2)
    assert cost_for(points, 0.4) == pytest.approx(1)
    assert cost_for(points, 0.95) is None


def test_two_model_figures_of_a_random_mix_are_those_of_chance():
    """A line recovers half of the gap on average, and half of it with half of the strong calls."""
    mix = [StrongShare(0.25, 0.6), StrongShare(0.75, 0.8)]

    assert apgr(mix, weak=0.5, strong=0.9) == pytest.approx(0.5)
    assert cpt(mix, 0.5, weak=0.5, strong=0.9) == pytest.approx(0.5)


def test_two_model_figures_of_a_perfect_router_need_few_strong_calls():
    """All of the gap with a fifth of the calls: 80 % of it with 16 %."""
    assert cpt([StrongShare(0.2, 0.9)], 0.8, weak=0.5, strong=0.9) == pytest.approx(0.16)
