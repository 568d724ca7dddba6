"""Who should pay for shared cache writes: what each tenant was billed for them, beside its fair share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.dashboard.blocks import Block, Cell, Column, Note, Table
from farthing.dashboard.cells import dollars, signed, text, usd
from farthing.dashboard.visit import CALLS_READ_MAX

if TYPE_CHECKING:
    from farthing.dashboard.visit import Visit
    from farthing.units import Kind


class ByTenant(NamedTuple):
    """
    Write premiums by tenant.

    Attributes:
        rows: Tenant, premium paid, fair share: the largest payer first.
        premium_pusd: Their sum, which is that of both. unread_pusd: of it, what nobody read.
        kind: How sure the split is.

    """

    rows: tuple[tuple[str | None, int, int], ...]
    premium_pusd: int
    unread_pusd: int
    kind: Kind


def prefix_shares(visit: Visit) -> tuple[Block, ...]:
    """The table, where several tenants wrote or read the cache."""
    if not visit.can_read_calls():
        what = f"Which tenant read what another wrote is found call by call; here are over {CALLS_READ_MAX:,}."
        return (Note(f"{what} Narrow the days.", "Shared prefixes", code="farthing moved --fair-cache --by tenant"),)
    key = ("fair by tenant", repr(visit.query()), visit.desk.book.version)
    shared = visit.reader.kept(key, lambda: _by_tenant(visit))
    if len(shared.rows) < 2 or not shared.premium_pusd:
        return ()
    if all(paid == fair for _, paid, fair in shared.rows):
        told = f"Tenants were billed {dollars(shared.premium_pusd)} for cache writes, and none read what another wrote."
        return (Note(f"{told} There is nothing to share out.", "Shared prefixes"),)
    columns = (
        Column("tenant", "Tenant"),
        Column("paid_usd", "Billed for writes", is_number=True),
        Column("fair_usd", "Fair share", is_number=True),
        Column("moved_usd", "Would move", is_number=True),
    )
    rows = tuple(
        (
            text(tenant),
            usd(paid),
            usd(fair),
            Cell(
                signed(fair - paid),
                usd(fair - paid).value,
                tone="bad" if fair > paid else "good" if fair < paid else "",
            ),
        )
        for tenant, paid, fair in shared.rows
    )
    note = (
        f"Cache writes cost {dollars(shared.premium_pusd)} more than plain input, billed to whose call came first. "
        f"The fair share splits each write among the calls that read it; {dollars(shared.unread_pusd)} was read by "
        "nobody and stays with its writer. List prices; both columns have the same sum."
    )
    title = "Shared prefixes: who paid, who read"
    return (Table("prefix_shares", title, columns, rows, str(shared.kind), note),)


def _by_tenant(visit: Visit) -> ByTenant:
    from farthing.reports.fair_shares import UNREAD, fair_shares  # noqa: PLC0415 - only here

    calls = list(visit.calls())
    found = fair_shares(calls, visit.desk.book)
    by = found.by({call.call_id: call.dims.get("tenant") for call in calls})
    rows = tuple((tenant, paid, fair) for tenant, (paid, fair) in by.items())
    return ByTenant(rows, found.premium_pusd, found.reasons.get(UNREAD, (0, 0))[1], found.kind)
