"""A page as JSON and as CSV: the same values that a reader sees, exactly. Pure."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from farthing.dashboard.blocks import Facts, Table, Tiles
from farthing.reports.sums import safe_cell

if TYPE_CHECKING:
    from farthing.dashboard.blocks import Cell, Page
    from farthing.dashboard.visit import Visit


def page_json(page: Page, visit: Visit) -> dict[str, Any]:
    """The question, every figure and every table; amounts are exact decimal strings."""
    asked, span = visit.asked, visit.span
    return {
        "page": page.title,
        "asked": {
            "path": asked.path,
            "since": span.since.isoformat(),
            "until": span.until.isoformat(),
            "before_since": span.before_since.isoformat(),
            "before_until": span.before_until.isoformat(),
            "timezone": visit.zone.key,
            "by": list(asked.by),
            "where": {name: list(values) for name, values in asked.filters.items()},
            "prices": "contract" if visit.is_contract else "list",
        },
        "figures": {
            tile.name: {"value": tile.cell.value, "kind": tile.kind or None, "detail": tile.detail}
            for block in page.blocks
            if isinstance(block, Tiles)
            for tile in block.tiles
        },
        "tables": [_table(block) for block in page.blocks if isinstance(block, Table)],
        "facts": {name: _exact(cell) for block in page.blocks if isinstance(block, Facts) for name, cell in block.rows},
        **page.data,
    }


def page_csv(page: Page) -> str:
    """The page's own CSV, or else its first table that is not folded; text that a spreadsheet would run is quoted."""
    if page.csv is not None:
        return page.csv
    tables = [block for block in page.blocks if isinstance(block, Table)]
    shown = next((table for table in tables if not table.is_folded), tables[0] if tables else None)
    out = io.StringIO()
    if shown is not None:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([safe_cell(column.name) for column in shown.columns if not column.is_buttons])
        writer.writerows([[_plain(cell) for _, cell in _figures(shown, row)] for row in shown.rows])
    return out.getvalue()


def _table(table: Table) -> dict[str, Any]:
    rows = [{name: _exact(cell) for name, cell in _figures(table, row)} for row in table.rows]
    return {"name": table.name, "title": table.title, "kind": table.kind or None, "rows": rows}


def _figures(table: Table, row: tuple[Cell, ...]) -> list[tuple[str, Cell]]:
    """A row's cells with their columns' names; buttons are no figures."""
    pairs = zip(table.columns, row, strict=True)
    return [(column.name, cell) for column, cell in pairs if not column.is_buttons]


def _exact(cell: Cell) -> str | int | None:
    """What a cell is; text without a value of its own is what it says."""
    return cell.value if cell.value is not None or cell.tone in ("quiet", "bad") else cell.text or None


def _plain(cell: Cell) -> str | int:
    value = _exact(cell)
    if value is None:
        return ""
    return value if isinstance(value, int) or _is_amount(value) else safe_cell(value)


def _is_amount(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdecimal()
