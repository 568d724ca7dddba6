"""How figures of outcomes read: means that may be unknown, shares that may be below 0, sums with calls left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.dashboard.blocks import Cell
from farthing.dashboard.cells import MINUS, usd
from farthing.reports.sums import percent, share_text

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.dashboard.blocks import Tone
    from farthing.dashboard.visit import Visit

UNKNOWN = Cell("-", None, tone="quiet", hint="not known")
STATUS_TONES: dict[str, Tone] = {"success": "good", "failure": "bad", "other": "quiet"}


def moment(visit: Visit, at: datetime) -> Cell:
    """When, to the second."""
    return Cell(f"{at.astimezone(visit.zone):%-d\u00a0%b\u00a0%H:%M:%S}", at.isoformat())


def call_link(visit: Visit, call_id: str) -> Cell:
    """A call, by a short form of its id."""
    name = call_id.partition(":")[0]
    short = name if len(name) <= 14 else f"\u2026{name[-8:]}"
    return Cell(short, call_id, visit.asked.elsewhere("/call", open=call_id))


def mean(pusd: int | None) -> Cell:
    """An amount, or that there is nothing to take a mean of."""
    return UNKNOWN if pusd is None else usd(pusd)


def unsure(cell: Cell, unpriced_calls: int) -> Cell:
    """The same amount, marked where some calls are not in it."""
    if not unpriced_calls or cell.value is None:
        return cell
    return cell._replace(text=f"{cell.text}+?", hint=f"without {unpriced_calls:,} calls that have no exact price")


def share_cell(part: int, whole: int) -> Cell:
    """A share; its value a decimal fraction. Unknown where there is no whole."""
    if whole <= 0:
        return UNKNOWN
    sign = "-" if part < 0 else ""
    return Cell(signed_percent(part, whole), f"{sign}{share_text(abs(part), whole, 6)}", tone="bad" if part < 0 else "")


def signed_percent(part: int, whole: int) -> str:
    """
    A share that may be below 0, for a reader.

    >>> signed_percent(1, 4), signed_percent(0, 0)
    ('25.0 %', '-')
    """
    return (MINUS if part < 0 else "") + percent(abs(part), whole) if whole > 0 else "-"
