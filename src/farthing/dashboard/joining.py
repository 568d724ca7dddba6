"""
Calls joined to their outcomes, as far as that can be waited for.

Sums by the hour know nothing of outcomes: a join reads the calls of its range. So a page joins no more calls than
somebody waits for, and looks for an outcome's other calls in the whole ledger only where that is as small; else in the
days around. What was joined is kept until the ledger changes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from farthing.ledger.interface import Query
from farthing.reports.outcomes import outcome_report

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.dashboard.scope import Reader
    from farthing.dashboard.visit import Visit
    from farthing.ledger.outcome import Basis
    from farthing.reports.outcome_rows import OutcomeReport

CALLS_JOINED_MAX = 300_000
OUTCOMES_READ_MAX = 200_000
CALLS_SEARCHED_MAX = 3_000_000
"""Calls of one session or tag are searched for among more than are joined: nothing is summed."""
AROUND = timedelta(days=31)


def basis_of(visit: Visit) -> Basis:
    """Which prices a join sums, as the page shows them."""
    return "contract" if visit.is_contract else "list"


def can_join(visit: Visit) -> bool:
    """Whether the span's calls and the outcomes are few enough to be joined while somebody waits."""
    total = visit.total()
    is_few = total is None or total.calls <= CALLS_JOINED_MAX
    return is_few and visit.reader.outcome_count() <= OUTCOMES_READ_MAX


def around(reader: Reader, since: datetime, until: datetime) -> Query:
    """Where an outcome's other calls are looked for: everywhere, or no farther from these days than can be read."""
    widest = Query(), Query(since=since - AROUND, until=until + AROUND)
    for query in widest:
        total = reader.total(query)
        if total is None or total.calls <= CALLS_JOINED_MAX:
            return query
    return Query(since=since, until=until)


def near(reader: Reader, at: datetime) -> Query:
    """Where the calls of one outcome are searched for: everywhere, or as far from its time as can be read."""
    widths = (AROUND, timedelta(days=7), timedelta(days=1))
    hour = at.replace(minute=0, second=0, microsecond=0)  # sums are by the hour
    days = (Query(since=hour - width, until=hour + width + timedelta(hours=1)) for width in widths)
    for query in (Query(), *days):
        total = reader.total(query)
        if total is None or total.calls <= CALLS_SEARCHED_MAX:
            return query
    return query


def joined(visit: Visit, *by: str) -> OutcomeReport | None:
    """What ``farthing outcomes report`` says of the span under the page's filters; None where that takes too long."""
    if not can_join(visit):
        return None
    query, basis = visit.query(*by), basis_of(visit)
    wide = around(visit.reader, visit.span.since, visit.span.until)
    key = ("outcomes", repr(query), repr(wide), basis)
    return visit.reader.kept(key, lambda: outcome_report(visit.reader, query, basis, around=wide))
