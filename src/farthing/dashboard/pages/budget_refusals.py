"""The calls that limits refused lately: by which limit, whose, why, how many. Under *Budgets*."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from farthing.dashboard.blocks import Block, Cell, Column, Note, Table
from farthing.dashboard.cells import count, text, usd
from farthing.errors import LedgerFault
from farthing.units import Kind

if TYPE_CHECKING:
    from farthing.dashboard.visit import Visit
    from farthing.limits.refusals import Case, Tally

_DAYS = 7
_SHOWN = 100
_KINDS = {"budget": "budget", "rate": "rate limit", "upstream": "upstream", "queue": "queue", "store": "store"}


def refused(visit: Visit) -> Block:
    """
    What ``farthing budgets refusals`` says of the last seven days.

    A viewer bound to tenants sees the refusals of calls that named such a tenant, as in the ledger, and no others.
    """
    from farthing.limits.refusal_store import read_refusals  # noqa: PLC0415 - only here
    from farthing.limits.refusals import by_case  # noqa: PLC0415 - only here

    first_day = visit.now.astimezone(visit.zone).date() - timedelta(days=_DAYS - 1)
    since = datetime.combine(first_day, time(), visit.zone)
    try:
        rows = read_refusals(visit.desk.ledger, since)
    except LedgerFault:
        return Note("The log of refusals beside the ledger cannot be read.", "Refused, last 7 days", "bad")
    return _table(visit, by_case(rows, visit.reader.scope.tenants))


def _table(visit: Visit, found: list[tuple[Case, Tally]]) -> Table:
    columns = (
        Column("last_at", "Last"),
        Column("kind", "Kind"),
        Column("limit", "Limit"),
        Column("who", "Who"),
        Column("why", "Why"),
        Column("calls", "Calls", is_number=True),
        Column("worst_usd", "Would have held", is_number=True),
    )
    calls = sum(tally.calls for _, tally in found)
    more = f" The latest {_SHOWN} of {len(found):,} rows: farthing budgets refusals has all." if found[_SHOWN:] else ""
    what = "Would have held: the most that the calls could have cost, at list. Rate limits refuse before that is known."
    return Table(
        "refused",
        f"Refused, last {_DAYS} days",
        columns,
        tuple(_row(visit, case, tally) for case, tally in found[:_SHOWN]),
        str(Kind.DERIVED) if found else "",
        f"{calls:,} {'call was' if calls == 1 else 'calls were'} refused. {what}{more}" if found else "",
        "No call was refused.",
    )


def _row(visit: Visit, case: Case, tally: Tally) -> tuple[Cell, ...]:
    from farthing.limits.refusals import WORDS  # noqa: PLC0415 - only here

    known = tally.known_pusd
    held = Cell("not known", None, tone="quiet") if known is None else usd(known)
    if known is not None and tally.unknown_calls:
        held = held._replace(hint=f"of {tally.calls - tally.unknown_calls:,} of {tally.calls:,} calls")
    first = f"the first: {tally.first_at.astimezone(visit.zone):%-d %b %H:%M}"
    return (
        Cell(f"{tally.last_at.astimezone(visit.zone):%-d %b %H:%M}", tally.last_at.isoformat(), hint=first),
        Cell(_KINDS.get(case.kind, case.kind), case.kind),
        Cell(case.limit, case.limit),
        text(case.who),
        Cell(WORDS.get(case.why, case.why), case.why),
        count(tally.calls),
        held,
    )
