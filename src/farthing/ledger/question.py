"""
What a query asks of one call: dimension by dimension, filter by filter. Pure.

The plain meaning that the memory engine runs and that SQL must agree with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from farthing.call import DIMENSIONS
from farthing.errors import BadInput
from farthing.ledger.interface import FACTS, PARTS_OF_TIME, Bucket, Query
from farthing.ledger.text import valid_text
from farthing.ledger.zones import find_zone

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from farthing.ledger.interface import Stored

TAG = "tag:"


def check(query: Query) -> ZoneInfo:
    """
    The query's time zone, if everything the query names exists.

    Raises:
        BadInput: A dimension, bucket or time zone does not exist, a time has no zone, the limit is not positive, or a
            text is not valid Unicode (the ledger keeps none such).

    """
    for text in (*query.by, *query.where, *(value for values in query.where.values() for value in values)):
        if valid_text(text) != text:
            raise BadInput(f"read {text!r}, which is not valid Unicode", "text of whole characters")
    for dimension in (*query.by, *query.where):
        if not _exists(dimension):
            known = ", ".join((*DIMENSIONS, *FACTS, *PARTS_OF_TIME, "tag:NAME"))
            raise BadInput(f"read dimension {dimension!r}", f"one of {known}")
    if query.bucket is not None and query.bucket not in get_args(Bucket):
        raise BadInput(f"read time bucket {query.bucket!r}", f"one of {', '.join(get_args(Bucket))}")
    for name, at in (("since", query.since), ("until", query.until)):
        if at is not None and at.tzinfo is None:
            raise BadInput(f"read {name} {at.isoformat()} without a time zone", "an aware time")
    if query.limit is not None and query.limit < 1:
        raise BadInput(f"read limit {query.limit}", "at least 1")
    return find_zone(query.timezone)


def plain(dimension: str) -> str:
    """The dimension itself; ``tag:tenant`` is the same as ``tenant``."""
    name = dimension.removeprefix(TAG)
    return name if name in DIMENSIONS else dimension


def value(stored: Stored, dimension: str, zone: ZoneInfo) -> str | None:
    """The call's value in *dimension*; None where it has none or an empty one."""
    dimension = plain(dimension)
    call = stored.call
    match dimension:
        case "hour_of_day":
            return str(call.sent_at.astimezone(zone).hour)
        case "weekday":
            return str(call.sent_at.astimezone(zone).weekday())
        case "kind":
            return str(stored.posting.kind)
        case "source":
            return call.source or None
        case _ if dimension in FACTS:
            return getattr(call.served, dimension) or None
    return call.dims.get(dimension.removeprefix(TAG)) or None


def keeps(query: Query, stored: Stored, zone: ZoneInfo) -> bool:
    """Whether the call is in the query's range and passes its filters."""
    at = stored.call.sent_at
    if (query.since is not None and at < query.since) or (query.until is not None and at >= query.until):
        return False
    return all((value(stored, name, zone) or "") in values for name, values in query.where.items())


def _exists(dimension: str) -> bool:
    if dimension.startswith(TAG):
        return len(dimension) > len(TAG)
    return dimension in DIMENSIONS or dimension in FACTS or dimension in PARTS_OF_TIME
