"""Calls one by one, the latest first."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from farthing.dashboard.blocks import (
    Cell,
    Column,
    Page,
    Table,
    count,
    text,
    usd,
)
from farthing.dashboard.pages.shared import nothing
from farthing.reports.sums import percent
from farthing.units import weakest

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Stored

PER_PAGE = 50


def page(visit: Visit) -> Page:
    """The latest calls that pass the filters."""
    total = visit.total()
    if total is None:
        return Page("Calls", (nothing(visit),))
    found = latest(visit, (visit.asked.page - 1) * PER_PAGE, PER_PAGE)
    columns = (
        Column("sent_at", "Sent"),
        Column("call_id", "Call"),
        Column("model", "Model"),
        Column("feature", "Feature"),
        Column("tenant", "Tenant"),
        Column("usd", "Cost", is_number=True),
        Column("prompt_tokens", "Prompt", is_number=True),
        Column("cached", "Cached", is_number=True),
        Column("output_tokens", "Output", is_number=True),
        Column("stop_reason", "Ended"),
        Column("duration_ms", "Took", is_number=True),
    )
    rows = tuple(_row(visit, stored) for stored in found)
    more = []
    if visit.asked.page > 1:
        more.append(("Later calls", visit.asked.url(page=visit.asked.page - 1)))
    if visit.asked.page * PER_PAGE < total.calls:
        more.append(("Earlier calls", visit.asked.url(page=visit.asked.page + 1)))
    first = (visit.asked.page - 1) * PER_PAGE + 1
    note = (
        f"{first:,} to {first + len(rows) - 1:,} of {total.calls:,}, the latest first, {visit.zone.key}."
        if rows
        else ""
    )
    kind = str(weakest(*(stored.posting.kind for stored in found)))
    table = Table("calls", visit.span.label, columns, rows, kind, note, "No more calls.", more=tuple(more))
    return Page("Calls", (table,))


def latest(visit: Visit, skip: int, number: int) -> list[Stored]:
    """
    Calls of the span from the latest back.

    The hours' sums tell how many calls each hour has, so only the hours that are shown are read.
    """
    hours = sorted(((row.start, row.calls) for row in visit.rows(bucket="hour") if row.start), reverse=True)
    found: list[Stored] = []
    passed = 0
    for start, calls in hours:
        if passed + calls > skip and passed < skip + number:
            edges = {"since": max(start, visit.span.since), "until": min(_after(start, hours), visit.span.until)}
            here = list(visit.reader.calls(msgspec.structs.replace(visit.query(), **edges)))[::-1]
            found += here[max(0, skip - passed) : skip + number - passed]
        passed += calls
    return found[:number]


def _after(start: datetime, hours: list[tuple[datetime, int]]) -> datetime:
    """The end of an hour's calls: clock changes make hours of 30 and of 90 minutes, and a later hour ends each."""
    return min([*(at for at, _ in hours if at > start), start + timedelta(hours=2)])


def _row(visit: Visit, stored: Stored) -> tuple[Cell, ...]:
    call, posting = stored.call, stored.posting
    served, usage = call.served, call.served.usage
    pusd = posting.list_pusd if not visit.is_contract or posting.contract_pusd is None else posting.contract_pusd
    return (
        Cell(f"{call.sent_at.astimezone(visit.zone):%-d\u00a0%b\u00a0%H:%M:%S}", call.sent_at.isoformat()),
        Cell(_short(call.call_id), call.call_id, visit.asked.url("/call", open=call.call_id)),
        text(served.model),
        text(call.dims.get("feature")),
        text(call.dims.get("tenant")),
        Cell("unpriced", None, tone="bad") if pusd is None else usd(pusd),
        count(usage.prompt_tokens),
        Cell(
            percent(usage.cache_read_tokens, usage.prompt_tokens) if usage.cache_read_tokens else "",
            usage.cache_read_tokens,
        ),
        count(usage.output_tokens),
        text(served.stop_reason or "", tone="quiet"),
        Cell(_took(call.duration_ms), call.duration_ms),
    )


def _took(duration_ms: int | None) -> str:
    if duration_ms is None:
        return ""
    return f"{duration_ms} ms" if duration_ms < 1000 else f"{duration_ms / 1000:.1f} s"


def _short(call_id: str) -> str:
    name = call_id.partition(":")[0]
    return name if len(name) <= 14 else f"\u2026{name[-8:]}"
