"""Pictures are well-formed, inert, and as tall as their figures."""

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from farthing.dashboard.charts import (
    NARROW,
    WIDE,
    Frame,
    Series,
    Step,
    Swing,
    Track,
    stacked,
    tornado,
    tracked,
    waterfall,
)

TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff"), max_size=40)
AMOUNTS = st.integers(0, 10**18)
SVG = "{http://www.w3.org/2000/svg}"


def frame(title="A picture"):
    return Frame("key", title, "what it says", str)


def drawn(svg):
    return ET.fromstring(svg)


def heights(svg, look):
    return [float(rect.get("height")) for rect in drawn(svg).iter("rect") if rect.get("class") == look]


def test_a_bar_is_as_tall_as_its_figure():
    svg = stacked(frame(), ["a", "b"], [Series("one", (50, 100), 0), Series("two", (50, 0), 1)], [], WIDE)
    (first, second), (other,) = heights(svg, "c0"), heights(svg, "c1")
    assert second == 2 * first == 2 * other


def test_a_bar_leads_where_it_is_told_to_and_says_what_it_is():
    svg = stacked(frame(), ["a<", "b"], [Series("one", (1, 2), 0)], [], WIDE, (), ["/x?a=1&b=2", "/y"])
    links = list(drawn(svg).iter("a"))
    assert [link.get("href") for link in links] == ["/x?a=1&b=2", "/y"]
    assert links[0].find("title").text.startswith("a<: ")
    assert drawn(svg).get("role") == "group"  # a picture has no links in it


def test_the_line_of_the_days_before_has_a_point_for_each():
    svg = stacked(frame(), ["a", "b", "c"], [Series("one", (1, 2, 3), 0)], [3, 2], WIDE)
    (line,) = drawn(svg).iter("polyline")
    assert len(line.get("points").split()) == 2


def test_a_waterfall_carries_one_total_over_to_the_next():
    steps = [Step("before", 100, is_total=True), Step("more", 50), Step("less", -30), Step("now", 120, is_total=True)]
    bars = drawn(waterfall(frame(), steps, WIDE)).iter("rect")
    rects = [(bar.get("class"), float(bar.get("x")), float(bar.get("width"))) for bar in bars]
    (_, ground, before), (_, up_x, up), (_, down_x, down), (_, _, now) = rects
    unit = before / 100
    assert [look for look, _, _ in rects] == ["total", "up", "down", "total"]
    assert abs(up_x - ground - before) < 0.2
    assert abs(up - 50 * unit) < 0.2
    assert abs(down_x + down - up_x - up) < 0.2
    assert abs(now - 120 * unit) < 0.2


def test_a_tornado_reaches_to_both_sides_of_the_figure():
    bars = drawn(tornado(frame(), 100, [Swing("wide", 60, 180), Swing("back", 120, 90)], WIDE)).iter("rect")
    widths = [(bar.get("class"), float(bar.get("width"))) for bar in bars]
    (_, down), (_, up), (_, less), (_, more) = widths
    assert [look for look, _ in widths] == ["down", "up", "down", "up"]
    unit = (down + up) / 120
    assert all(abs(found - expected * unit) < 0.2 for found, expected in ((down, 40), (up, 80), (less, 10), (more, 20)))


@given(TEXT, st.lists(st.tuples(TEXT, AMOUNTS), max_size=12), st.sampled_from([WIDE, NARROW]))
def test_whatever_the_names_and_amounts_the_picture_is_well_formed(title, bars, width):
    labels, values = [name for name, _ in bars], tuple(value for _, value in bars)
    svg = drawn(stacked(frame(title), labels, [Series(title, values, 0)], list(values), width))
    assert svg.find("title").text in (title, None)
    steps = [Step(name, value) for name, value in bars]
    assert drawn(waterfall(frame(title), steps, width)).get("role") == "img"
    swings = [Swing(name, value, 2 * value) for name, value in bars]
    assert drawn(tornado(frame(title), 7, swings, width)).get("role") == "img"


def test_what_was_expected_lies_behind_the_bars_and_ends_where_nothing_was():
    band = [(10, 20), (10, 20), None, (0, 500)]
    svg = stacked(frame(), list("abcd"), [Series("one", (15, 15, 15, 15), 0)], [], WIDE, band)
    first, second = (
        [tuple(map(float, pair.split(","))) for pair in one.get("points").split()] for one in polygons(svg)
    )
    assert (len(first), len(second)) == (8, 4)
    assert svg.index('class="band"') < svg.index('class="c0"')
    assert min(y for _, y in second) >= 0  # what would tower over everything is cut off


def corners(polygon):
    return [tuple(map(float, pair.split(","))) for pair in polygon.get("points").split()]


def polygons(svg):
    return [one for one in drawn(svg).iter("polygon") if one.get("class") == "band"]


def test_a_track_breaks_where_nothing_came_and_marks_the_spike():
    track = Track((1, None, 3, 90), (None, None, (1, 4), (1, 4)), (False, False, False, True), 50)
    svg = drawn(tracked(frame(), list("abcd"), track, WIDE))
    assert [len(line.get("points").split()) for line in svg.iter("polyline")] == [2, 3]  # the end is there twice
    assert [dot.get("class") for dot in svg.iter("circle")] == ["spike"]
    titles = [rect.find("title").text for rect in svg.iter("rect") if rect.get("class") == "over"]
    assert titles == ["a: 1", "b: none", "c: 3, expected 1 to 4", "d: 90, expected 1 to 4"]
    assert [path for path in svg.iter("path") if path.get("class") == "limit"]


@given(
    st.lists(st.tuples(TEXT, AMOUNTS | st.none(), st.tuples(AMOUNTS, AMOUNTS) | st.none(), st.booleans()), max_size=30),
    AMOUNTS | st.none(),
    st.sampled_from([WIDE, NARROW]),
)
def test_whatever_is_tracked_the_picture_is_well_formed(rows, limit, width):
    bands = tuple(None if band is None else (min(band), max(band)) for _, _, band, _ in rows)
    track = Track(tuple(seen for _, seen, _, _ in rows), bands, tuple(one for *_, one in rows), limit)
    assert drawn(tracked(frame(), [label for label, *_ in rows], track, width)).get("role") == "img"


def test_markup_in_a_name_is_text():
    nasty = '<script>alert("1")</script>'
    for svg in (
        stacked(frame(nasty), [nasty], [Series(nasty, (1,), 0)], [], WIDE),
        waterfall(frame(nasty), [Step(nasty, 1)], WIDE),
        tornado(frame(nasty), 1, [Swing(nasty, 0, 2)], WIDE),
        tracked(frame(nasty), [nasty], Track((1,), (None,), (True,)), WIDE),
    ):
        assert "<script" not in svg
        assert not list(drawn(svg).iter("script"))
    assert SVG not in svg  # drawn inside HTML, where no name of a namespace is needed
