"""Every limit header, as it comes and as it should not come."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.limits.headroom import NOTHING, Room, read_headroom

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


def lines(**headers):
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]


def rooms(counts, limit, remaining, reset, family="ratelimit"):
    values = (("limit", limit), ("remaining", remaining), ("reset", reset))
    return [(f"anthropic-{family}-{counts}-{part}".encode(), value.encode()) for part, value in values]


@pytest.mark.parametrize("family", ["ratelimit", "fast", "priority"])
@pytest.mark.parametrize("counts", ["requests", "input-tokens", "output-tokens", "tokens"])
def test_every_limit_of_every_family(family, counts):
    told = read_headroom(rooms(counts, "1000", "400", "2026-11-20T09:00:36Z", family), NOW)
    assert told.rooms == (Room(counts, family, 1000, 400, 36.0),)


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("2026-11-20T09:00:12.5Z", 12.5),
        ("2026-11-20T10:00:12+01:00", 12.0),
        ("2026-11-20T09:00:12", 12.0),  # no zone: UTC
        ("2026-11-20T08:59:00Z", 36.0),  # past: what a minute's refill takes for 600 of 1,000
        ("2027-11-20T09:00:00Z", 36.0),
        ("soon", 36.0),
        ("", 36.0),
    ],
)
def test_a_reset_is_seconds_from_now_or_what_a_refill_takes(reset, seconds):
    assert read_headroom(rooms("requests", "1000", "400", reset), NOW).rooms[0].reset_in_s == seconds


@pytest.mark.parametrize(
    ("limit", "remaining"), [("0", "0"), ("-1", "1"), ("x", "1"), ("10", ""), ("9" * 30, "1"), ("1e3", "5"), ("²", "1")]
)
def test_what_is_no_count_is_left_out(limit, remaining):
    assert read_headroom(rooms("requests", limit, remaining, ""), NOW) == NOTHING._replace(rooms=())


def test_a_limit_that_is_not_told_whole_is_left_out():
    assert read_headroom(rooms("requests", "1", "1", "")[:1], NOW).rooms == ()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "7", "retry_after_ms": "250"}, 0.25),
        ({"retry_after_ms": "250", "retry_after": "7"}, 0.25),
        ({"retry_after": "Fri, 20 Nov 2026 09:00:00 GMT"}, None),
        ({"retry_after": "-1"}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after": "nan"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers, seconds):
    assert read_headroom(lines(**headers), NOW).retry_after_s == seconds


def test_to_retry_may_be_useless():
    assert not read_headroom(lines(x_should_retry="false"), NOW).may_retry
    assert read_headroom(lines(x_should_retry="true"), NOW).may_retry


def test_a_subscriptions_windows():
    headers = {
        "anthropic_ratelimit_unified_status": "allowed_warning",
        "anthropic_ratelimit_unified_5h_utilization": "0.81",
        "anthropic_ratelimit_unified_7d_utilization": "0.2",
        "anthropic_ratelimit_unified_7d_status": "allowed",
        "anthropic_ratelimit_unified_reset": "1795251600",
        "anthropic_ratelimit_unified_representative_claim": "five_hour",
    }
    told = read_headroom(lines(**headers), NOW)
    assert told.subscription == ("allowed_warning", {"5h": 0.81, "7d": 0.2}, "five_hour")
    assert told.rooms == ()


def test_other_headers_say_nothing():
    assert read_headroom(lines(content_type="application/json", anthropic_organization_id="o"), NOW) is NOTHING


NAMES = st.sampled_from([name for name, _ in rooms("requests", "", "", "") + rooms("tokens", "", "", "", "fast")])


@given(st.lists(st.tuples(st.one_of(NAMES, st.binary(max_size=40)), st.binary(max_size=30)), max_size=12))
def test_no_header_is_too_strange(headers):
    told = read_headroom(headers, NOW)
    assert all(room.limit >= 1 and 0 <= room.remaining <= room.limit and room.reset_in_s >= 0 for room in told.rooms)
