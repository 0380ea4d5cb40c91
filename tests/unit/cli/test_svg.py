"""The cost-quality picture."""

import itertools
import xml.etree.ElementTree as ET

from crew_router.cli.svg import Point, cost_quality_svg

SVG = "{http://www.w3.org/2000/svg}"
CROWD = [
    *(Point(f"only a model with a rather long name {at}", 1.0 + at, 0.3 + at / 10, "single") for at in range(6)),
    *(Point(f"router at ${at}", 3.0 + at / 100, 0.7 + at / 1000, "router") for at in range(30)),
]


def drawn(points):
    """Return the parsed picture."""
    return ET.fromstring(cost_quality_svg("A & B", points, unit="USD"))  # noqa: S314 - our own text


def boxes(picture):
    """Return about where each text that stands level is: left, top, right, bottom."""
    found = []
    for element in picture.iter(f"{SVG}text"):
        if "transform" in element.attrib:
            continue
        size = float(element.attrib.get("font-size", 13))
        wide, x, y = 0.56 * size * len(element.text), float(element.attrib["x"]), float(element.attrib["y"])
        left = x - wide * {"start": 0.0, "middle": 0.5, "end": 1.0}[element.attrib.get("text-anchor", "start")]
        found.append((left, y - 0.75 * size, left + wide, y))
    return found


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


def test_no_text_lies_on_another_or_outside_the_picture():
    """Also where thirty settings crowd beside each other, every text can be read whole."""
    picture = drawn(CROWD)

    found = boxes(picture)
    wide, high = float(picture.attrib["width"]), float(picture.attrib["height"])
    assert all(left >= 0 and top >= 0 and right <= wide and bottom <= high for left, top, right, bottom in found)
    overlapping = [
        (one, other)
        for one, other in itertools.combinations(found, 2)
        if one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
    ]
    assert overlapping == []


def test_both_axes_have_a_title():
    """A reader is told what is drawn against what."""
    texts = {element.text for element in drawn(CROWD).iter(f"{SVG}text")}

    assert {"USD", "share of right answers"} <= texts


def test_of_many_settings_a_dozen_is_numbered():
    """The first and the last setting are among the dozen in the legend; all thirty have a mark."""
    picture = drawn(CROWD)

    texts = [element.text or "" for element in picture.iter(f"{SVG}text")]
    assert sum("router at $" in text for text in texts) == 12
    assert any("router at $0:" in text for text in texts)
    assert any("router at $29:" in text for text in texts)
    assert len(list(picture.iter(f"{SVG}circle"))) == len(CROWD)
