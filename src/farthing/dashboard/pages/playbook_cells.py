"""What the pages of the playbook share: where a step stands, what can be decided about it, what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.dashboard.blocks import Button, Cell, Column, Table
from farthing.dashboard.cells import dollars, text, usd
from farthing.units import weakest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.dashboard.visit import Visit
    from farthing.whatif.playbook.journal import Entry
    from farthing.whatif.playbook.shown import Shown, ShownStep


def state_of(step: ShownStep, entry: Entry | None) -> Cell:
    """Whether a step is applied, and by whom; or that no policy can hold it."""
    if entry is not None:
        return Cell(f"applied {entry.at:%-d %b} by {entry.who}", f"applied {entry.at.isoformat()}", tone="good")
    return Cell("no policy can hold it" if step.step is None else "open", "open", tone="quiet", hint=step.cannot)


def buttons_of(plan: Shown, step: ShownStep, entry: Entry | None) -> tuple[Button, ...]:
    """What can be decided about a step now."""
    if entry is not None:
        return (undo_button(entry),)
    if step.step is None:
        return ()
    return (Button("Apply", "apply", (("step", step.id), ("plan", plan.at.isoformat())), step.title),)


def undo_button(entry: Entry) -> Button:
    """Takes a decision back."""
    return Button("Undo", "undo", (("step", entry.step.id),), entry.step.title)


def range_cell(low_pusd: int | None, high_pusd: int | None) -> Cell:
    """Nine in ten months."""
    if low_pusd is None or high_pusd is None:
        return Cell("not known well", None, tone="quiet", hint="with fewer than seven days no range is known well")
    said = f"{dollars(low_pusd)} to {dollars(high_pusd)}"
    return Cell(said, said)


def decisions(visit: Visit, entries: Sequence[Entry], damaged: int = 0) -> Table:
    """Entries of the journal, the latest first."""
    columns = (
        Column("at", "When"),
        Column("who", "Who"),
        Column("action", "What"),
        Column("step", "Step"),
        Column("usd_a_month", "Predicted a month", is_number=True),
        Column("kind", "How sure"),
    )
    rows = tuple(
        (
            Cell(f"{one.at.astimezone(visit.zone):%-d %b %Y %H:%M}", one.at.isoformat()),
            text(one.who),
            text(one.action),
            Cell(one.step.title or one.step.id, one.step.id, visit.asked.url(open=one.step.id)),
            usd(one.predicted.a_month_pusd),
            text(str(one.predicted.kind)),
        )
        for one in entries
    )
    kind = str(weakest(*(one.predicted.kind for one in entries))) if entries else ""
    note = f"{damaged:,} damaged lines of the journal are left out." if damaged else ""
    return Table("decisions", "What was decided", columns, rows, kind, note)
