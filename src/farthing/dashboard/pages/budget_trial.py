"""The month before, replayed against the budgets of today: which calls they would have refused. Under *Budgets*."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from farthing.dashboard.blocks import Block, Cell, Column, Note, Table
from farthing.dashboard.cells import count, text, usd
from farthing.dashboard.visit import CALLS_READ_MAX
from farthing.ledger.interface import Query
from farthing.limits.windows import window_at
from farthing.units import Kind

if TYPE_CHECKING:
    from farthing.dashboard.visit import Visit
    from farthing.limits.budgets import Budget
    from farthing.limits.replay import DryRun, WouldRefuse

_SHOWN = 40
_NAME = "trial"


def trial(visit: Visit, budgets: tuple[Budget, ...]) -> Block | None:
    """
    What ``farthing budgets dry-run`` says of the last calendar month, or of the running one where that has no calls.

    None for a viewer bound to tenants: what a budget refuses hangs on everybody's calls.
    """
    if not visit.reader.scope.is_whole or not budgets:
        return None
    query = _month(visit)
    total = visit.reader.total(query)
    if total is None:
        return None
    if total.calls > CALLS_READ_MAX:
        told = f"A dry run goes through every call; here are over {CALLS_READ_MAX:,}, so it is for the command line."
        return Note(told, "What these budgets would have refused", code="farthing budgets dry-run")
    key = (_NAME, repr(query), repr(budgets))
    return _table(visit, query, visit.reader.kept(key, lambda: _run(visit, query, budgets)))


def _run(visit: Visit, query: Query, budgets: tuple[Budget, ...]) -> DryRun:
    from farthing.limits.replay import dry_run  # noqa: PLC0415 - only here

    return dry_run(budgets, visit.reader.calls(query))


def _month(visit: Visit) -> Query:
    here = window_at("month", visit.now, visit.zone)
    assert here.starts_at is not None
    before = window_at("month", here.starts_at - timedelta(hours=1), visit.zone)
    query = Query(since=before.starts_at, until=before.ends_at)
    return query if visit.reader.total(query) is not None else Query(since=here.starts_at, until=here.ends_at)


def _table(visit: Visit, query: Query, found: DryRun) -> Table:
    assert query.since is not None
    month = f"{query.since.astimezone(visit.zone):%B %Y}"
    columns = (
        Column("budget", "Budget"),
        Column("who", "Who"),
        Column("window_start", "Window from"),
        Column("limit_usd", "Limit", is_number=True),
        Column("spent_usd", "Spent", is_number=True),
        Column("refused_calls", "Past it", is_number=True),
        Column("refused_usd", "Cost of those", is_number=True),
        Column("first_refused_at", "The first"),
    )
    hit = [one for one in found.accounts if one.refused_calls]
    more = f" The first {_SHOWN} of {len(hit):,} accounts." if len(hit) > _SHOWN else ""
    unpriced = f" {found.unpriced_calls:,} calls without a price are in none." if found.unpriced_calls else ""
    share = f"{found.refused_calls:,} of {found.calls:,} calls would have been refused."
    how = "One call after the other, each at what it cost at list; a soft budget only tells."
    return Table(
        _NAME,
        f"{month}, under today's budgets",
        columns,
        tuple(_row(visit, one) for one in hit[:_SHOWN]),
        str(Kind.DERIVED),
        f"{share} {how}{unpriced}{more}",
        "No call would have gone past a limit.",
        more=(
            (
                "Calls of that month",
                visit.asked.elsewhere("/calls", span=f"{query.since.astimezone(visit.zone):%Y-%m}"),
            ),
        ),
    )


def _row(visit: Visit, one: WouldRefuse) -> tuple[Cell, ...]:
    start = one.window_start
    return (
        text(one.budget.name + (" (soft)" if one.budget.mode == "soft" else "")),
        text(one.value or "all"),
        Cell("", None) if start is None else Cell(f"{start.astimezone(one.budget.zone):%-d %b %Y}", start.isoformat()),
        usd(one.budget.limit_pusd),
        usd(one.spent_pusd),
        count(one.refused_calls),
        usd(one.refused_pusd),
        Cell("", None)
        if one.first_at is None
        else Cell(f"{one.first_at.astimezone(visit.zone):%-d %b %H:%M}", one.first_at.isoformat()),
    )
