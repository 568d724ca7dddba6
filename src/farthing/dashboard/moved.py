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

    from farthing.dashboard.scope import Reader
    from farthing.ledger.interface import Query
    from farthing.prices.book import PriceBook
    from farthing.reports.movement import Movement
    from farthing.reports.movement_rows import Sums

VALUES_MAX = 40
"""Values of the dimensions that are told apart: each has some models, and each of those takes most of a millisecond."""


def is_summed(by: tuple[str, ...]) -> bool:
    """Whether a ledger has sums by these: of users, sessions and tags it has none, there may be one for every call."""
    return not any(plain(name) in NOT_ROLLED_UP or plain(name).startswith(TAG) for name in by)


def movement_between(
    reader: Reader, book: PriceBook, by: tuple[str, ...], before: Query, after: Query, *, under_contract: bool
) -> Movement:
    """
    The movement from one question's calls to another's.

    Args:
        reader: What may be seen.
        book: Prices of both.
        by: Dimensions of calls that tell segments apart; not ``kind``.
        before: The first period, with a beginning and an end.
        after: The second, likewise.
        under_contract: Whether in prices under the contract.

    """
    from farthing.reports.movement_rows import movement_of_sums  # noqa: PLC0415 - most pages do without

    def made() -> Movement:
        sums = _sums(reader, book, by, before), _sums(reader, book, by, after)
        return movement_of_sums(*sums, book, by=by, under_contract=under_contract, values_max=VALUES_MAX)

    return reader.kept(("movement", by, under_contract, repr(before), repr(after), book.version), made)


def _sums(reader: Reader, book: PriceBook, by: tuple[str, ...], query: Query) -> Sums:
    from farthing.reports.movement_rows import Sums, dimensions_of  # noqa: PLC0415 - as above

    names = dimensions_of(by)
    stretches = tuple(
        (part.since.astimezone(UTC).date(), reader.report(msgspec.structs.replace(part, by=names)))
        for part in _stretches(book, query)
        if part.since is not None
    )
    days: Counter[date] = Counter()
    for row in reader.report(msgspec.structs.replace(query, by=(), bucket="day", timezone="UTC")):
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
