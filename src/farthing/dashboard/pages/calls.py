"""Calls one by one, the latest first; and one call with everything that its price rests on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from farthing.call import DIMENSIONS
from farthing.dashboard.blocks import (
    Cell,
    Column,
    Facts,
    Note,
    Page,
    Table,
    Tile,
    Tiles,
    Tone,
    count,
    source_address,
    text,
    usd,
)
from farthing.dashboard.pages.shared import nothing
from farthing.money import exact_usd_text, usd_text
from farthing.reports.sums import percent
from farthing.units import Unit, weakest

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.call import Call
    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Stored
    from farthing.prices.bill import Line
    from farthing.reports.explained import Explained

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


def one_page(visit: Visit) -> Page:
    """One call: its facts, each line of its bill as count x rate, rules and sources."""
    from farthing.prices.contracts import price_under  # noqa: PLC0415
    from farthing.prices.engine import price_served  # noqa: PLC0415
    from farthing.reports.explained import explain, explained_json, facts  # noqa: PLC0415

    stored = visit.reader.get(visit.asked.open) if visit.asked.open else None
    if stored is None:
        back = (("All calls", visit.asked.elsewhere("/calls")),)
        return Page(
            "Call",
            (Note("There is no such call, or it is not yours to see.", "No such call", "warn", back),),
            status=404,
        )
    book, call = visit.desk.book, stored.call
    bill = price_served(book, call.served, call.sent_at)
    contract = None if visit.desk.terms is None else price_under(visit.desk.terms, bill, call.sent_at)
    explained = explain(call, bill, stored.posting, book.sources, contract)
    rows = tuple((name, _fact(visit, call, name, value)) for name, value in facts(call))
    blocks = (
        _sums(explained, stored),
        _bill(explained),
        Facts("What was served, and for whom", rows),
        _sources(explained),
        Note("", links=(("All calls", visit.asked.elsewhere("/calls")), *_siblings(visit, stored))),
    )
    return Page("Call", blocks, {"explained": explained_json(explained)})


def _sums(explained: Explained, stored: Stored) -> Tiles:
    posting, bill = stored.posting, explained.bill
    exact = "unpriced" if posting.list_pusd is None else f"${usd_text(posting.list_pusd)}"
    tone: Tone = "bad" if posting.list_pusd is None else ""
    tiles = [
        Tile(
            "list",
            "At list",
            Cell(exact, None if posting.list_pusd is None else usd_text(posting.list_pusd), tone=tone),
            str(posting.kind),
            "; ".join(posting.unpriced) or f"posted by book {posting.book_version}",
        )
    ]
    if explained.contract is not None and explained.contract.contract is not None:
        amount = exact_usd_text(explained.contract.contract)
        tiles.append(Tile("contract", "Under contract", Cell(f"${amount}", amount), "derived", explained.contract.name))
    if bill.list_pusd != posting.list_pusd:
        now = "unpriced" if bill.list_pusd is None else f"${usd_text(bill.list_pusd)}"
        tiles.append(
            Tile(
                "now",
                "By the book in force",
                Cell(now, now),
                str(bill.kind),
                "farthing reprice --preview says more",
                tone="warn",
            )
        )
    return Tiles(tuple(tiles), is_lead=True)


def _bill(explained: Explained) -> Table:
    columns = (
        Column("unit", "Counted"),
        Column("count", "Count", is_number=True),
        Column("rate", "Rate", is_number=True),
        Column("usd", "Amount", is_number=True),
        Column("rule", "Rule"),
        Column("source", "Source"),
    )
    rows = tuple(_line(line) for line in explained.bill.lines)
    notes = " ".join((*explained.bill.notes, *explained.bill.unpriced))
    return Table("bill", "The bill, line by line", columns, rows, str(explained.bill.kind), notes, "It has no line.")


_UNITS = {
    Unit.INPUT: "fresh input",
    Unit.CACHE_WRITE_5M: "cache write, 5 min",
    Unit.CACHE_WRITE_1H: "cache write, 1 h",
    Unit.CACHE_READ: "cache read",
    Unit.OUTPUT: "output",
    Unit.WEB_SEARCH: "web search",
}


def _line(line: Line) -> tuple[Cell, ...]:
    rate = f"${line.usd_per_unit} each" if line.usd_per_mtok is None else f"${line.usd_per_mtok} / MTok"
    if line.usd_per_mtok is None and line.usd_per_unit is None:
        rate = "no published rate"
    amount = None if line.pusd is None else usd_text(line.pusd)
    part = "" if line.part == "request" else f" ({line.part})"
    return (
        Cell(f"{_UNITS.get(line.unit, str(line.unit))}{part}", str(line.unit)),
        Cell(f"{line.count:,}", line.count),
        Cell(rate, line.usd_per_mtok or line.usd_per_unit),
        Cell("unpriced" if amount is None else f"${amount}", amount, tone="bad" if amount is None else ""),
        text(line.rule),
        text(line.source, tone="quiet"),
    )


def _sources(explained: Explained) -> Table:
    columns = (Column("source", "Source"), Column("url", "Address"), Column("as_of", "As of"))
    rows = tuple((text(key), source_address(one.url), text(one.as_of)) for key, one in explained.sources.items())
    return Table("sources", "Where its rates were read", columns, rows, empty="It cites none.")


def _fact(visit: Visit, call: Call, name: str, value: str) -> Cell:
    """A fact; one that calls can be filtered by leads to all that share it."""
    shared = {"model": call.served.model, "source": call.source, **call.dims}
    if shared.get(name) != value or name not in (*DIMENSIONS, "model", "source"):
        return Cell(value, value)
    return Cell(value, value, visit.asked.elsewhere("/calls", where=((name, value),)))


def _siblings(visit: Visit, stored: Stored) -> tuple[tuple[str, str], ...]:
    session = stored.call.dims.get("session")
    return () if not session else (("Its session", visit.asked.elsewhere("/sessions", open=session)),)
