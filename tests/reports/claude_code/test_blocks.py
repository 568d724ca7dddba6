from datetime import datetime
from fractions import Fraction

import pytest

from farthing.errors import BadInput
from farthing.money import parse_usd
from farthing.reports.claude_code.blocks import (
    blocks_json,
    blocks_of,
    largest,
    limit_status,
    recent,
    session_length_us,
    token_limit,
)
from farthing.reports.claude_code.rows import instant_json
from farthing.sources.claude_code.buckets import to_us

FIVE_HOURS = session_length_us("5")


def us(text):
    return to_us(datetime.fromisoformat(text))


def blocks(transcripts, now="2026-11-20T12:00:00Z", length=FIVE_HOURS):
    return blocks_of(transcripts.costed(), length, us(now))


def spans(found):
    return [
        ("gap" if one.is_gap else "block", instant_json(one.start_us)[5:16], instant_json(one.end_us)[5:16])
        for one in found
    ]


def at(transcripts, *times, **counts):
    for time in times:
        transcripts.call(f"2026-11-{time}Z", **({"output": 100} | counts))
    return transcripts


def test_a_block_begins_at_the_full_hour_and_holds_five(transcripts):
    found = blocks(at(transcripts, "10T09:40:00", "10T13:59:59"))
    assert spans(found) == [("block", "11-10T09:00", "11-10T14:00")]
    assert found[0].total.calls == 2


def test_a_call_after_its_end_begins_the_next_without_a_gap(transcripts):
    found = blocks(at(transcripts, "10T09:40:00", "10T13:59:00", "10T14:00:00"))
    assert spans(found) == [("block", "11-10T09:00", "11-10T14:00"), ("block", "11-10T14:00", "11-10T19:00")]


def test_a_pause_of_more_than_five_hours_is_a_gap(transcripts):
    found = blocks(at(transcripts, "10T09:40:00", "10T14:40:01"))
    assert spans(found) == [
        ("block", "11-10T09:00", "11-10T14:00"),
        ("gap", "11-10T14:40", "11-10T14:40"),
        ("block", "11-10T14:00", "11-10T19:00"),
    ]
    assert (found[1].total.calls, found[1].end_us - found[1].start_us) == (0, 10**6)


def test_a_pause_of_five_hours_is_none(transcripts):
    assert [one.is_gap for one in blocks(at(transcripts, "10T09:40:00", "10T14:40:00"))] == [False, False]


