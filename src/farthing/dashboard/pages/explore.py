"""What the money went to: any dimension, any time bucket, list or contract, and why it moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from farthing.dashboard.blocks import Block, Cell, Note, Page, Table
from farthing.dashboard.cells import change_of, count, share_of, text
from farthing.dashboard.newest import newest
from farthing.dashboard.pages.shared import cost, cost_per_call, moved_chart, nothing, only, spend_over_time
from farthing.dashboard.visit import CALLS_READ_MAX
from farthing.reports.sums import key_cell, percent, report_csv, report_json
from farthing.units import weakest

if TYPE_CHECKING:
    from farthing.dashboard.newest import Newest
    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Row

_ROWS_SHOWN = 100


def page(visit: Visit) -> Page:
    """
    Sums by the dimensions that were asked for.

    CSV and JSON hold every group, as ``farthing report`` prints them; the table shows the dearest hundred.
    """
    by = visit.asked.by or ("feature",)
    near = newest(visit, *by)
    asked, visit = visit, near.visit
    total = visit.total()
    query = visit.query(*by, bucket=visit.asked.bucket)
    data: dict[str, Any] = {}
    csv = None
    if visit.asked.format != "html":  # every group in every bucket may be a hundred thousand rows
        rows = visit.rows(*by, bucket=visit.asked.bucket)
        data, csv = {"report": report_json(query, rows, total)}, report_csv(query, rows)
    if total is None:
        return Page("Cost explorer", (nothing(visit),), data, csv)
    title = f"Spend by {' and '.join(by)}"
    chart, over_time = spend_over_time(visit, by, title=title, with_before=not near.note)
    blocks: list[Block] = [*([Note(near.note)] if near.note else []), chart, over_time, _groups(near, by)]
    moved = asked.movement(by)
    if moved is not None:
        blocks += moved_chart(visit, moved)
    elif "kind" not in by and not asked.can_read_calls(before=True):
        what = f"Users, sessions and tags have no sums, and here are over {CALLS_READ_MAX:,} calls. Narrow the days."
        blocks.append(Note(what, "Why it moved", code="farthing moved"))
    return Page("Cost explorer", tuple(blocks), data, csv)


def _groups(near: Newest, by: tuple[str, ...]) -> Table:
    visit = near.visit
    rows = _rows(near, by)
    are_all = not near.is_many or len(rows) < _ROWS_SHOWN
    before = {row.key: visit.pusd(row) for row in _rows(near, by, before=True)} if are_all and not near.note else {}
    is_compared = are_all and not near.note and (not near.is_many or len(before) < _ROWS_SHOWN)
    total = visit.total() if near.is_many else None
    whole = sum(visit.pusd(row) for row in rows) if total is None else visit.pusd(total)
    columns = visit.head(
        *((name, name.removeprefix("tag:").replace("_", " ").capitalize(), False) for name in by),
        ("usd", "Contract" if visit.is_contract else "List", True),
        ("share", "Share", True),
        ("change", "Change", True),
        ("calls", "Calls", True),
        ("usd_per_call", "Per call", True),
        ("input_tokens", "Fresh", True),
        ("cache_write_tokens", "Written", True),
        ("cache_read_tokens", "Read", True),
        ("output_tokens", "Output", True),
        ("unpriced_calls", "Unpriced", True),
    )
    cells = []
    for row in rows:
        pusd, usage = visit.pusd(row), row.usage
        names = [
            text(key_cell(name, value), href=visit.asked.url(where=visit.asked.keeping(name, value or "")))._replace(
                value=value
            )
            for name, value in zip(by, row.key, strict=True)
        ]
        cells.append(
            (
                *names,
                cost(visit, row, whole),
                Cell(percent(pusd, whole), share_of(pusd, whole)),
                _change(pusd, before.get(row.key, 0)) if is_compared else Cell("", None),
                count(row.calls, href=visit.asked.elsewhere("/calls", where=only(visit, by, row.key))),
                cost_per_call(visit, row),
                count(usage.input_tokens),
                count(usage.cache_write_5m_tokens + usage.cache_write_1h_tokens),
                count(usage.cache_read_tokens),
                count(usage.output_tokens),
                Cell(f"{row.unpriced_calls:,}" if row.unpriced_calls else "", row.unpriced_calls, tone="bad"),
            )
        )
    shown = visit.sorted_rows(columns, cells)[:_ROWS_SHOWN]
    note = f"The first {_ROWS_SHOWN} of {len(rows):,}; CSV and JSON have all." if len(rows) > _ROWS_SHOWN else ""
    note = note if are_all else f"The dearest {_ROWS_SHOWN}; CSV and JSON have all."
    return Table(
        "groups",
        f"By {' and '.join(by)}",
        columns,
        shown,
        str(weakest(*(r.kind for r in rows))),
        note,
    )


def _rows(near: Newest, by: tuple[str, ...], *, before: bool = False) -> list[Row]:
    """Every group, or the dearest where there may be too many."""
    visit = near.visit
    if not near.is_many:
        return visit.rows(*by, before=before)
    query = msgspec.structs.replace(visit.query(*by, limit=_ROWS_SHOWN, before=before), others=False)
    return [row for row in visit.reader.report(query) if row.calls]


def _change(pusd: int, before_pusd: int) -> Cell:
    return Cell(change_of(pusd, before_pusd) or "new", pusd - before_pusd)
