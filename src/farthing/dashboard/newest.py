"""
The newest calls of a span: as many as can be summed one by one while somebody waits.

Users, sessions and tags have no sums of their own. How many calls each day and hour had is known without reading them,
so it can be said in advance how far back to go, and the page can say so.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.dashboard.visit import CALLS_READ_MAX, Visit

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.ledger.interface import Query

SUMMED_MAX = 1_000_000
"""More calls than this are not summed one by one, but for those of one hour."""

_HOUR, _DAY, _INSTANT = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)
_TAG, _UNSUMMED = "tag:", ("user", "session")


class Newest(NamedTuple):
    """
    What a page can be about.

    Attributes:
        visit: The visit, about the newest calls alone where there are too many.
        note: What to say of that; empty where it is about all of them.
        is_many: Whether there may be too many groups to list them all.

    """

    visit: Visit
    note: str = ""
    is_many: bool = False


def newest(visit: Visit, *by: str) -> Newest:
    """A visit about as much of the span as can be summed by these dimensions."""
    if not any(_is_unsummed(name) for name in by):
        return Newest(visit)
    query, whole = visit.query(), visit.total()
    of = 0 if whole is None else whole.calls
    where = {name: values for name, values in query.where.items() if not _is_unsummed(name)}
    since = _cut(visit, msgspec.structs.replace(query, where=where, timezone="UTC"))
    if since is None or query.since is None or since <= query.since:
        return Newest(visit, is_many=of > CALLS_READ_MAX)
    nearer = Visit(visit.asked, visit.reader, visit.desk, visit.user, visit.now)
    nearer.span = visit.span._replace(since=since)
    kept = nearer.total()
    count = 0 if kept is None else kept.calls
    at = since.astimezone(visit.zone)
    note = (
        f"Only the newest {count:,} of {of:,} calls, since {at:%-d %b %H:%M}, for these are summed call by call; "
        "narrow the days for others."
    )
    return Newest(nearer, note, is_many=True)


def _is_unsummed(name: str) -> bool:
    return name in _UNSUMMED or name.startswith(_TAG)


def _cut(visit: Visit, query: Query) -> datetime | None:
    """The start of the earliest hour that can be summed too; None: all can."""
    assert query.since is not None
    assert query.until is not None
    # Whole hours of UTC: their sums say how many calls there are.
    first, beyond = _hour(query.since), _hour(query.until + _HOUR - _INSTANT)
    left = SUMMED_MAX
    for day in reversed(visit.reader.report(msgspec.structs.replace(query, since=first, until=beyond, bucket="day"))):
        assert day.start is not None
        if day.calls > left:
            starts = max(first, day.start), min(beyond, day.start + _DAY)
            return _cut_of_day(visit, msgspec.structs.replace(query, since=starts[0], until=starts[1]), left)
        left -= day.calls
    return None


def _cut_of_day(visit: Visit, query: Query, left: int) -> datetime | None:
    """The same within one day, of which *left* calls can be summed."""
    cut = query.until
    for hour in reversed(visit.reader.hours(query)):
        if hour.calls > left:
            # At the end of the span one hour is summed whatever it has.
            return hour.start if left == SUMMED_MAX else cut
        left -= hour.calls
        cut = hour.start
    return cut


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
