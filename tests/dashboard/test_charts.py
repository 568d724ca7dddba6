"""Pictures are well-formed, inert, and as tall as their figures."""

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from farthing.dashboard.charts import NARROW, WIDE, Frame, Series, Step, stacked, waterfall

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


@given(TEXT, st.lists(st.tuples(TEXT, AMOUNTS), max_size=12), st.sampled_from([WIDE, NARROW]))
def test_whatever_the_names_and_amounts_the_picture_is_well_formed(title, bars, width):
    labels, values = [name for name, _ in bars], tuple(value for _, value in bars)
    svg = drawn(stacked(frame(title), labels, [Series(title, values, 0)], list(values), width))
    assert svg.find("title").text in (title, None)
    steps = [Step(name, value) for name, value in bars]
    assert drawn(waterfall(frame(title), steps, width)).get("role") == "img"


def test_markup_in_a_name_is_text():
    nasty = '<script>alert("1")</script>'
    for svg in (
        stacked(frame(nasty), [nasty], [Series(nasty, (1,), 0)], [], WIDE),
        waterfall(frame(nasty), [Step(nasty, 1)], WIDE),
    ):
        assert "<script" not in svg
        assert not list(drawn(svg).iter("script"))
    assert SVG not in svg  # drawn inside HTML, where no name of a namespace is needed