def test_blocks_are_hours_of_utc_even_where_clocks_are_off_by_half_an_hour(transcripts, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    assert spans(blocks(at(transcripts, "10T09:40:00")))[0][1] == "11-10T09:00"


def test_other_lengths_in_quarters_of_an_hour(transcripts):
    found = blocks(at(transcripts, "10T09:05:00", "10T09:14:59", "10T09:15:00"), length=session_length_us("0.25"))
    assert [one.total.calls for one in found] == [2, 1]


@pytest.mark.parametrize("hours", ["0", "-5", "0.3", "x", "", "nan", "inf", "1e9"])
def test_a_length_that_is_no_number_of_quarters_is_refused(hours):
    with pytest.raises(BadInput, match="--session-length"):
        session_length_us(hours)


def test_the_active_block_burns_and_is_projected(transcripts):
    at(transcripts, "20T10:00:00", "20T10:30:00", fresh=1_000, read=50_000, output=9_000)
    (block,) = blocks(transcripts, now="2026-11-20T11:00:00Z")
    cost = 2 * (parse_usd("0.003") + parse_usd("0.015") + parse_usd("0.135"))
    assert (block.is_active, block.total.pusd) == (True, cost)
    assert block.burn.tokens_per_minute == Fraction(120_000, 30)
    assert block.burn.fresh_per_minute == Fraction(20_000, 30)
    assert block.burn.pusd_per_hour == 2 * cost
    assert block.projection.remaining_minutes == 240
    assert block.projection.tokens == 120_000 + 4_000 * 240
    assert block.projection.pusd == parse_usd("2.75")  # 0.306 + 0.612 x 4 = 2.754


def test_a_block_of_one_moment_burns_at_no_rate(transcripts):
    (block,) = blocks(at(transcripts, "20T11:00:00"))
    assert (block.is_active, block.burn, block.projection) == (True, None, None)


@pytest.mark.parametrize(("now", "is_active"), [("2026-11-20T13:59:59Z", True), ("2026-11-20T14:00:00Z", False)])
def test_a_block_is_active_until_its_end(transcripts, now, is_active):
    assert blocks(at(transcripts, "20T09:30:00"), now=now)[0].is_active is is_active


def test_a_block_with_nothing_priced_has_no_cost_anywhere(transcripts):
    at(transcripts, "20T10:00:00", "20T10:30:00", model="claude-opus-9")
    found = blocks(transcripts, now="2026-11-20T11:00:00Z")
    (block,) = blocks_json(found, None, with_cost=True)["blocks"]
    assert (block["costUSD"], block["burnRate"]["costPerHour"], block["projection"]["totalCost"]) == (None, None, None)


def test_recent_keeps_three_days_and_the_active_one(transcripts):
    at(transcripts, "10T09:00:00", "17T12:00:00", "20T11:00:00")
    found = [one for one in blocks(transcripts) if not one.is_gap]
    assert recent(found, us("2026-11-20T12:00:00Z")) == found[1:]
    assert recent(found, us("2026-11-20T12:00:01Z")) == found[2:]


def test_max_is_the_most_of_a_block_that_ended(transcripts):
    at(transcripts, "10T09:00:00", output=700)
    at(transcripts, "12T09:00:00", output=300)
    at(transcripts, "20T11:00:00", output=9_000)
    found = blocks(transcripts)
    assert largest(found) == 700
    assert [token_limit(text, found) for text in ("max", "MAX", None, "500")] == [700, 700, 700, 500]
    assert token_limit("max", []) is None
    for bad in ("x", "-1", "0", "1.5"):
        with pytest.raises(BadInput, match="--token-limit"):
            token_limit(bad, found)


@pytest.mark.parametrize(
    ("tokens", "status"), [(80, "ok"), (81, "warning"), (100, "warning"), (101, "exceeds"), (0, "ok")]
)
def test_four_fifths_of_a_limit_are_a_warning(tokens, status):
    assert limit_status(tokens, 100) == status


def test_blocks_have_ccusage_s_keys_and_ours(transcripts):
    at(transcripts, "10T09:40:00", "20T10:00:00", "20T10:30:00")
    found = blocks(transcripts, now="2026-11-20T11:00:00Z")
    old, gap, active = blocks_json(found, 1_000, with_cost=True)["blocks"]
    keys = {"id", "startTime", "endTime", "actualEndTime", "isActive", "isGap", "entries", "tokenCounts", "totalTokens"}
    keys |= {"costUSD", "models", "burnRate", "projection"}
    ours = {"costUsdExact", "kind", "calls", "unpricedCalls", "unpricedModels", "unprovableCalls"}
    assert set(old) == set(gap) == keys | ours
    assert set(active) == keys | ours | {"tokenLimitStatus"}
    assert set(active["tokenCounts"]) == {
        *("inputTokens", "outputTokens", "cacheCreationInputTokens", "cacheReadInputTokens")
    }
    assert set(active["burnRate"]) == {"tokensPerMinute", "tokensPerMinuteForIndicator", "costPerHour", "kind"}
    assert set(active["projection"]) == {"totalTokens", "totalCost", "costUsdExact", "remainingMinutes", "kind"}
    assert set(active["tokenLimitStatus"]) == {"limit", "projectedUsage", "percentUsed", "status"}
    assert (gap["id"], gap["actualEndTime"]) == ("gap-2026-11-10T14:40:00.000Z", None)
    assert (active["burnRate"]["kind"], active["projection"]["kind"]) == ("derived", "assumed")
    assert (active["tokenLimitStatus"]["projectedUsage"], active["tokenLimitStatus"]["status"]) == (1_800, "exceeds")
    assert "cost" not in str(blocks_json(found, 1_000, with_cost=False)).lower()
