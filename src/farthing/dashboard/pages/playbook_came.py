"""Predicted against realised: what applied steps have saved since, as ``farthing playbook status`` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.dashboard.blocks import Block, Cell, Column, Note, Table, Tone
from farthing.dashboard.cells import count, share_of, text, usd
from farthing.dashboard.pages.playbook_cells import range_cell, undo_button
from farthing.dashboard.visit import CALLS_READ_MAX
from farthing.ledger.interface import Query
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.dashboard.visit import Visit
    from farthing.whatif.playbook.journal import Entry
    from farthing.whatif.playbook.realised import Realised

_EACH_BY_ITSELF = (
    "A step counts as carried out where later calls show it. Each is judged by itself: where two are about the same "
    "calls, what they realised overlaps."
)


def came_of_it(visit: Visit, live: Sequence[Entry]) -> tuple[Block, ...]:
    """A table of applied steps; none where nothing is applied."""
    if not live:
        return ()
    found = _realised(visit, live)
    if found is None:
        told = f"More than {CALLS_READ_MAX:,} calls were sent since these steps were judged. The command line goes "
        told += "through them one by one."
        return (_undecided(live), Note(told, "What came of it", code="farthing playbook status"))
    return (_table(visit, found),)


def _realised(visit: Visit, live: Sequence[Entry]) -> list[Realised] | None:
    """As of the last full minute; None where the calls are too many to go through while somebody waits."""
    from farthing.whatif.playbook.realised import realised, realised_since  # noqa: PLC0415

    query = Query(since=realised_since(live))
    total = visit.reader.total(query)
    if total is not None and total.calls > CALLS_READ_MAX:
        return None
    now = visit.now.replace(second=0, microsecond=0)
    key = ("realised", now, tuple(entry.number for entry in live), str(visit.desk.decisions), visit.desk.book.version)
    book, terms = visit.desk.book, visit.desk.terms
    return visit.reader.kept(key, lambda: realised(visit.reader.calls(query), live, book, now, terms=terms))


def _table(visit: Visit, found: Sequence[Realised]) -> Table:
    columns = (
        Column("title", "Applied step"),
        Column("days", "Days", is_number=True),
        Column("usd_a_month", "A month", is_number=True),
        Column("range", "Nine in ten", is_number=True),
        Column("predicted_usd", "Predicted", is_number=True),
        Column("realised_usd", "Realised", is_number=True),
        Column("kind", "How sure"),
        Column("says", "Where it stands"),
        Column("decide", "", is_buttons=True),
    )
    rows = tuple(_row(visit, one) for one in found)
    told, of = sum(one.saved_pusd or 0 for one in found), sum(one.predicted_pusd for one in found)
    note = f"So far realised {usd(told).text} of {usd(of).text} predicted. {_EACH_BY_ITSELF}"
    sure = [one.kind for one in found if one.saved_pusd is not None]
    kind = str(weakest(*sure, *(one.entry.predicted.kind for one in found)))
    return Table("came_of_it", "Predicted against realised", columns, rows, kind, note)


def _row(visit: Visit, one: Realised) -> tuple[Cell, ...]:
    entry = one.entry
    said = entry.predicted
    known = one.saved_pusd is not None
    return (
        Cell(entry.step.title or entry.step.id, entry.step.id, visit.asked.url(open=entry.step.id)),
        Cell(f"{one.days:.1f}", str(round(one.days, 3))),
        usd(said.a_month_pusd),
        range_cell(said.low_pusd, said.high_pusd),
        usd(one.predicted_pusd),
        _saved(one),
        text(str(one.kind) if known else str(said.kind), tone="" if known else "quiet"),
        text(one.says),
        Cell("", None, buttons=(undo_button(entry),)),
    )


def _saved(one: Realised) -> Cell:
    if one.saved_pusd is None:
        return Cell("not visible yet" if one.calls else "no calls yet", None, tone="quiet")
    tone: Tone = "good" if one.saved_pusd > 0 else "bad" if one.saved_pusd < 0 else ""
    return usd(one.saved_pusd, tone=tone, share=share_of(one.saved_pusd, one.predicted_pusd))


def facts_of(visit: Visit, entry: Entry) -> list[tuple[str, Cell]]:
    """What became of one step, as names and values."""
    found = _realised(visit, [entry])
    if found is None:
        return [("realised", Cell("farthing playbook status tells; there are too many calls for a page", None))]
    (one,) = found
    kind = f", {one.kind}" if one.saved_pusd is not None else ""
    return [
        ("applied", Cell(f"{entry.at:%-d %B %Y %H:%M} UTC by {entry.who}", entry.at.isoformat())),
        ("predicted so far", usd(one.predicted_pusd)),
        ("realised so far", _saved(one)._replace(share=None, text=_saved(one).text + kind)),
        ("where it stands", text(one.says)),
        ("calls since", count(one.calls)),
    ]


def _undecided(live: Sequence[Entry]) -> Table:
    """Applied steps alone, to be undone."""
    columns = (
        Column("title", "Applied step"),
        Column("usd_a_month", "Predicted a month", is_number=True),
        Column("decide", "", is_buttons=True),
    )
    rows = tuple(
        (
            Cell(entry.step.title or entry.step.id, entry.step.id),
            usd(entry.predicted.a_month_pusd),
            Cell("", None, buttons=(undo_button(entry),)),
        )
        for entry in live
    )
    kind = str(weakest(Kind.DERIVED, *(entry.predicted.kind for entry in live)))
    return Table("applied", "Applied", columns, rows, kind)
