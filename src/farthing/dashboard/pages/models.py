"""Which models served: what each cost, per call and per million tokens, how fast, how cached; and what has no price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.dashboard.blocks import Block, Cell, Note, Page, Table, count, share_of, text, usd
from farthing.dashboard.pages.shared import nothing, spend_over_time
from farthing.reports.sums import percent
from farthing.units import weakest

if TYPE_CHECKING:
    from farthing.dashboard.visit import Visit


def page(visit: Visit) -> Page:
    """Spend by model."""
    if visit.total() is None:
        return Page("Models", (nothing(visit),))
    chart, over_time = spend_over_time(visit, ("model",), title="Spend by model")
    rows = visit.rows("model")
    whole = sum(visit.pusd(row) for row in rows)
    columns = visit.head(
        ("model", "Model", False),
        ("usd", "Contract" if visit.is_contract else "List", True),
        ("share", "Share", True),
        ("calls", "Calls", True),
        ("usd_per_call", "Per call", True),
        ("prompt_tokens", "Prompt", True),
        ("cached", "Cached", True),
        ("output_tokens", "Output", True),
        ("unpriced_calls", "Unpriced", True),
    )
    cells = [
        (
            text(
                row.key[0], href=visit.asked.elsewhere("/explore", where=visit.asked.keeping("model", row.key[0] or ""))
            ),
            usd(visit.pusd(row), share=share_of(visit.pusd(row), whole)),
            Cell(percent(visit.pusd(row), whole), share_of(visit.pusd(row), whole)),
            count(
                row.calls, href=visit.asked.elsewhere("/calls", where=visit.asked.keeping("model", row.key[0] or ""))
            ),
            usd(visit.pusd(row) // row.calls),
            count(row.usage.prompt_tokens),
            Cell(
                percent(row.usage.cache_read_tokens, row.usage.prompt_tokens),
                share_of(row.usage.cache_read_tokens, row.usage.prompt_tokens),
            ),
            count(row.usage.output_tokens),
            Cell(f"{row.unpriced_calls:,}" if row.unpriced_calls else "", row.unpriced_calls, tone="bad"),
        )
        for row in rows
    ]
    kind = str(weakest(*(row.kind for row in rows)))
    table = Table("models", "By model", columns, visit.sorted_rows(columns, cells), kind)
    unpriced = [row.key[0] or "" for row in rows if row.unpriced_calls]
    blocks: list[Block] = [chart, over_time, table]
    if unpriced:
        known = "; ".join(
            f"{name}: near {', '.join(visit.desk.book.names.nearest(name)[:2]) or 'no id we know'}"
            for name in unpriced[:5]
        )
        blocks.append(
            Note(
                f"Some calls have no exact price and are in no sum ({known}). They are never counted as zero.",
                "Unpriced",
                "bad",
                code="farthing explain CALL",
            )
        )
    return Page("Models", tuple(blocks))
