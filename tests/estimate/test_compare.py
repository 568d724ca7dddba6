from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from farthing import money
from farthing.estimate.compare import compare, places_of
from farthing.estimate.compare_json import comparison_json
from farthing.estimate.reading import decode
from farthing.prices.book import shipped_book
from farthing.units import Kind

DAY = date(2026, 11, 20)
BOOK = shipped_book()
USD = money.PUSD_PER_USD
MTOK = 10**6


def found(on=DAY, **tables):
    tables.setdefault("model", "claude-sonnet-5")
    tables.setdefault("volume", {"calls_per_month": 1000})
    return compare(decode(tables, "test"), on, BOOK)


def row(result, model, place=None):
    return next(one for one in result.rows if one.model == model and (place is None or place in one.places))


def test_the_present_model_costs_the_same_in_its_row():
    result = found(tokens={"user": 1000, "output": 200})
    assert row(result, "claude-sonnet-5").pusd == result.now.pusd
    assert row(result, "claude-opus-5").pusd == result.now.pusd * Fraction(5, 2)
    assert [one.pusd for one in result.rows] == sorted(one.pusd for one in result.rows)


def test_regional_endpoints_and_us_inference_cost_a_tenth_more():
    result = found(tokens={"user": 1000})
    plain = row(result, "claude-sonnet-5", "claude_api")
    dearer = row(result, "claude-sonnet-5", "bedrock regional")
    assert dearer.pusd == plain.pusd * Fraction(11, 10)
    assert {"claude_api us-only", "google_cloud regional"} <= set(dearer.places)
    assert "bedrock global" in plain.places


def test_an_older_tokenizer_counts_fewer_tokens_and_says_so():
    result = found(tokens={"user": 1300})
    older = row(result, "claude-sonnet-4-6")
    # 1,300 tokens are 1,000 of the older tokenizer, at 3 USD per million (to a millionth of the factor)
    assert older.pusd / USD == pytest.approx(3, abs=1e-5)
    assert older.low_pusd < older.pusd < older.high_pusd
    # at the other end the two tokenizers count alike: 1,300 x 1,000 x 3 USD per million
    assert older.high_pusd / USD == Fraction(39, 10)
    assert any("assumed tokenizer factor" in note for note in older.notes)
    assert row(result, "claude-opus-5").low_pusd == row(result, "claude-opus-5").high_pusd


def test_only_models_with_a_rate_on_that_day_are_shown():
    result = found(on=date(2026, 9, 1), tokens={"user": 1000})
    models = {one.model for one in result.rows}
    assert "claude-opus-5" in models
    assert "claude-opus-5-5" not in models  # released 2026-09-22
    assert "gpt-6-sol" not in models  # 2026-09-22 too
    assert not any("claude_api" in one.places for one in result.rows if one.model == "claude-opus-4-1-20250805")


def test_a_model_leaves_the_claude_api_when_it_retires():
    opus = next(model for model in BOOK.models if model.id == "claude-opus-4-1-20250805")
    assert "claude_api" in [str(place) for place in places_of(opus, date(2026, 8, 4))]
    assert "claude_api" not in [str(place) for place in places_of(opus, date(2026, 8, 5))]


def test_another_vendor_at_list():
    result = found(tokens={"user": 1000, "output": 100})
    # gpt-6-sol: 2 and 10 USD per million; 1 M in and 0.1 M out
    other = row(result, "gpt-6-sol")
    assert other.pusd == 3 * USD
    assert other.kind is Kind.ASSUMED
    assert other.low_pusd < other.pusd < other.high_pusd
    assert any("no figure is published" in note for note in other.notes)


def test_its_cache_starts_at_1024_tokens_and_steps_by_128():
    def cost(system):
        return row(found(tokens={"system": system}, cache={"ttl": "5m", "hit_share": 1}), "gpt-6-sol").pusd

    # below the minimum all is plain input at 2; from there 1,024 are read at 0.2, and the rest is plain
    assert cost(1023) == 1000 * 1023 * 2 * MTOK
    assert cost(1024) == 1000 * 1024 * Fraction(2, 10) * MTOK
    assert cost(1151) == 1000 * (1024 * Fraction(2, 10) + 127 * 2) * MTOK
    assert cost(1152) == 1000 * 1152 * Fraction(2, 10) * MTOK


