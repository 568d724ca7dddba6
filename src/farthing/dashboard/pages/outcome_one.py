"""One outcome: what was told of it, now and before, and the calls that belong to it with what joined each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.dashboard.blocks import Block, Cell, Column, Facts, Note, Page, Table, Tile, Tiles
from farthing.dashboard.cells import text, usd
from farthing.dashboard.joining import OUTCOMES_READ_MAX, basis_of, near
from farthing.dashboard.pages.outcome_cells import STATUS_TONES, call_link, mean, moment, unsure
from farthing.ledger.outcome_memory import cost_pusd
from farthing.reports.outcome_calls import calls_of
from farthing.reports.outcomes_json import outcome_json
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Query
    from farthing.ledger.outcome import Basis, Outcome, Replaced
    from farthing.reports.outcome_calls import Joined

_CALLS_READ_MAX = 20_000
_SHOWN = 200


def page(visit: Visit) -> Page:
    """The outcome that was opened."""
    back = (("All tenants and outcomes", visit.asked.url(open="", given=())),)
    found = visit.reader.outcome(visit.asked.open)
    if found is None:
        note = Note("There is no such outcome, or it is not yours to see.", "No such outcome", "warn", back)
        return Page("Outcome", (note,), status=404)
    outcome, former = found
    wide = near(visit.reader, outcome.happened_at)
    if visit.reader.outcome_count() > OUTCOMES_READ_MAX:
        calls = None
    else:
        calls = calls_of(visit.reader, outcome, visit.reader.outcomes(), wide, _CALLS_READ_MAX)
    basis = basis_of(visit)
    blocks: list[Block] = [_sums(outcome, calls, basis), Facts("What was told", _facts(visit, outcome))]
    if former:
        blocks.append(_corrected(visit, outcome, former))
    blocks.append(_calls(visit, calls, basis, wide))
    blocks.append(Note("", links=back))
    return Page("Outcome", tuple(blocks), {"outcome": outcome_json(outcome)})


def _sums(outcome: Outcome, calls: tuple[Joined, ...] | None, basis: Basis) -> Tiles:
    status = Cell(outcome.status, outcome.status, tone=STATUS_TONES[outcome.status])
    if calls:
        costs = [cost_pusd(one.stored.posting, basis) for one in calls]
        spent = sum(pusd or 0 for pusd in costs)
        by = sorted({one.by for one in calls})
        sure = Kind.MEASURED if by == ["request"] else Kind.DERIVED
        kind = str(weakest(sure, *(one.stored.posting.kind for one in calls)))
        what = f"{len(calls):,} {'call' if len(calls) == 1 else 'calls'}, joined by {' and '.join(by)}"
        cost = Tile("usd", "Cost", unsure(usd(spent), costs.count(None)), kind, what)
    else:
        why = "no call belongs to it" if calls == () else "its calls are too many to join here"
        cost = Tile("usd", "Cost", Cell("unknown", None, tone="quiet"), "", why)
    tiles = [cost, Tile("status", outcome.name or "Outcome", status)]
    if outcome.value_pusd is not None:
        tiles.append(Tile("value", "Value", usd(outcome.value_pusd), "measured", "as told"))
    if outcome.revenue_pusd is not None:
        tiles.append(Tile("revenue", "Revenue", usd(outcome.revenue_pusd), "measured", "as told"))
    return Tiles(tuple(tiles), is_lead=True)


def _facts(visit: Visit, outcome: Outcome) -> tuple[tuple[str, Cell], ...]:
    told = outcome_json(outcome)
    at = f"{outcome.happened_at.astimezone(visit.zone):%-d %B %Y %H:%M:%S}"
    rows = [("id", text(outcome.outcome_id)), ("at", Cell(at, outcome.happened_at.isoformat()))]
    if outcome.at_assumed:
        rows.append(("at_assumed", Cell("nobody said when: that is when it was told", "true")))
    for name, value in told.items():
        if value in (None, "") or name in ("id", "at", "at_assumed", "status", "value_usd", "revenue_usd"):
            continue
        href = (
            visit.asked.elsewhere("/calls", where=((name, value),)) if name in ("session", "tenant", "feature") else ""
        )
        rows.append((name, text(str(value), href=href)))
    return tuple(rows)


def _corrected(visit: Visit, outcome: Outcome, former: tuple[Replaced, ...]) -> Table:
    """Each word that was replaced, with what the next one said otherwise."""
    later = [*(one.outcome for one in former[1:]), outcome]
    rows = []
    for one, after in zip(former, later, strict=True):
        was, then = outcome_json(one.outcome), outcome_json(after)
        changes = [
            f"{name}: {was.get(name) if was.get(name) is not None else 'not said'} \u2192 "
            f"{then.get(name) if then.get(name) is not None else 'not said'}"
            for name in {**was, **then}
            if was.get(name) != then.get(name)
        ]
        rows.append(
            (
                Cell(f"{one.replaced_at.astimezone(visit.zone):%-d %b %Y %H:%M}", one.replaced_at.isoformat()),
                Cell(one.outcome.status, one.outcome.status, tone=STATUS_TONES[one.outcome.status]),
                mean(one.outcome.value_pusd),
                mean(one.outcome.revenue_pusd),
                text("; ".join(changes)),
            )
        )
    columns = (
        Column("replaced_at", "Until"),
        Column("status", "Status"),
        Column("value_usd", "Value", is_number=True),
        Column("revenue_usd", "Revenue", is_number=True),
        Column("changed", "What was corrected then"),
    )
    return Table("corrected", "What was known before", columns, tuple(rows))


def _calls(visit: Visit, calls: tuple[Joined, ...] | None, basis: Basis, wide: Query) -> Table:
    columns = (
        Column("sent_at", "Sent"),
        Column("call_id", "Call"),
        Column("joined_by", "Joined by"),
        Column("model", "Model"),
        Column("feature", "Feature"),
        Column("usd", "Cost", is_number=True),
    )
    rows = []
    for one in (calls or ())[:_SHOWN]:
        call, pusd = one.stored.call, cost_pusd(one.stored.posting, basis)
        rows.append(
            (
                moment(visit, call.sent_at),
                call_link(visit, call.call_id),
                text(one.by),
                text(call.served.model),
                text(call.dims.get("feature")),
                Cell("unpriced", None, tone="bad") if pusd is None else usd(pusd),
            )
        )
    notes = []
    if calls and len(calls) > _SHOWN:
        notes.append(f"The first {_SHOWN} of {len(calls):,}.")
    if wide.since is not None:
        notes.append(f"Looked for from {wide.since:%-d %B %Y} to {wide.until:%-d %B %Y}.")
    if any(one.by != "request" for one in calls or ()):
        notes.append("A session or tag may name several outcomes: each call belongs to the first at or after it.")
    empty = "No call belongs to it." if calls is not None else "farthing outcomes show ID sums them."
    kind = str(weakest(*(one.stored.posting.kind for one in calls))) if calls else ""
    return Table("calls", "Its calls", columns, tuple(rows), kind, " ".join(notes), empty)
