"""What the money went to: any dimension, any time bucket, list or contract, and why it moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farthing.dashboard.blocks import Block, Cell, Note, Page, Table, change_of, count, share_of, text
from farthing.dashboard.pages.shared import cost, cost_per_call, moved_chart, nothing, only, spend_over_time
from farthing.dashboard.visit import CALLS_READ_MAX
from farthing.reports.sums import key_cell, percent, report_csv, report_json
from farthing.units import weakest

if TYPE_CHECKING:
    from farthing.dashboard.visit import Visit

_ROWS_SHOWN = 100


def page(visit: Visit) -> Page:
    """
    Sums by the dimensions that were asked for.

    CSV and JSON hold every group, as ``farthing report`` prints them; the table shows the dearest hundred.
    """
    total = visit.total()
    by = visit.asked.by or ("feature",)
    query = visit.query(*by, bucket=visit.asked.bucket)
    data: dict[str, Any] = {}
    csv = None
    if visit.asked.format != "html":  # every group in every bucket may be a hundred thousand rows
        rows = visit.rows(*by, bucket=visit.asked.bucket)
        data, csv = {"report": report_json(query, rows, total)}, report_csv(query, rows)
    if total is None:
        return Page("Cost explorer", (nothing(visit),), data, csv)
    chart, over_time = spend_over_time(visit, by, title=f"Spend by {' and '.join(by)}")
    blocks: list[Block] = [chart, over_time, _groups(visit, by)]
    moved = visit.movement(by)
    if moved is not None:
        blocks += moved_chart(visit, moved)
    elif "kind" not in by and not visit.can_read_calls(before=True):
        what = f"Users, sessions and tags have no sums, and here are over {CALLS_READ_MAX:,} calls. Narrow the days."
        blocks.append(Note(what, "Why it moved", code="farthing moved"))
    return Page("Cost explorer", tuple(blocks), data, csv)


def _groups(visit: Visit, by: tuple[str, ...]) -> Table:
    rows = visit.rows(*by)
    before = {row.key: visit.pusd(row) for row in visit.rows(*by, before=True)}
    whole = sum(visit.pusd(row) for row in rows)
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
                Cell(change_of(pusd, before.get(row.key, 0)) or "new", pusd - before.get(row.key, 0)),
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
    return Table(
        "groups",
        f"By {' and '.join(by)}",
        columns,
        shown,
        str(weakest(*(r.kind for r in rows))),
        note,
    )
