from collections import defaultdict
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.money import parse_usd
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.reports.claude_code.costing import NO_ESTIMATE, Mode, client_differences, cost_today
from farthing.reports.claude_code.periods import Calendar
from farthing.reports.claude_code.rows import by_period
from farthing.reports.claude_code.sums import summed
from farthing.sources.claude_code import iter_calls
from farthing.units import Kind

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SONNET_5_5 = {"model": "claude-sonnet-5-5", "fresh": 1_000, "read": 100_000, "write_5m": 5_000, "output": 2_000}
"""$2, $0.20 (from 2026-10-07 $0.10), $2.50 and $10 per million: $0.0545 before, $0.0445 from then on."""


def total(items):
    return summed(items).pusd


def test_as_billed_takes_the_price_of_the_day_and_calculate_that_of_today(transcripts):
    transcripts.call("2026-10-06T23:59:59Z", **SONNET_5_5).call("2026-10-07T00:00:00Z", **SONNET_5_5)
    assert total(transcripts.costed(Mode.AS_BILLED)) == parse_usd("0.0545") + parse_usd("0.0445")
    assert total(transcripts.costed(Mode.CALCULATE)) == 2 * parse_usd("0.0445")
    assert total(transcripts.costed(Mode.CALCULATE, now=datetime(2026, 10, 6, tzinfo=UTC))) == 2 * parse_usd("0.0545")


def test_what_today_would_cost_is_told_beside_what_was_billed(transcripts):
    transcripts.call("2026-10-06T09:00:00Z", **SONNET_5_5).call("2026-10-06T09:00:00Z", model="no-such", output=5)
    items = transcripts.costed()
    assert cost_today(items, shipped_book(), NOW) == (parse_usd("0.0545"), parse_usd("0.0445"))


def test_display_shows_the_estimate_and_auto_falls_back_to_today(transcripts):
    transcripts.call("2026-10-06T09:00:00Z", cost=0.25, **SONNET_5_5).call("2026-10-06T09:01:00Z", **SONNET_5_5)
    shown = {one.pusd: one for one in transcripts.costed(Mode.DISPLAY)}
    assert set(shown) == {parse_usd("0.25"), None}
    assert (shown[None].reasons, shown[parse_usd("0.25")].kind) == ((NO_ESTIMATE,), Kind.ASSUMED)
    assert total(transcripts.costed(Mode.AUTO)) == parse_usd("0.25") + parse_usd("0.0445")
    assert total(transcripts.costed(Mode.CALCULATE)) == 2 * parse_usd("0.0445")


def test_estimates_that_differ_from_the_list_price_are_found(transcripts):
    transcripts.call("2026-10-08T09:00:00Z", cost=0.0445, **SONNET_5_5)
    assert client_differences(transcripts.costed(), shipped_book()) == []
    transcripts.call("2026-10-09T09:00:00Z", cost=0.1, **SONNET_5_5)
    ((bucket, listed),) = client_differences(transcripts.costed(), shipped_book())
    assert (bucket.client_pusd, listed) == (parse_usd("0.1"), parse_usd("0.0445"))


def test_a_sum_over_the_band_limit_of_calls_below_it_is_priced_below_it(transcripts):
    for _ in range(3):
        transcripts.call("2026-11-10T09:00:00Z", model="claude-haiku-5-5", fresh=60_000, output=1_000)
    assert total(transcripts.costed()) == 3 * (60_000 * 100_000 + 1_000 * 500_000)
    transcripts.call("2026-11-10T09:00:00Z", model="claude-haiku-5-5", fresh=100_001, output=1_000)
    assert total(transcripts.costed()) == 3 * (60_000 * 100_000 + 1_000 * 500_000) + parse_usd("0.0525005")


@pytest.mark.parametrize("mode", [Mode.AS_BILLED, Mode.CALCULATE, Mode.AUTO])
def test_an_unknown_model_has_no_price_in_any_mode(transcripts, mode):
    transcripts.call("2026-11-10T09:00:00Z", model="claude-opus-9", fresh=10, output=10)
    (one,) = transcripts.costed(mode)
    assert one.pusd is None
    assert "claude-opus-9" in one.reasons[0]


MODELS = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5", "claude-sonnet-4-5-20250929", "claude-opus-9")
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.datetimes(datetime(2026, 10, 5), datetime(2026, 10, 27)),  # noqa: DTZ001 - hypothesis adds no zone
            "model": st.sampled_from(MODELS),
            "session": st.sampled_from(("a", "b")),
            "fresh": st.integers(0, 120_000),
            "write_5m": st.integers(0, 50_000),
            "write_1h": st.integers(0, 50_000),
            "read": st.integers(0, 150_000),
            "output": st.integers(9, 60_000),
            "speed": st.sampled_from((None, "fast")),
        }
    ),
    min_size=1,
    max_size=25,
)


@given(CALLS, st.sampled_from(("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Chatham")))
@settings(max_examples=25)
def test_a_day_is_the_sum_of_its_calls_priced_one_by_one(new_transcripts, calls, zone):
    written = new_transcripts()
    for one in calls:
        written.call(f"{one['at'].isoformat(timespec='milliseconds')}Z", **{k: v for k, v in one.items() if k != "at"})
    expected, unpriced = defaultdict(int), defaultdict(int)
    with written.index() as index:
        for call in iter_calls(index):
            day = call.sent_at.astimezone(ZoneInfo(zone)).date().isoformat()
            price = price_served(shipped_book(), call.served, call.sent_at).list_pusd
            expected[day] += price or 0
            unpriced[day] += price is None
    rows = by_period(written.costed(), Calendar(ZoneInfo(zone)), "daily")
    assert {row.label: row.total.priced_pusd for row in rows} == expected
    assert {row.label: row.total.unpriced_calls for row in rows} == unpriced
    assert sum(row.total.calls for row in rows) == len(calls)
