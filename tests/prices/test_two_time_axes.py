"""What applied on D, as known on K: the rise that was announced and called off, and ends known in advance."""

from datetime import UTC, date, datetime, time

import pytest

from farthing.call import Served, Usage
from farthing.errors import BadInput
from farthing.prices.book import in_force, shipped_book
from farthing.prices.engine import price_served
from farthing.prices.schema import Dated

MILLION_OUT = Usage(output_tokens=1_000_000)


def believed(model, valid_on, known_on, **facts):
    """USD per million output tokens on a day, as known on another; None where nothing was known."""
    served = Served(model=model, usage=MILLION_OUT, **facts)
    known = None if known_on is None else date.fromisoformat(known_on)
    at = datetime.combine(date.fromisoformat(valid_on), time(), UTC)
    return price_served(shipped_book(), served, at, known).list_usd


# Sonnet 5: launched 2026-06-30 at 10, with a rise to 15 announced that day for 2026-09-01, called off on 2026-08-10.
KNOWN_ON = ("2026-06-29", "2026-06-30", "2026-08-09", "2026-08-10", "2026-08-31", "2026-09-01", "2026-11-20", None)
SONNET_5 = {
    "2026-06-29": (None, None, None, None, None, None, None, None),
    "2026-06-30": (None, "10", "10", "10", "10", "10", "10", "10"),
    "2026-08-09": (None, "10", "10", "10", "10", "10", "10", "10"),
    "2026-08-10": (None, "10", "10", "10", "10", "10", "10", "10"),
    "2026-08-31": (None, "10", "10", "10", "10", "10", "10", "10"),
    "2026-09-01": (None, "15", "15", "10", "10", "10", "10", "10"),
    "2026-09-02": (None, "15", "15", "10", "10", "10", "10", "10"),
    "2027-01-01": (None, "15", "15", "10", "10", "10", "10", "10"),
}


@pytest.mark.parametrize("valid_on", SONNET_5)
def test_the_rise_that_was_announced_and_called_off(valid_on):
    assert tuple(believed("claude-sonnet-5", valid_on, known) for known in KNOWN_ON) == SONNET_5[valid_on]


# Fast mode of Opus 4.8 ends on 2026-11-30, which was known on 2026-10-30.
@pytest.mark.parametrize(
    ("valid_on", "known_on", "expected"),
    [
        ("2026-11-29", "2026-10-29", "50"),
        ("2026-11-29", "2026-10-30", "50"),
        ("2026-11-29", None, "50"),
        ("2026-11-30", "2026-10-29", "50"),
        ("2026-11-30", "2026-10-30", None),
        ("2026-11-30", None, None),
        ("2026-05-27", None, None),
        ("2026-05-28", "2026-05-27", None),
        ("2026-05-28", "2026-05-28", "50"),
    ],
)
def test_an_end_known_in_advance(valid_on, known_on, expected):
    assert believed("claude-opus-4-8", valid_on, known_on, speed="fast") == expected


# Sonnet 5.5's cheaper reads from 2026-10-07 were news that day.
@pytest.mark.parametrize(
    ("valid_on", "known_on", "expected"),
    [
        ("2026-10-06", None, "0.2"),
        ("2026-10-07", None, "0.1"),
        ("2026-10-07", "2026-10-06", "0.2"),
        ("2026-10-07", "2026-10-07", "0.1"),
        ("2026-10-06", "2026-10-07", "0.2"),
    ],
)
def test_a_change_that_was_news_on_its_day(valid_on, known_on, expected):
    served = Served(model="claude-sonnet-5-5", usage=Usage(cache_read_tokens=1_000_000))
    at = datetime.combine(date.fromisoformat(valid_on), time(), UTC)
    bill = price_served(shipped_book(), served, at, None if known_on is None else date.fromisoformat(known_on))
    assert bill.list_usd == expected


def test_a_multiplier_and_a_refusal_rule_are_known_from_their_day():
    usage = Usage(input_tokens=1_000_000)
    at = datetime(2026, 9, 24, tzinfo=UTC)
    refused = Served(model="claude-opus-5-5", usage=usage, stop_reason="refusal", refusal_category="bio")
    assert price_served(shipped_book(), refused, at).list_usd == "4"
    assert price_served(shipped_book(), refused, at, date(2026, 9, 23)).list_usd == "0"
    american = Served(model="claude-opus-4-6", usage=Usage(input_tokens=100_000), inference_geo="us")
    later = datetime(2026, 3, 1, tzinfo=UTC)
    assert price_served(shipped_book(), american, later, date(2026, 2, 5)).list_usd == "0.55"
    assert price_served(shipped_book(), american, later, date(2026, 2, 4)).list_usd is None


def test_of_rows_that_overlap_the_later_start_holds_and_then_the_later_known():
    early = Dated(note="early")
    announced = Dated(valid_from=date(2026, 5, 1), known_from=date(2026, 1, 1), note="announced")
    corrected = Dated(valid_from=date(2026, 5, 1), known_from=date(2026, 4, 1), note="corrected")
    rows = [early, announced, corrected]
    assert [row.note for row in in_force(rows, date(2026, 5, 1), None)] == ["corrected", "announced", "early"]
    assert [row.note for row in in_force(rows, date(2026, 5, 1), date(2026, 3, 1))] == ["announced", "early"]
    assert [row.note for row in in_force(rows, date(2026, 4, 30), None)] == ["early"]


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(BadInput, match="zone"):
        price_served(shipped_book(), Served(model="claude-opus-5", usage=MILLION_OUT), datetime(2026, 11, 1))  # noqa: DTZ001
