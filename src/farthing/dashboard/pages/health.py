"""Where calls come from and how they are kept: sources, journals, calls never settled, corrections, storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.dashboard.blocks import Cell, Column, Facts, Page, Table, Tile, Tiles
from farthing.dashboard.cells import count, text, usd
from farthing.dashboard.pages import health_journals
from farthing.errors import LedgerFault
from farthing.ledger import outcome_spool
from farthing.ledger.interface import Query
from farthing.reports.sums import percent
from farthing.units import Kind

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Row

_SHOWN = 50


def page(visit: Visit) -> Page:
    """All days: health has no filter but the zone."""
    found = health_journals.journals(visit)
    journals = health_journals.table(visit, found)
    blocks = (_sources(visit), _unsettled(visit), journals, _storage(visit), _corrections(visit))
    return Page("Imports and health", (_sums(visit), Tiles(health_journals.tiles(found)), *blocks))


def _sums(visit: Visit) -> Tiles:
    days = _days(visit)
    calls, unpriced = sum(row.calls for row in days), sum(row.unpriced_calls for row in days)
    unsettled = len(visit.reader.unsettled())
    last = max((row.start for row in days if row.start is not None), default=None)
    return Tiles(
        (
            Tile(
                "calls",
                "Calls in the ledger",
                count(calls),
                str(Kind.MEASURED),
                "each counted once" if calls else "farthing import, or farthing serve",
            ),
            Tile(
                "unpriced",
                "Without an exact price",
                count(unpriced),
                str(Kind.MEASURED),
                percent(unpriced, calls) or "none",
                tone="bad" if unpriced else "good",
            ),
            Tile(
                "unsettled",
                "Never settled",
                count(unsettled),
                str(Kind.MEASURED),
                "began in a journal, and nobody knows how they ended"
                if unsettled
                else "every call that began has ended",
                tone="warn" if unsettled else "good",
            ),
            Tile(
                "last",
                "Last day with calls",
                Cell(
                    "none" if last is None else f"{last.astimezone(visit.zone):%-d %b %Y}",
                    None if last is None else last.date().isoformat(),
                ),
                "",
            ),
        ),
        is_lead=True,
    )


def _days(visit: Visit) -> list[Row]:
    """Every source's days: one question about the whole ledger, for all that this page says of it."""
    return visit.reader.report(Query(by=("source",), bucket="day", timezone=visit.zone.key))


def _sources(visit: Visit) -> Table:
    by_source: dict[str | None, list[Row]] = {}
    for row in _days(visit):
        by_source.setdefault(row.key[0], []).append(row)
    sums = {source: sum(row.list_pusd for row in days) for source, days in by_source.items()}
    columns = (
        Column("source", "Source"),
        Column("calls", "Calls", is_number=True),
        Column("usd", "List", is_number=True),
        Column("unpriced", "Unpriced", is_number=True),
        Column("first", "First day"),
        Column("last", "Last day"),
    )
    rows = tuple(
        (
            text(source, href=visit.asked.elsewhere("/explore", where=(("source", source or ""),))),
            count(sum(row.calls for row in days)),
            usd(sums[source]),
            count(sum(row.unpriced_calls for row in days)),
            _day(visit, days[0].start),
            _day(visit, days[-1].start),
        )
        for source, days in sorted(by_source.items(), key=lambda one: (-sums[one[0]], one[0] or ""))
    )
    return Table(
        "sources",
        "Where calls came from",
        columns,
        rows,
        str(Kind.MEASURED),
        empty="Nothing was imported or metered yet.",
    )


def _day(visit: Visit, at: datetime | None) -> Cell:
    return (
        Cell("")
        if at is None
        else Cell(f"{at.astimezone(visit.zone):%-d %b %Y}", at.astimezone(visit.zone).date().isoformat())
    )


def _unsettled(visit: Visit) -> Table:
    found = visit.reader.unsettled()
    columns = (Column("began_at", "Began"), Column("model", "Model asked for"))
    rows = tuple(
        (Cell(f"{one.began_at.astimezone(visit.zone):%-d %b %Y %H:%M:%S}", one.began_at.isoformat()), text(one.model))
        for one in found[:_SHOWN]
    )
    note = (
        f"The first {_SHOWN} of {len(found):,}. They may have been billed."
        if len(found) > _SHOWN
        else "They may have been billed."
        if found
        else ""
    )
    return Table(
        "unsettled",
        "Calls that began and were never settled",
        columns,
        rows,
        note=note,
        empty="None: the journals have no gap.",
    )


def _storage(visit: Visit) -> Facts:
    desk = visit.desk
    rows = [
        ("ledger", Cell(str(desk.ledger), str(desk.ledger))),
        ("its size", _size(desk.ledger)),
        ("written, not yet in it", _size(desk.ledger.with_name(desk.ledger.name + ".wal"))),
        ("outcomes told, not yet in it", _outcomes_waiting(desk.journals)),
        ("journals", Cell(str(desk.journals), str(desk.journals))),
        ("limits file", Cell(str(desk.limits or "none"), str(desk.limits or ""))),
        ("price book", Cell(desk.book.version, desk.book.version)),
        ("contract", Cell(desk.terms.name if desk.terms else "none", desk.terms.name if desk.terms else None)),
    ]
    return Facts("Files", tuple(rows))


def _outcomes_waiting(journals: Path) -> Cell:
    try:
        return count(outcome_spool.count(outcome_spool.waiting(journals / outcome_spool.FOLDER)))
    except LedgerFault:
        return Cell("not known", None)


def _size(path: Path) -> Cell:
    try:
        size = path.stat().st_size
    except OSError:
        return Cell("nothing", 0)
    return Cell(f"{size / 1e6:,.1f} MB", size)


def _corrections(visit: Visit) -> Table:
    columns = (
        Column("id", "", is_number=True),
        Column("made_at", "Made"),
        Column("reason", "Why"),
        Column("calls", "Calls changed", is_number=True),
        Column("moved_usd", "Moved", is_number=True),
        Column("state", ""),
    )
    rows = tuple(
        (
            Cell(str(one.correction_id), one.correction_id),
            Cell(f"{one.made_at.astimezone(visit.zone):%-d %b %Y %H:%M}", one.made_at.isoformat()),
            text(one.reason),
            count(sum(change.changed_calls for change in one.changes)),
            usd(sum(change.after_pusd - change.before_pusd for change in one.changes)),
            text("taken back" if one.reverted else "stands", tone="quiet"),
        )
        for one in reversed(visit.reader.corrections())
    )
    return Table(
        "corrections",
        "Corrections of prices",
        columns,
        rows,
        str(Kind.MEASURED),
        empty="None: every call stands as it was posted.",
    )
