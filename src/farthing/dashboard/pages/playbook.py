"""The savings plan shown last, what was decided about it and what came of it; operators apply and undo its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from farthing.dashboard.blocks import Block, Cell, Column, Note, Page, Refresh, Table, Tile, Tiles
from farthing.dashboard.cells import dollars, share_of, text, usd
from farthing.dashboard.pages import playbook_make, playbook_step
from farthing.dashboard.pages.playbook_came import came_of_it
from farthing.dashboard.pages.playbook_cells import buttons_of, decisions, range_cell, state_of
from farthing.dashboard.pages.playbook_more import more
from farthing.errors import BadInput
from farthing.units import weakest
from farthing.whatif.playbook.journal import read_journal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from farthing.dashboard.visit import Visit
    from farthing.whatif.playbook.journal import Entry, Journal
    from farthing.whatif.playbook.shown import Shown, ShownStep

_MAKE = Note(
    "A plan replays your calls under other choices: caching, batching, models, retries. It reads every call several "
    "times. The command line makes it; this page shows the last one, and makes one itself where the calls are few.",
    "No plan yet",
    code="farthing playbook",
)
_RECORD = (
    "Applying a step writes it into the policy and the journal, as farthing playbook apply does. farthing serve does "
    "not act on the policy yet: callers change what the step says, and what is realised is read from their calls."
)


def page(visit: Visit) -> Page:
    """The steps in order, what came of those that are applied, and decisions; or one step in full."""
    plan = shown(visit)
    journal = read_journal(visit.desk.decisions)
    if visit.asked.open:
        return playbook_step.page(visit, plan, journal)
    blocks: list[Block] = [_no_plan(visit)] if plan is None else [_sums(plan, journal), *_age(visit, plan)]
    if plan is None:
        blocks += playbook_make.offer(visit)
    if plan is not None:
        blocks += [_steps(visit, plan, journal), Note(_RECORD)]
    blocks += came_of_it(visit, journal.live)
    blocks += [] if plan is None else more(visit, plan)
    if plan is not None:
        blocks += playbook_make.offer(visit)
    making = playbook_make.making_of(visit)
    is_making = making is not None and making.is_running
    refresh = Refresh(playbook_make.LOOK_S, visit.asked.url()) if is_making else None
    return Page("Playbook", (*blocks, *_decisions(visit, journal)), refresh=refresh)


def act(visit: Visit, name: str, fields: Mapping[str, str]) -> None:
    """
    Apply or undo a step, or make a plan.

    Raises:
        BadInput: As :mod:`farthing.whatif.playbook.decide` has it, or no plan can be made here.
        LedgerFault: A file cannot be written.

    """
    from farthing.whatif.playbook.decide import apply_steps, undo_step  # noqa: PLC0415

    if name == "plan":
        playbook_make.start(visit)
        return
    files, who, step = visit.desk.playbook, visit.user.name, fields.get("step", "")
    if not step:
        raise BadInput("read no step", "the id of one")
    if name == "apply":
        apply_steps(files, [step], who, visit.now, read_at=_when(fields.get("plan", "")))
    elif name == "undo":
        undo_step(files, step, who, visit.now)
    else:
        raise BadInput(f"read the act {name[:80]!r}", "apply, undo or plan")


def _when(said: str) -> datetime:
    from datetime import datetime  # noqa: PLC0415

    try:
        return datetime.fromisoformat(said)
    except ValueError:
        raise BadInput(f"read a plan of {said[:80]!r}", "when the plan was made that was read") from None


def shown(visit: Visit) -> Shown | None:
    """The plan shown last; None where there is none, or where the user may not see all calls that it is about."""
    from farthing.whatif.playbook.decide import kept_plan  # noqa: PLC0415

    if not visit.reader.scope.is_whole:
        return None
    try:
        return kept_plan(visit.desk.playbook)
    except BadInput:
        return None


def _no_plan(visit: Visit) -> Note:
    """What to do where there is no plan, and what is wrong with one that cannot be read."""
    if not visit.desk.plan.exists():
        return _MAKE
    told = "What was kept of the last plan cannot be read, perhaps because another version of farthing wrote it."
    return Note(told, "No plan", "warn", code="farthing playbook")


def _age(visit: Visit, plan: Shown) -> list[Note]:
    from farthing.whatif.playbook.decide import OLD  # noqa: PLC0415

    if plan.at >= visit.now - OLD:
        return []
    told = f"This plan was made on {plan.at:%-d %B %Y}. Calls have changed since; a new one may say something else."
    return [Note(told, "An old plan", "warn", code="farthing playbook")]


def _sums(plan: Shown, journal: Journal) -> Tiles:
    whole = sum(step.predicted.a_month_pusd for step in plan.steps)
    live = {entry.step.id for entry in journal.live}
    done = [step for step in plan.steps if step.id in live]
    decided = sum(step.predicted.a_month_pusd for step in done)
    kind = str(weakest(*(step.predicted.kind for step in plan.steps))) if plan.steps else ""
    tiles = [
        Tile("would_save", "Would save a month", usd(whole), kind, f"{len(plan.steps)} steps, each after those before"),
        Tile("applied", "Of it decided", usd(decided), kind if done else "", f"{len(done)} of {len(plan.steps)} steps"),
        Tile("made", "Made", Cell(f"{plan.at:%-d %b %Y}", plan.at.isoformat()), "", _judged_on(plan)),
    ]
    return Tiles(tuple(tiles), is_lead=True)


def _judged_on(plan: Shown) -> str:
    window = plan.told["window"]
    return "" if window is None else f"on the calls of {window['days']} days, to {window['last']}"


def _steps(visit: Visit, plan: Shown, journal: Journal) -> Table:
    columns = (
        Column("number", "", is_number=True),
        Column("title", "What to do"),
        Column("usd_a_month", "Saves a month", is_number=True),
        Column("range", "Nine in ten", is_number=True),
        Column("kind", "How sure"),
        Column("effort", "Effort"),
        Column("risk", "Risk"),
        Column("calls", "Calls", is_number=True),
        Column("state", "Decided"),
        Column("decide", "", is_buttons=True),
    )
    live = {entry.step.id: entry for entry in journal.live}
    most = max((step.predicted.a_month_pusd for step in plan.steps), default=0)
    rows = tuple(_step(visit, plan, step, live.get(step.id), most) for step in plan.steps)
    kind = str(weakest(*(step.predicted.kind for step in plan.steps))) if rows else ""
    note = (
        "Each step is counted after the ones before it, so they sum. A step opens with what to change." if rows else ""
    )
    empty = "Nothing was found that would save half a percent."
    return Table("steps", "What would save money, in order", columns, rows, kind, note, empty)


def _step(visit: Visit, plan: Shown, step: ShownStep, entry: Entry | None, most: int) -> tuple[Cell, ...]:
    said, told = step.predicted, plan.told["steps"][step.number - 1]
    lost = " Lost in the last third of the days." if told["lost_in_last_third"] else ""
    return (
        Cell(str(step.number), step.number),
        Cell(step.title + lost, step.title, visit.asked.url(open=step.id), tone="warn" if lost else ""),
        usd(said.a_month_pusd, share=share_of(said.a_month_pusd, most)),
        range_cell(said.low_pusd, said.high_pusd),
        text(str(said.kind)),
        text(told["effort"]),
        Cell("none, a free win" if told["free"] else told["risk"], told["risk"], tone="good" if told["free"] else ""),
        Cell(f"{said.calls:,}", said.calls),
        state_of(step, entry),
        Cell("", None, buttons=buttons_of(plan, step, entry)),
    )


def _decisions(visit: Visit, journal: Journal) -> tuple[Block, ...]:
    if not journal.entries and not journal.damaged:
        return ()
    return (decisions(visit, journal.entries[::-1], journal.damaged),)


def tile(visit: Visit) -> Tile | None:
    """For the overview: the step that would save most."""
    if not visit.reader.scope.is_whole:
        return None
    plan = shown(visit)
    href = visit.asked.elsewhere("/playbook")
    if plan is None or not plan.steps:
        told = "farthing playbook makes a plan" if plan is None else "nothing that would save half a percent"
        says: Literal["no plan yet", "nothing"] = "no plan yet" if plan is None else "nothing"
        return Tile("would_save", "Would save most", Cell(says, None, tone="quiet"), "", told, href=href)
    best = max(plan.steps, key=lambda step: step.predicted.a_month_pusd)
    whole = sum(step.predicted.a_month_pusd for step in plan.steps)
    kind = weakest(*(step.predicted.kind for step in plan.steps))
    return Tile(
        "would_save",
        "Would save most",
        usd(best.predicted.a_month_pusd)._replace(text=f"{dollars(best.predicted.a_month_pusd)} a month"),
        str(best.predicted.kind),
        f"{best.title}; all {len(plan.steps)} steps {dollars(whole)}, {kind}",
        tone="good",
        href=href,
    )
