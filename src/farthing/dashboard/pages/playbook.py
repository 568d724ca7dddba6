"""The savings plan as ``farthing playbook`` showed it last, and what was decided about it. It changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from farthing.dashboard.blocks import Cell, Column, Note, Page, Table, Tile, dollars, share_of, text, usd
from farthing.units import weakest

if TYPE_CHECKING:
    from farthing.dashboard.visit import Visit
    from farthing.whatif.playbook.journal import Entry
    from farthing.whatif.playbook.shown import Shown, ShownStep

_MAKE = Note(
    "A plan replays your calls under other choices: caching, batching, models, retries. It reads every call several "
    "times, so it is made on the command line; this page shows the last one.",
    "No plan yet",
    code="farthing playbook",
)


def page(visit: Visit) -> Page:
    """The steps, in order; then decisions, the latest first."""
    plan = shown(visit)
    blocks = [_MAKE] if plan is None else [_steps(plan)]
    entries = _entries(visit)
    return Page("Playbook", (*blocks, _decisions(entries)) if entries else tuple(blocks))


def shown(visit: Visit) -> Shown | None:
    """The plan shown last; None where there is none, or where the user may not see all calls that it is about."""
    from farthing.whatif.playbook.shown import Shown  # noqa: PLC0415

    if not visit.reader.scope.is_whole:
        return None
    try:
        return msgspec.json.decode(visit.desk.plan.read_bytes(), type=Shown)
    except (OSError, msgspec.MsgspecError):
        return None


def _entries(visit: Visit) -> list[Entry]:
    from farthing.whatif.playbook.journal import read_journal  # noqa: PLC0415

    if not visit.reader.scope.is_whole or not visit.desk.decisions.exists():
        return []
    return list(read_journal(visit.desk.decisions).entries)[::-1]


def _steps(plan: Shown) -> Table:
    columns = (
        Column("number", "", is_number=True),
        Column("title", "What to do"),
        Column("usd_a_month", "Saves a month", is_number=True),
        Column("range", "Nine in ten", is_number=True),
        Column("kind", "How sure"),
        Column("calls", "Calls", is_number=True),
        Column("how", "What to change"),
    )
    most = max((step.predicted.a_month_pusd for step in plan.steps), default=0)
    rows = tuple(_step(step, most) for step in plan.steps)
    whole = sum(step.predicted.a_month_pusd for step in plan.steps)
    note = f"Made {plan.at:%-d %B %Y}. Each step after the ones before it, so they sum: {dollars(whole)} a month."
    kind = str(weakest(*(step.predicted.kind for step in plan.steps)))
    more = "farthing playbook --step N says more of one; farthing playbook apply writes it into the policy."
    return Table(
        "steps",
        "What would save money, in order",
        columns,
        rows,
        kind,
        f"{note} {more}",
        "Nothing was found that would save half a percent.",
    )


def _step(step: ShownStep, most: int) -> tuple[Cell, ...]:
    said = step.predicted
    low_high = (
        ""
        if said.low_pusd is None or said.high_pusd is None
        else f"{dollars(said.low_pusd)} to {dollars(said.high_pusd)}"
    )
    return (
        Cell(str(step.number), step.number),
        text(step.title),
        usd(said.a_month_pusd, share=share_of(said.a_month_pusd, most)),
        Cell(low_high or "not known", low_high or None, tone="" if low_high else "quiet"),
        text(str(said.kind)),
        Cell(f"{said.calls:,}", said.calls),
        text(step.caller_change or step.cannot or "the gateway alone", tone="quiet"),
    )


def _decisions(entries: list[Entry]) -> Table:
    columns = (
        Column("at", "When"),
        Column("who", "Who"),
        Column("action", "What"),
        Column("step", "Step"),
        Column("usd_a_month", "Predicted a month", is_number=True),
    )
    rows = tuple(
        (
            Cell(f"{one.at:%-d %b %Y %H:%M}", one.at.isoformat()),
            text(one.who),
            text(one.action),
            text(one.step.id),
            usd(one.predicted.a_month_pusd),
        )
        for one in entries
    )
    return Table(
        "decisions",
        "What was decided",
        columns,
        rows,
        "derived",
        "farthing playbook status tells what each has saved since.",
    )


def tile(visit: Visit) -> Tile | None:
    """For the overview: the step that would save most."""
    if not visit.reader.scope.is_whole:
        return None
    plan = shown(visit)
    href = visit.asked.elsewhere("/playbook")
    if plan is None or not plan.steps:
        told = "farthing playbook makes a plan" if plan is None else "nothing that would save half a percent"
        return Tile(
            "would_save",
            "Would save most",
            Cell("no plan yet" if plan is None else "nothing", None, tone="quiet"),
            "",
            told,
            href=href,
        )
    best = max(plan.steps, key=lambda step: step.predicted.a_month_pusd)
    whole = sum(step.predicted.a_month_pusd for step in plan.steps)
    return Tile(
        "would_save",
        "Would save most",
        usd(best.predicted.a_month_pusd)._replace(text=f"{dollars(best.predicted.a_month_pusd)} a month"),
        str(best.predicted.kind),
        f"{best.title}; all {len(plan.steps)} steps {dollars(whole)}",
        tone="good",
        href=href,
    )
