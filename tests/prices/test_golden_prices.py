"""Golden bills: numbers from the vendor's formula and from other tools' bug reports, typed by hand."""

from datetime import UTC, datetime

import pytest

from farthing.call import ExtraPass, PassKind, Served, Usage
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served

MIXED = Usage(input_tokens=1_000, cache_read_tokens=100_000, cache_write_5m_tokens=5_000, output_tokens=2_000)


def usd(model, usage, at, **facts):
    served = Served(model=model, usage=usage, **facts)
    bill = price_served(shipped_book(), served, datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert bill.list_pusd == sum(line.pusd for line in bill.lines)
    return bill.list_usd


@pytest.mark.parametrize(
    ("model", "usage", "facts", "expected"),
    [
        (
            "claude-opus-5-5",
            Usage(50, 2_000, 500, 100_000, 800),
            {"inference_geo": "us"},
            "0.05522",
        ),
        ("claude-haiku-5-5", Usage(1_000, 0, 0, 99_000, 100), {}, "0.00114"),
        ("claude-haiku-5-5", Usage(1_000, 0, 0, 99_001, 100), {}, "0.00570005"),
        ("claude-sonnet-5", Usage(input_tokens=10_000, output_tokens=2_000), {"service_tier": "batch"}, "0.02"),
        ("claude-opus-5", Usage(1_000, 0, 0, 10_000, 500), {"speed": "fast"}, "0.045"),
        (
            "claude-sonnet-4-6",
            Usage(input_tokens=12_000, output_tokens=700, web_search_requests=3),
            {},
            "0.0765",
        ),
    ],
)
def test_vectors_of_the_formula(model, usage, facts, expected):
    assert usd(model, usage, "2026-11-20", **facts) == expected


@pytest.mark.parametrize(
    ("number", "model", "usage", "at", "facts", "expected"),
    [
        (1, "claude-3-7-sonnet-20250219", Usage(3, 12_304, 0, 0, 550), "2025-04-10", {}, "0.054399"),
        (2, "claude-3-5-sonnet-20241022", Usage(0, 1_000), "2024-11-20", {}, "0.00375"),
        (3, "claude-opus-4-7", Usage(6, 159_217, 0, 0, 2_745), "2026-05-01", {}, "1.06376125"),
        (5, "global.anthropic.claude-sonnet-4-5-20250929-v1:0", Usage(3, 25, 0, 13_216, 12), "2026-01-05", {},
         "0.00424755"),
        (5, "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", Usage(3, 25, 0, 13_216, 12), "2026-01-05", {},
         "0.004672305"),
        (6, "claude-sonnet-4-6", Usage(5, 1_253, 0, 128_955), "2026-04-01", {}, "0.04340025"),
        (8, "claude-opus-5", Usage(0, 0, 344_139), "2026-08-01", {}, "3.44139"),
        (11, "claude-sonnet-4-20250514", Usage(10_000, 0, 0, 240_000), "2025-10-01", {}, "0.204"),
        (12, "claude-haiku-5-5", Usage(input_tokens=100_000, output_tokens=1_000), "2026-10-24", {}, "0.0105"),
        (13, "claude-haiku-5-5", Usage(input_tokens=100_001, output_tokens=1_000), "2026-10-24", {}, "0.0525005"),
        (14, "claude-haiku-5-5", Usage(2_000, 9_000, 0, 90_000, 1_500), "2026-10-24", {}, "0.014875"),
        (15, "claude-sonnet-5-5", MIXED, "2026-10-06T23:59:59", {}, "0.0545"),
        (15, "claude-sonnet-5-5", MIXED, "2026-10-07T00:00:00", {}, "0.0445"),
        (15, "claude-sonnet-5-5", MIXED, "2026-10-08", {}, "0.0445"),
        (16, "claude-opus-5-5", MIXED, "2026-10-08", {}, "0.089"),
        (17, "claude-fable-5-2", MIXED, "2026-11-12", {}, "0.158"),
        (17, "claude-fable-5-1", MIXED, "2026-11-12", {}, "0.1975"),
        (18, "claude-sonnet-5", Usage(1_000_000, 0, 0, 1_000_000, 1_000_000), "2026-09-19", {"calls_in_total": None},
         "12.2"),
        (20, "us.anthropic.claude-sonnet-4-5-20250929-v1:0", Usage(input_tokens=45, output_tokens=511), "2026-07-01",
         {}, "0.00858"),
        (21, "claude-haiku-4-5", Usage(input_tokens=27, output_tokens=199), "2026-06-01", {}, "0.001022"),
        (28, "claude-sonnet-5-5", Usage(input_tokens=100_000, output_tokens=10_000), "2026-11-01",
         {"service_tier": "batch"}, "0.15"),
        (37, "claude-sonnet-4-20250514", Usage(input_tokens=200_000), "2026-01-01", {}, "0.6"),
        (37, "claude-sonnet-4-20250514", Usage(input_tokens=200_001), "2026-01-01", {}, "1.200006"),
    ],
)  # fmt: skip
def test_bills_that_other_tools_got_wrong(*, number, model, usage, at, facts, expected):
    assert usd(model, usage, at, **facts) == expected, f"regression {number}"


def test_the_read_part_of_a_long_prompt_is_at_the_long_rate():
    served = Served(model="claude-sonnet-4-20250514", usage=Usage(10_000, 0, 0, 240_000))
    bill = price_served(shipped_book(), served, datetime(2025, 10, 1, tzinfo=UTC))
    assert {str(line.unit): line.pusd for line in bill.lines} == {
        "input_tokens": 60_000_000_000,
        "cache_read_tokens": 144_000_000_000,
    }


def test_a_compaction_is_billed_beside_the_top_level():
    compaction = ExtraPass(PassKind.COMPACTION, Usage(input_tokens=180_000, output_tokens=3_500))
    usage = Usage(input_tokens=23_000, output_tokens=1_000)
    assert usd("claude-opus-4-6", usage, "2026-06-01", extra_passes=(compaction,)) == "1.1275"


def test_an_attempt_declined_before_output_is_not_billed_beside_the_one_that_answered():
    declined = ExtraPass(PassKind.DECLINED, Usage(input_tokens=50_000), "claude-fable-5")
    usage = Usage(input_tokens=50_000, output_tokens=1_000)
    assert usd("claude-opus-4-8", usage, "2026-08-01", extra_passes=(declined,)) == "0.275"
    assert usd("claude-opus-4-8", usage, "2026-05-28", extra_passes=()) == "0.275"


def test_the_same_call_costs_the_same_in_every_zone_of_the_same_instant():
    served = Served(model="claude-sonnet-5-5", usage=MIXED)
    late_in_california = datetime.fromisoformat("2026-10-06T17:00:00-07:00")
    early_in_tokyo = datetime.fromisoformat("2026-10-07T08:59:59+09:00")
    assert price_served(shipped_book(), served, late_in_california).list_usd == "0.0445"
    assert price_served(shipped_book(), served, early_in_tokyo).list_usd == "0.0545"