def test_its_cache_writes_cost_where_they_are_priced():
    tables = {"tokens": {"system": 1280}, "cache": {"ttl": "5m", "hit_share": 0}}
    assert row(found(**tables), "gpt-6-sol").pusd == 1000 * 1280 * Fraction(25, 10) * MTOK
    assert row(found(**tables), "gpt-4o").pusd == 1000 * 1280 * Fraction(25, 10) * MTOK  # plain input: writes are free


def test_its_long_prompts_are_billed_whole_in_the_upper_band():
    result = found(model="claude-opus-5", tokens={"user": 272_001}, volume={"calls_per_month": 1})
    assert row(result, "gpt-6-sol").pusd == 272_001 * 4 * MTOK
    assert row(result, "gemini-2.5-pro").pusd == 272_001 * Fraction(25, 10) * MTOK


def test_batches_halve_it_where_there_are_any():
    tokens = {"user": 1000, "output": 1000}
    now, later = found(tokens=tokens), found(tokens=tokens, batch_share=1)
    for model in ("gpt-6-sol", "gemini-2.5-pro"):
        assert row(later, model).pusd * 2 == row(now, model).pusd
    assert row(later, "deepseek-v4-pro").pusd == row(now, "deepseek-v4-pro").pusd


def test_quiet_hours_are_an_interval():
    peak = row(found(tokens={"user": 1000}), "deepseek-v4-pro")
    assert peak.pusd == 1000 * 1000 * Fraction(132, 100) * MTOK
    # off-peak half, and fewer tokens at the low end of the factor
    assert peak.low_pusd < peak.pusd / 2
    before = row(found(on=date(2026, 8, 1), tokens={"user": 1000}), "deepseek-v4-pro")
    assert before.low_pusd > before.pusd / 2


def test_a_prompt_beyond_a_window_is_missing_with_a_reason():
    tables = {"model": "claude-opus-5", "tokenizer": "pre-4.7", "volume": {"calls_per_month": 1}}
    result = found(**tables, tokens={"user": 200_001})
    missing = {one.model: one.reason for one in result.missing}
    assert "more than it takes" in missing["gpt-4o"]
    assert "more than claude-3-5-haiku-20241022 takes" in missing["claude-3-5-haiku-20241022"]


def test_own_gpus_and_seats_stand_beside():
    plain = found(tokens={"user": 1})
    assert (plain.hosting.gpus, plain.hosting.low_pusd, plain.hosting.high_pusd) == (1, 1460 * USD, 2920 * USD)
    assert plain.hosting.is_lower_bound
    assert plain.seats is None
    result = found(
        volume={"users": Decimal("10.5"), "sessions_per_user_per_day": 1},
        tokens={"output": 1000},
        seats={"usd_per_seat_per_month": Decimal("12.5")},
        self_hosted={"usd_per_gpu_hour": 2, "gpus": 3, "staff_usd_per_month": 1000},
    )
    assert result.seats == (11, 11 * Fraction(125, 10) * USD)
    assert result.hosting.low_pusd == result.hosting.high_pusd == (3 * 730 * 2 + 1000) * USD


def test_gpus_follow_from_measured_throughput_and_utilisation():
    own = {"usd_per_gpu_hour": 1, "tokens_per_gpu_second": 100, "utilisation": Decimal("0.5")}
    # one GPU makes 100 x 3,600 x 730 x 0.5 = 131.4 M tokens a month
    for output, gpus in ((131_400, 1), (131_401, 2)):
        result = found(tokens={"output": output}, self_hosted=own)
        assert result.hosting.gpus == gpus
        assert not result.hosting.is_lower_bound


def test_json_amounts_are_decimal_strings():
    shape = comparison_json(found(tokens={"user": 1000, "output": 1}))
    assert shape["month_usd"] == "2.01"
    first = shape["rows"][0]
    assert all("e" not in first[key].lower() for key in ("month_usd", "low_usd", "high_usd"))
    assert {one["kind"] for one in shape["rows"]} == {"assumed"}
    assert shape["seats"] is None
    assert shape["self_hosted"]["low_usd"] == "1460"
