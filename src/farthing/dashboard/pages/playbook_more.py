"""What a plan says besides its steps: how they interact, the guides' six, findings, and what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farthing.dashboard.blocks import Cell, Column, Table, Tone
from farthing.dashboard.cells import signed, text, usd
from farthing.money import parse_usd
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from farthing.dashboard.visit import Visit
    from farthing.whatif.playbook.shown import Shown

LEFT_OUT_SHOWN = 20


def more(visit: Visit, plan: Shown) -> list[Table]:
    """Tables, all but the first two folded."""
    found = [_findings(visit, plan), _interactions(visit, plan), _guides(plan), _left_out(plan)]
    return [one for one in found if one.rows]


def _interactions(visit: Visit, plan: Shown) -> Table:
    columns = (
        Column("number", "", is_number=True),
        Column("title", "Step"),
        Column("alone_usd", "If it were the only one", is_number=True),
        Column("saved_usd", "After those before it", is_number=True),
        Column("lost_usd", "What they change", is_number=True),
        Column("instead_of", "Takes the place of"),
    )
    rows = []
    for step in plan.told["steps"] if len(plan.steps) > 1 else ():
        alone, saved = parse_usd(step["saved_alone_usd"]), parse_usd(step["saved_usd"])
        tone: Tone = "quiet" if alone == saved else "good" if saved > alone else "warn"
        instead = ", ".join(map(str, step["instead_of"]))
        rows.append(
            (
                Cell(str(step["step"]), step["step"]),
                Cell(step["title"], step["title"], visit.asked.url(open=step["id"])),
                usd(alone),
                usd(saved),
                usd(saved - alone, tone=tone)._replace(text=signed(saved - alone) if saved != alone else "nothing"),
                Cell(f"step {instead}" if instead else "", instead or None),
            )
        )
    note = "Over the days judged. Steps that turn the same calls leave less for one another; alone they do not sum."
    return Table(
        "interactions", "How the steps change one another", columns, tuple(rows), _kind(plan), note, is_folded=True
    )


def _kind(plan: Shown) -> str:
    return str(weakest(*(step.predicted.kind for step in plan.steps))) if plan.steps else ""


def _guides(plan: Shown) -> Table:
    columns = (
        Column("guide", "Guide"),
        Column("usd_a_month", "Here, a month", is_number=True),
        Column("kind", "How sure"),
        Column("steps", "Steps"),
        Column("why", "Why"),
        Column("published", "What guides print"),
        Column("source", "Where, and what is wrong in it"),
    )
    rows = tuple(
        (
            text(one["guide"]),
            usd(parse_usd(one["a_month_usd"])),
            text(one["kind"]),
            text(", ".join(map(str, one["steps"])) or "none"),
            text(one["why"]),
            text(one["published"], tone="quiet"),
            text(one["source"], tone="quiet"),
        )
        for one in plan.told["guides"]
    )
    kind = str(weakest(*(Kind(one["kind"]) for one in plan.told["guides"]))) if rows else ""
    title = "The six steps of published guides, and what they come to here"
    return Table("guides", title, columns, rows, kind, is_folded=True)


def _findings(visit: Visit, plan: Shown) -> Table:
    columns = (
        Column("title", "Finding"),
        Column("usd_a_month", "Costs a month", is_number=True),
        Column("kind", "How sure"),
        Column("calls", "Calls", is_number=True),
        Column("where", "Where"),
        Column("change", "What to change"),
        Column("left_usd", "A repair would save on top", is_number=True),
    )
    found = [one for one in plan.told["findings"] if one["covered_by_step"] is None]
    rows = tuple(_finding(visit, one) for one in found)
    known = [Kind(one["kind"]) for one in found if one["a_month_usd"] is not None]
    note = "No step turns these off. Their costs overlap and are in no sum; a repair is reckoned over the days judged."
    return Table("findings", "Findings", columns, rows, str(weakest(*known)) if known else "", note)


def _finding(visit: Visit, one: dict[str, Any]) -> tuple[Cell, ...]:
    evidence = one["evidence"]
    href = visit.asked.elsewhere("/call", open=evidence[0]) if evidence else ""
    left = one["left_after_steps_usd"]
    return (
        Cell(one["title"], one["title"], href, hint=one["why"]),
        Cell("not known", None, tone="quiet") if one["a_month_usd"] is None else usd(parse_usd(one["a_month_usd"])),
        text(one["kind"]),
        Cell(f"{one['calls']:,}", one["calls"]),
        Cell(one["where"], one["where"] or None),
        text(one["change"]),
        Cell("", None) if left is None else usd(parse_usd(left)),
    )


def _left_out(plan: Shown) -> Table:
    columns = (
        Column("title", "Tried"),
        Column("reason", "Left out because"),
        Column("saved_usd", "Saved", is_number=True),
    )
    found = sorted(plan.told["left_out"], key=lambda one: -parse_usd(one["saved_usd"]))
    rows = tuple(
        (
            text(one["title"]),
            Cell(f"{one['reason']}: {one['rival']}" if one["rival"] else one["reason"], one["reason"]),
            usd(parse_usd(one["saved_usd"])),
        )
        for one in found[:LEFT_OUT_SHOWN]
    )
    rest = len(found) - len(rows)
    note = f"And {rest} more; farthing playbook --json has all." if rest else "Over the days judged."
    return Table("left_out", "Tried and left out", columns, rows, "assumed", note, is_folded=True)
