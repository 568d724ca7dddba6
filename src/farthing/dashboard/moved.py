"""
Why the bill moved, as the pages ask for it: from sums, so that it takes as long for a million calls as for a thousand.

Between two changes of price one report per period has all that is needed (:mod:`farthing.reports.movement_rows`).
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from farthing.ledger.asking import NOT_ROLLED_UP
from farthing.ledger.question import TAG, plain

if TYPE_CHECKING:
    from datetime import date

    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Query
    from farthing.prices.book import PriceBook
    from farthing.reports.movement import Movement
    from farthing.reports.movement_rows import Sums

VALUES_MAX = 60
"""Values of the dimensions that are told apart; each may have some models, and a segment takes some tenths of a millisecond."""


def movement_between(visit: Visit, by: tuple[str, ...]) -> Movement | None:
    """
    The movement from the days before to the span.

    None where *by* has a dimension of which there may be one value for every call and there are many calls, or
    ``kind``, which is of a price and tells no calls apart.
    """
    if "kind" in by or (not _is_summed(by) and not visit.can_read_calls(before=True)):
        return None
    before, after = visit.query(before=True), visit.query()
    key = ("movement", by, visit.is_contract, repr(before), repr(after), visit.desk.book.version)
    return visit.reader.kept(key, lambda: _movement(visit, by, before, after))


def _is_summed(by: tuple[str, ...]) -> bool:
    return not any(plain(name) in NOT_ROLLED_UP or plain(name).startswith(TAG) for name in by)


def _movement(visit: Visit, by: tuple[str, ...], before: Query, after: Query) -> Movement:
    from farthing.reports.movement_rows import movement_of_sums  # noqa: PLC0415 - most pages do without

    sums = _sums(visit, by, before), _sums(visit, by, after)
    return movement_of_sums(*sums, visit.desk.book, by=by, under_contract=visit.is_contract, values_max=VALUES_MAX)


def _sums(visit: Visit, by: tuple[str, ...], query: Query) -> Sums:
    from farthing.reports.movement_rows import Sums, dimensions_of  # noqa: PLC0415 - as above

    names = dimensions_of(by)
    stretches = tuple(
        (part.since.astimezone(UTC).date(), visit.reader.report(msgspec.structs.replace(part, by=names)))
        for part in _stretches(visit.desk.book, query)
        if part.since is not None
    )
    days: Counter[date] = Counter()
    for row in visit.reader.report(msgspec.structs.replace(query, bucket="day", timezone="UTC")):
        if row.start is not None and row.calls > row.unpriced_calls:
            days[row.start.astimezone(UTC).date()] += row.calls - row.unpriced_calls
    return Sums(stretches, days)


def _stretches(book: PriceBook, query: Query) -> list[Query]:
    """The question in parts, each about days without a change of price."""
    since, until = query.since, query.until
    assert since is not None, "a span begins"
    assert until is not None, "a span ends"
    changes = (datetime.combine(day, time(), UTC) for day in book.change_days)
    edges = [since, *(at for at in changes if since < at < until), until]
    return [msgspec.structs.replace(query, since=first, until=beyond) for first, beyond in pairwise(edges)]
