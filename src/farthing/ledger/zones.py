"""
Time buckets in any IANA zone. Pure.

The ledger keeps UTC. A report in another zone asks here where its buckets start, so that both engines give the days of
a clock change 23 or 25 hours and the hour that comes twice two rows.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from farthing.errors import BadInput

if TYPE_CHECKING:
    from farthing.ledger.interface import Bucket

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


class Segment(NamedTuple):
    """A stretch of time, from *starts_at* (aware, UTC) to the next segment, in which a zone has one offset."""

    starts_at: datetime
    offset_s: int


def find_zone(name: str) -> ZoneInfo:
    """
    The zone of an IANA name.

    Raises:
        BadInput: There is none.

    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise BadInput(f"read time zone {name!r}", "an IANA name such as Europe/Berlin or UTC") from None


def bucket_start(at: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    """
    The first instant, in UTC, of the bucket that *at* lies in. Weeks start on Monday.

    Where a clock change swallows midnight, the day starts when the clocks had been changed.
    """
    local = at.astimezone(zone)
    if bucket == "hour":
        return local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)
    day = local.date()
    if bucket == "week":
        day -= timedelta(days=day.weekday())
    elif bucket == "month":
        day = day.replace(day=1)
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def segments(zone: ZoneInfo, first: datetime, last: datetime) -> list[Segment]:
    """
    Every offset of *zone* from *first* to *last* (aware, UTC), ascending.

    Found by asking once a day, so two changes within a day that undo each other would be missed; no zone has had any.
    """
    found = [Segment(first, _offset_s(zone, first))]
    at = first
    while at < last:
        following = min(at + _DAY, last)
        offset_s = _offset_s(zone, following)
        if offset_s != found[-1].offset_s:
            found.append(Segment(_change_between(zone, at, following), offset_s))
        at = following
    return found


def whole_hours(found: list[Segment]) -> bool:
    """Whether every hour of the zone is an hour of UTC, so that hourly sums can be added up to its buckets."""
    changes = found[1:]
    return all(s.offset_s % 3600 == 0 for s in found) and all(s.starts_at.timestamp() % 3600 == 0 for s in changes)


def _offset_s(zone: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _change_between(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first second after *before* at which the offset is that of *after*."""
    old = _offset_s(zone, before)
    low, high = before.replace(microsecond=0), after.replace(microsecond=0) + _SECOND
    while high - low > _SECOND:
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        low, high = (middle, high) if _offset_s(zone, middle) == old else (low, middle)
    return high
