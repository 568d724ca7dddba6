"""Rows of a ledger as JSON, CSV, cells and charts: pure functions, checked by hand."""

import csv
import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.call import Usage
from farthing.ledger.interface import Query, Row
from farthing.reports import charts, sums
from farthing.reports.classes import by_class
from farthing.reports.pareto import pareto
from farthing.units import Kind, Unit

USD = 10**12


def row(*key, usd=1.0, calls=1, unpriced=0, start=None):
    pusd = round(usd * 1000) * USD // 1000
    return Row(
        key=key,
        start=start,
        calls=calls,
        unpriced_calls=unpriced,
        usage=Usage(input_tokens=10, output_tokens=2, cache_read_tokens=5),
        list_pusd=pusd,
        low_pusd=pusd,
        high_pusd=None if unpriced else pusd,
        contract_pusd=pusd,
        kind=Kind.MEASURED,
    )


class TestSums:
    QUERY = Query(by=("tenant",), bucket="day")

    def test_json_is_exact_and_keeps_what_is_not_set_apart(self):
        at = datetime(2026, 10, 5, tzinfo=UTC)
        rows = [row("acme", usd=2, start=at), row(None, usd=1, unpriced=1, start=at)]
        report = sums.report_json(self.QUERY, rows, row(usd=3))
        assert [one["key"] for one in report["rows"]] == [{"tenant": "acme"}, {"tenant": None}]
        assert [one["share"] for one in report["rows"]] == ["0.666667", "0.333333"]
        assert report["rows"][1]["high_usd"] is None
        assert report["rows"][0]["start"] == "2026-10-05T00:00:00+00:00"
        assert "key" not in report["totals"]

    def test_no_calls_are_no_totals(self):
        assert sums.report_json(self.QUERY, [], None)["totals"] is None

    @given(st.text(max_size=20))
    def test_no_csv_cell_is_a_formula_and_none_is_lost(self, text):
        written = sums.report_csv(Query(by=("tenant",)), [row(text)])
        (cells,) = csv.DictReader(io.StringIO(written, newline=""))
        assert not cells["tenant"].startswith(("=", "+", "-", "@", "\t", "\r"))
        assert cells["tenant"].endswith("".join(one if one.isprintable() else " " for one in text))

    @pytest.mark.parametrize(
        ("count", "text"),
        [
            (0, "0"),
            (999, "999"),
            (1000, "1.00k"),
            (9_994, "9.99k"),
            (9_996, "10.0k"),
            (99_960, "100k"),
            (10**9, "1.00B"),
        ],
    )
    def test_compact(self, count, text):
        assert sums.compact(count) == text

    @given(st.integers(0, 10**20), st.integers(1, 10**20))
    def test_shares_round_to_the_nearest(self, part, whole):
        assert abs(float(sums.share_text(part, whole, 6)) - part / whole) <= 0.51e-6 * max(1, part / whole)

    def test_a_share_of_nothing_is_none(self):
        assert sums.share_text(0, 0, 3) is None
        assert sums.percent(0, 0) == ""
        assert sums.percent(1, 3) == "33.3 %"

    def test_cells(self):
        assert sums.key_cell("tenant", None) == "(not set)"
        assert sums.key_cell("weekday", "6") == "Sun"
        assert sums.key_cell("hour_of_day", "7") == "07:00"
        assert (
            sums.start_cell(Query(bucket="hour"), row(start=datetime(2026, 10, 5, 7, tzinfo=UTC))) == "2026-10-05 07:00"
        )
        assert sums.start_cell(Query(bucket="month"), row(start=datetime(2026, 10, 1, tzinfo=UTC))) == "2026-10"


class TestPareto:
    def test_the_fewest_that_reach_the_share(self):
        found = pareto([row("a", usd=1), row("b", usd=5), row("c", usd=3), row("d", usd=1, unpriced=1)])
        assert [one.key for one in found.top] == [("b",), ("c",)]
        assert found.cumulative_pusd == (5 * USD, 8 * USD)
        assert (found.groups, found.total_pusd, found.unpriced_groups) == (4, 10 * USD, 1)

    def test_nothing_costs_nothing(self):
        assert pareto([]).top == ()
        assert pareto([row("a", usd=0)]).top == ()

    @given(st.lists(st.integers(0, 1000), max_size=20), st.integers(1, 100))
    def test_one_fewer_would_not_do(self, thousandths, percent):
        rows = [row(str(number), usd=amount / 1000) for number, amount in enumerate(thousandths)]
        found = pareto(rows, percent)
        reached = [0, *found.cumulative_pusd]
        assert reached[-1] * 100 >= found.total_pusd * percent
        assert len(reached) == 1 or reached[-2] * 100 < found.total_pusd * percent


class TestCharts:
    @given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(1, 80))
    def test_a_bar_never_overflows_and_shows_what_is_there(self, value, largest, width):
        drawn = charts.bar(value, largest, width)
        assert len(drawn) <= width
        assert bool(drawn) == (value > 0 and largest > 0)

    def test_a_sparkline_has_a_place_for_each_value(self):
        assert charts.sparkline([0, 1, 2, 4]) == " ▂▄█"
        assert charts.sparkline([]) == ""
        assert charts.sparkline([0, 0]) == "  "
        assert charts.sparkline([1, 10**9]) == "▁█"

    def test_a_heat_map_is_a_week_of_hours(self):
        header, *days = charts.heatmap({(0, 9): 4, (6, 23): 1})
        assert [line[:3] for line in days] == list(charts.WEEKDAYS)
        assert {len(line) for line in days} == {76}
        assert days[0][4 + 9 * 3 : 4 + 10 * 3] == "███"
        assert days[6].endswith("░░░")
        assert header.index("09") == 4 + 9 * 3


def test_classes_sum_to_the_bills():
    import farthing

    at = datetime(2026, 10, 5, tzinfo=UTC)
    usage = {"input_tokens": 1000, "output_tokens": 100, "server_tool_use": {"web_search_requests": 2}}
    bills = [
        farthing.price(usage, model=model, at=at) for model in ("claude-haiku-4-5", "claude-haiku-4-5", "claude-x")
    ]
    found = by_class(bills)
    assert found == {Unit.INPUT: 2 * USD // 1000, Unit.OUTPUT: USD // 1000, Unit.WEB_SEARCH: 4 * USD // 100}
    assert sum(found.values()) == sum(bill.list_pusd or 0 for bill in bills)
