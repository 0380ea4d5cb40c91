"""The cost-quality picture."""

import xml.etree.ElementTree as ET

from crew_router.cli.svg import Point, cost_quality_svg

SVG = "{http://www.w3.org/2000/svg}"


def drawn(points):
    """Return the parsed picture."""
    return ET.fromstring(cost_quality_svg("A & B", points, unit="USD"))  # noqa: S314 - our own text


def test_every_point_is_drawn_and_named():
    """Each point has a mark and a label, and the settings of the dial are joined."""
    points = [Point("one <x>", 1.0, 0.4, "single"), Point("two", 2.0, 0.9, "router"), Point("three", 3.0, 0.95, "router")]

    picture = drawn(points)

    texts = [element.text or "" for element in picture.iter(f"{SVG}text")]
    assert len(list(picture.iter(f"{SVG}circle"))) == 3
    assert any("one <x>: 40.0%" in text for text in texts)
    (line,) = picture.iter(f"{SVG}polyline")
    assert len(line.attrib["points"].split()) == 2


def test_better_is_higher_and_dearer_is_further_right():
    """The axes point the way a reader expects."""
    low, high = (
        (float(mark.attrib["cx"]), float(mark.attrib["cy"]))
        for mark in drawn([Point("low", 1.0, 0.4, "single"), Point("high", 2.0, 0.9, "single")]).iter(f"{SVG}circle")
    )

    assert high[0] > low[0]
    assert high[1] < low[1]


def test_a_single_point_can_be_drawn():
    """One point, or points that are all alike, do not break the scale."""
    assert list(drawn([Point("only", 0.0, 0.5, "single")]).iter(f"{SVG}circle"))
