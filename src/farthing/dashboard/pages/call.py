"""One call with everything that its price rests on, what was decided about it, and what it would cost otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.call import DIMENSIONS
from farthing.dashboard.blocks import Cell, Column, Facts, Note, Page, Table, Tile, Tiles, Tone
from farthing.dashboard.cells import source_address, text
from farthing.dashboard.pages.call_as_if import as_if_blocks
from farthing.dashboard.pages.call_decided import decided
from farthing.money import exact_usd_text, usd_text
from farthing.reports.sums import percent
from farthing.units import Unit

if TYPE_CHECKING:
    from farthing.call import Call, Usage
    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Stored
    from farthing.prices.bill import Bill, Line
    from farthing.reports.explained import Explained


def page(visit: Visit) -> Page:
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
        bill_table("bill", "The bill, line by line", explained.bill),
        *as_if_blocks(visit, call, bill_table),
        Facts("What was counted", _counted(call.served.usage)),
        Facts("What was decided", tuple(decided(visit, stored))),
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


def bill_table(name: str, title: str, bill: Bill) -> Table:
    """The lines of a bill: count x rate, with rule and source."""
    columns = (
        Column("unit", "Counted"),
        Column("count", "Count", is_number=True),
        Column("rate", "Rate", is_number=True),
        Column("usd", "Amount", is_number=True),
        Column("rule", "Rule"),
        Column("source", "Source"),
    )
    rows = tuple(_line(line) for line in bill.lines)
    notes = " ".join((*bill.notes, *bill.unpriced))
    return Table(name, title, columns, rows, str(bill.kind), notes, "It has no line.")


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


def _counted(usage: Usage) -> tuple[tuple[str, Cell], ...]:
    """Every unit of the request's main pass, the free ones too."""
    prompt = usage.prompt_tokens
    rows = (
        ("prompt", prompt, ""),
        ("fresh input", usage.input_tokens, percent(usage.input_tokens, prompt)),
        ("written, 5 min", usage.cache_write_5m_tokens, percent(usage.cache_write_5m_tokens, prompt)),
        ("written, 1 h", usage.cache_write_1h_tokens, percent(usage.cache_write_1h_tokens, prompt)),
        ("read", usage.cache_read_tokens, percent(usage.cache_read_tokens, prompt)),
        ("output", usage.output_tokens, ""),
        ("of it thinking", usage.thinking_tokens, percent(usage.thinking_tokens, usage.output_tokens)),
        ("web searches", usage.web_search_requests, ""),
        ("web fetches", usage.web_fetch_requests, "not billed by the piece"),
        ("code executions", usage.code_execution_requests, "billed by the hour, elsewhere"),
    )
    return tuple(
        (name, Cell(f"{number:,}" + (f" \u00b7 {said}" if said else ""), number))
        for name, number, said in rows
        if number
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
