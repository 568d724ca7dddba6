"""Sessions, the dearest first; one of them opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from farthing.dashboard.blocks import Cell, Note, Page, Table
from farthing.dashboard.cells import count, share_of, text
from farthing.dashboard.newest import newest
from farthing.dashboard.pages import session
from farthing.dashboard.pages.shared import cost, cost_per_call, nothing
from farthing.reports.sums import percent

if TYPE_CHECKING:
    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Row

_SHOWN = 60


def page(visit: Visit) -> Page:
    """The dearest sessions, or the one that was opened."""
    total = visit.total()
    if total is None:
        return Page("Sessions", (nothing(visit),))
    if visit.asked.open:
        return session.page(visit)
    near = newest(visit, "session")
    return _all(near.visit, near.visit.total() or total, near.note)


def _all(visit: Visit, total: Row, near: str) -> Page:
    query = msgspec.structs.replace(visit.query("session", "feature", limit=_SHOWN), others=False)
    rows = visit.reader.report(query)
    named = [row for row in rows if row.key[0] is not None]
    if not named:
        note = "No call of these days names its session: send x-farthing-tag-session, or tag rows on import."
        return Page("Sessions", (Note(f"{note} {near}".strip(), "No sessions yet"),))
    whole = visit.pusd(total)
    columns = visit.head(
        ("session", "Session", False),
        ("feature", "Feature", False),
        ("usd", "Cost", True),
        ("calls", "Calls", True),
        ("usd_per_call", "Per call", True),
        ("prompt_tokens", "Prompt", True),
        ("cached", "Cached", True),
        ("output_tokens", "Output", True),
    )
    cells = [
        (
            text(row.key[0], href=visit.asked.url(open=row.key[0] or "", sort="")),
            text(row.key[1]),
            cost(visit, row, visit.pusd(named[0])),
            count(row.calls),
            cost_per_call(visit, row),
            count(row.usage.prompt_tokens),
            Cell(
                percent(row.usage.cache_read_tokens, row.usage.prompt_tokens),
                share_of(row.usage.cache_read_tokens, row.usage.prompt_tokens),
            ),
            count(row.usage.output_tokens),
        )
        for row in named
    ]
    shown = sum(visit.pusd(row) for row in named)
    note = f"The dearest {len(named)} carry {percent(shown, whole)} of the spend; the rest is left out. {near}".strip()
    kind = str(total.kind)
    return Page(
        "Sessions", (Table("sessions", "The dearest sessions", columns, visit.sorted_rows(columns, cells), kind, note),)
    )
