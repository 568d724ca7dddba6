"""One step of the plan in full: what to change, on what it rests, what it does to others, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farthing.dashboard.blocks import Actions, Block, Cell, Facts, Note, Page, Tile, Tiles
from farthing.dashboard.cells import count, dollars, text, usd
from farthing.dashboard.pages.playbook_came import facts_of
from farthing.dashboard.pages.playbook_cells import buttons_of, decisions, range_cell, undo_button
from farthing.money import parse_usd
from farthing.units import Kind

if TYPE_CHECKING:
    from farthing.dashboard.visit import Visit
    from farthing.whatif.playbook.journal import Entry, Journal
    from farthing.whatif.playbook.shown import Shown, ShownStep

_EVIDENCE_SHOWN = 8


def page(visit: Visit, plan: Shown | None, journal: Journal) -> Page:
    """The step named in the address; one of a former plan as far as the journal has it."""
    name = visit.asked.open
    steps = [] if plan is None else [one for one in plan.steps if one.id == name]
    entries = [one for one in journal.entries if one.step.id == name]
    live = next((one for one in journal.live if one.step.id == name), None)
    back = (("All steps", visit.asked.url(open="")),)
    if plan is not None and steps:
        blocks = _planned(visit, plan, steps[0], live)
    elif entries:
        blocks = _former(entries[-1], live)
    else:
        return Page("Playbook", (Note("The plan has no such step.", "No such step", "warn", back),), status=404)
    if live is not None:
        blocks.append(Facts("Predicted against realised", tuple(facts_of(visit, live))))
    blocks += [decisions(visit, entries[::-1])] if entries else []
    return Page("Step of the playbook", (*blocks, Note("", links=back)))


def _planned(visit: Visit, plan: Shown, step: ShownStep, live: Entry | None) -> list[Block]:
    told = plan.told["steps"][step.number - 1]
    blocks: list[Block] = [_sums(step, told), Facts(step.title, _facts(plan, step, told))]
    if told["configuration"]:
        says = "What is written into the policy. farthing serve does not act on it yet: callers change it until then."
        blocks.append(Note(says, "Policy", code=told["configuration"]))
    buttons = buttons_of(plan, step, live)
    if buttons:
        verb = "Undo takes it out of the policy again" if live else "Apply records it in the policy and the journal"
        blocks.append(Actions(buttons, f"{verb}, under your name."))
    else:
        blocks.append(Note(step.cannot, "No policy can hold it", "warn"))
    shown = told["evidence"][:_EVIDENCE_SHOWN]
    if shown:
        links = tuple((_short(one), visit.asked.elsewhere("/call", open=one)) for one in shown)
        blocks.append(Note("The dearest of the calls that it is about.", "Calls", links=links))
    return blocks


def _sums(step: ShownStep, told: dict[str, Any]) -> Tiles:
    said = step.predicted
    drawn = range_cell(said.low_pusd, said.high_pusd).text
    alone, saved = parse_usd(told["saved_alone_usd"]), parse_usd(told["saved_usd"])
    tiles = (
        Tile("usd_a_month", "Saves a month", usd(said.a_month_pusd), str(said.kind), f"nine in ten: {drawn}"),
        Tile(
            "alone", "Alone, over the days judged", usd(alone), str(said.kind), f"after those before: {dollars(saved)}"
        ),
        Tile("calls", "Calls", count(said.calls), str(Kind.MEASURED)),
        Tile("effort", "Effort", text(told["effort"])),
        Tile("risk", "Risk", Cell("none, a free win" if told["free"] else told["risk"], told["risk"])),
    )
    return Tiles(tiles, is_lead=True)


def _facts(plan: Shown, step: ShownStep, told: dict[str, Any]) -> tuple[tuple[str, Cell], ...]:
    number = told["step"]
    ends = [one["title"] for one in plan.told["findings"] if one["covered_by_step"] == number]
    guide = next((one for one in plan.told["guides"] if one["guide"] == told["guide"]), None)
    instead = ", ".join(map(str, told["instead_of"]))
    kept = told["calls_kept_as_recorded"]
    rows = [
        ("why", told["why"]),
        ("what to change", step.caller_change),
        ("first", told["prerequisite"]),
        ("assumes", told["assumes"]),
        ("instead of", f"step {instead}, for calls that both are about" if instead else ""),
        ("left alone", f"{sum(kept.values()):,} calls: {next(iter(kept))}" if kept else ""),
        ("ceiling", _ceiling(told["ceiling"])),
        ("out of time", _out_of_time(told)),
        ("ends", "; ".join(ends)),
        ("guides print", guide["published"] if guide else ""),
        ("verify", step.verify),
    ]
    return tuple((name, Cell(said, said)) for name, said in rows if said)


def _ceiling(ceiling: dict[str, Any] | None) -> str:
    if ceiling is None or ceiling["capture"] is None or ceiling["capture_before"] is None:
        return ""
    most = parse_usd(ceiling["none_usd"]) - parse_usd(ceiling["hindsight_usd"])
    return (
        f"the best plan of caching in hindsight saves {dollars(most)} on these calls against none; this catches "
        f"{ceiling['capture']:.0%} of it, what was done {ceiling['capture_before']:.0%}"
    )


def _out_of_time(told: dict[str, Any]) -> str:
    later = parse_usd(told["last_third_usd"])
    if not later:
        return "nothing was saved in the last third of the days, or there are too few to tell"
    first = dollars(parse_usd(told["first_two_thirds_usd"]))
    if later < 0:
        return f"lost {dollars(-later)} in the last third of the days, saved {first} before: find out why first"
    return f"saved {dollars(later)} in the last third of the days, which chose nothing, and {first} before"


def _former(entry: Entry, live: Entry | None) -> list[Block]:
    """A step that the plan shown last does not have."""
    said = entry.predicted
    rows = (
        ("predicted a month", usd(said.a_month_pusd)),
        ("nine in ten", range_cell(said.low_pusd, said.high_pusd)),
        ("how sure", text(str(said.kind))),
        ("judged on", text(f"{said.since:%-d %B} to {said.until:%-d %B %Y}, {said.calls:,} calls")),
        ("what to change", text(entry.caller_change)),
        ("verify", text(entry.verify)),
    )
    blocks: list[Block] = [Facts(entry.step.title or entry.step.id, rows)]
    if entry.block:
        blocks.append(Note("farthing serve does not act on it yet.", "Policy", code=entry.block.strip()))
    return [*blocks, *([Actions((undo_button(live),))] if live is not None else [])]


def _short(call_id: str) -> str:
    name = call_id.partition(":")[0]
    return name if len(name) <= 14 else f"\u2026\u2060{name[-8:]}"
