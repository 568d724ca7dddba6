"""A picture of cost against quality: round marks, and the choices that nothing beats."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dashboard.made import HOSTILE

from farthing.dashboard.charts import Frame
from farthing.dashboard.scatter import Point, scatter, unbeaten

POINTS = st.lists(
    st.builds(Point, name=st.text(max_size=30), cost=st.integers(1, 10**18), quality=st.integers(0, 1000)),
    min_size=1,
    max_size=12,
)


def drawn(points, width=920):
    frame = Frame("key", "Title", "Says", str)
    return ET.fromstring(scatter(frame, points, ("cost", "quality"), width))


@given(points=POINTS)
def test_nothing_beats_what_is_kept_and_something_beats_the_rest(points):
    kept = unbeaten(points)
    for one in points:
        better = [
            other
            for other in points
            if other.cost <= one.cost
            and other.quality >= one.quality
            and (other.cost, other.quality) != (one.cost, one.quality)
        ]
        is_kept = (one.cost, one.quality) in [(other.cost, other.quality) for other in kept]
        assert is_kept == (not better)


@given(points=POINTS, width=st.sampled_from([360, 920]))
def test_every_point_is_within_the_picture_and_dearer_ones_stand_further_right(points, width):
    printable = [one._replace(name=re.sub(r"[^ -~]", "?", one.name)) for one in points]
    circles = list(drawn(printable, width).iter("circle"))
    assert len(circles) == len(points)
    places = {}
    for circle in circles:
        x, y = float(circle.get("cx")), float(circle.get("cy"))
        assert 0 <= x <= width
        assert 0 <= y <= 284
        places[circle.find("title").text] = x
    ordered = sorted(printable, key=lambda one: one.cost)
    told = [places[f"{one.name}: {one.cost}, {one.quality / 10:.1f} %"] for one in ordered]
    assert told == sorted(told)


def test_names_are_text():
    svg = scatter(Frame("k", HOSTILE, HOSTILE, str), [Point(HOSTILE, 5, 500)], (HOSTILE, HOSTILE), 920)
    assert "<img" not in svg


@pytest.mark.parametrize(
    ("costs", "first", "last"), [([3, 40], "2", "50"), ([10], "10", "20"), ([999, 1000], "500", "2000")]
)
def test_marks_are_round(costs, first, last):
    words = [one.text for one in drawn([Point("p", cost, 1) for cost in costs]).iter("text")]
    marks = [word for word in words if word and word.isdecimal()]
    assert (marks[0], marks[-1]) == (first, last)
