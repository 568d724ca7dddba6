from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.errors import BadInput
from farthing.ledger.zones import bucket_start, find_zone, segments, whole_hours

instants = st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
zones = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)


@given(zones, instants, st.integers(0, 900 * 86_400), st.floats(0, 1))
def test_segments_give_every_instant_its_offset(zone, first, length_s, share):
    last = first + timedelta(seconds=length_s)
    found = segments(zone, first, last)
    assert [s.starts_at for s in found] == sorted({s.starts_at for s in found})
    inside = [first, last, first + (last - first) * share]
    inside += [edge + timedelta(seconds=d) for s in found[1:] for edge in [s.starts_at] for d in (-1, 0)]
    for at in inside:
        offset_s = [s.offset_s for s in found if s.starts_at <= at][-1]
        assert timedelta(seconds=offset_s) == at.astimezone(zone).utcoffset()


@given(zones, instants, st.sampled_from(("hour", "day", "week", "month")))
def test_a_bucket_starts_at_or_before_its_instants_and_is_its_own_start(zone, at, bucket):
    start = bucket_start(at, bucket, zone)
    assert start <= at
    assert bucket_start(start, bucket, zone) == start
    local, local_start = at.astimezone(zone), start.astimezone(zone)
    if bucket == "day":
        assert local_start.date() == local.date()
    if bucket == "week":
        assert local_start.weekday() == 0
    if bucket == "month":
        assert (local_start.month, local_start.day) == (local.month, 1)


def test_whole_hours():
    first, last = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)
    answers = {"UTC": True, "Europe/Berlin": True, "Asia/Kolkata": False, "Australia/Lord_Howe": False}
    for name, whole in answers.items():
        assert whole_hours(segments(ZoneInfo(name), first, last)) is whole
    assert len(segments(ZoneInfo("Europe/Berlin"), first, last)) == 3


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "/etc/passwd", "../x", "Europe"])
def test_a_zone_that_does_not_exist_is_bad_input(name):
    with pytest.raises(BadInput, match="IANA"):
        find_zone(name)
