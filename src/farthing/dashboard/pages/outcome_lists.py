"""Outcomes by kind and one by one, the tail that carries the spend, and the calls that led to nothing known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.dashboard.blocks import Block, Cell, Column, Field, Form, Note, Page, Table
from farthing.dashboard.cells import count, share_of, text, usd
from farthing.dashboard.joining import basis_of
from farthing.dashboard.pages.outcome_cells import STATUS_TONES, UNKNOWN, call_link, mean, moment, share_cell, unsure
from farthing.ledger.outcome import STATUSES
from farthing.reports.outcome_rows import Dear
from farthing.reports.sums import percent
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.dashboard.visit import Visit
    from farthing.reports.outcome_rows import OutcomeReport

PER_PAGE = 50
_FREE_SHOWN = 12
_COLUMNS = (
    Column("id", "Outcome"),
    Column("outcome", "Kind"),
    Column("status", "Status"),
    Column("tenant", "Tenant"),
    Column("at", "When"),
    Column("calls", "Calls", is_number=True),
    Column("usd", "Cost", is_number=True),
    Column("value_usd", "Value", is_number=True),
    Column("revenue_usd", "Revenue", is_number=True),
)

NAMELESS = "none"
"""Stands in the address for outcomes that nobody named."""


def names(visit: Visit, report: OutcomeReport) -> Table:
    """What each kind of outcome takes and is worth."""
    columns = (
        Column("outcome", "Outcome"),
        Column("outcomes", "Outcomes", is_number=True),
        Column("successes", "Succeeded", is_number=True),
        Column("usd", "Cost", is_number=True),
        Column("failures_usd", "On failures", is_number=True),
        Column("usd_per_outcome", "Per outcome", is_number=True),
        Column("usd_per_success", "Per success", is_number=True),
        Column("value_usd", "Value", is_number=True),
        Column("revenue_usd", "Revenue", is_number=True),
    )
    rows = tuple(
        (
            text(row.key[0], href=_list(visit, row.key[0])),
            count(row.outcomes),
            share_cell(row.by_status["success"].outcomes, row.outcomes),
            unsure(usd(row.outcome_pusd, share=share_of(row.outcome_pusd, report.outcomes_pusd)), row.unpriced_calls),
            usd(row.by_status["failure"].pusd),
            unsure(mean(row.per_outcome_pusd), row.unpriced_calls),
            unsure(mean(row.per_success_pusd), row.unpriced_calls),
            usd(row.value_pusd) if row.valued else UNKNOWN,
            usd(row.revenue_pusd) if row.paid else UNKNOWN,
        )
        for row in report.names
    )
    kind = str(weakest(Kind.DERIVED, report.total.outcome_kind))
    note = "A success takes what all outcomes of its kind cost, failures too. Value and revenue are as told."
    return Table("names", "By kind of outcome", columns, rows, kind, note)


def dearest(visit: Visit, report: OutcomeReport) -> tuple[Block, ...]:
    """How few calls and outcomes carry how much, and the dearest of each."""
    tail = report.calls_tail
    if tail.pusd <= 0:
        return ()
    calls = tuple(
        (
            moment(visit, one.sent_at),
            call_link(visit, one.call_id),
            text(one.model),
            usd(one.pusd, share=share_of(one.pusd, tail.dearest[0].pusd)),
        )
        for one in tail.dearest
    )
    columns = (
        Column("sent_at", "Sent"),
        Column("call_id", "Call"),
        Column("model", "Model"),
        Column("usd", "Cost", is_number=True),
    )
    one, five = (percent(part, tail.pusd) for part in (tail.top_1_pusd, tail.top_5_pusd))
    said = f"Of {tail.calls:,} calls the dearest 1 % carry {one} of the cost, 5 % carry {five}."
    kind = str(report.total.kind)
    blocks: list[Block] = [Table("dearest_calls", "The few calls that carry the spend", columns, calls, kind, said)]
    if report.costs and report.outcomes_pusd > 0:
        one, five = (percent(report.top_outcomes_pusd(part), report.outcomes_pusd) for part in (1, 5))
        said = (
            f"Of {len(report.costs):,} outcomes with calls the dearest 1 % carry {one} of their cost, 5 % carry {five}."
        )
        table = Table("dearest_outcomes", "The dearest outcomes", _COLUMNS, _rows(visit, report.dearest), note=said)
        blocks.append(table._replace(kind=str(report.total.outcome_kind)))
    return tuple(blocks)


def free(visit: Visit, report: OutcomeReport) -> tuple[Table, ...]:
    """Whose calls belong to no outcome, by feature and model."""
    if not report.total.outcomes or not report.total.free_calls:
        return ()
    query, basis = visit.query("feature", "model"), basis_of(visit)
    key = ("free calls", repr(query), basis)

    def summed() -> list[tuple[tuple[str | None, ...], int, int, int]]:
        sums: dict[tuple[str | None, ...], list[int]] = {}
        for share in visit.reader.shares(query, basis):
            if share.outcome_id is None:
                row = sums.setdefault(share.key, [0, 0, 0])
                for place, more in enumerate((share.calls, share.unpriced_calls, share.pusd)):
                    row[place] += more
        found = [(key, calls, unpriced, pusd) for key, (calls, unpriced, pusd) in sums.items()]
        return sorted(found, key=lambda row: (-row[3], tuple(part or "" for part in row[0])))

    rows = visit.reader.kept(key, summed)
    columns = (
        Column("feature", "Feature"),
        Column("model", "Model"),
        Column("calls", "Calls", is_number=True),
        Column("usd", "Cost", is_number=True),
    )
    cells = []
    for (feature, model), calls, unpriced, pusd in rows[:_FREE_SHOWN]:
        where = (*(pair for pair in visit.asked.where if pair[0] not in ("feature", "model")),)
        where = (*where, ("feature", feature or ""), ("model", model or ""))
        cells.append(
            (
                text(feature),
                text(model),
                count(calls, href=visit.asked.elsewhere("/calls", where=where)),
                unsure(usd(pusd, share=share_of(pusd, report.total.free_pusd)), unpriced),
            )
        )
    rest = f" The dearest {_FREE_SHOWN} of {len(rows)} groups." if len(rows) > _FREE_SHOWN else ""
    note = f"No outcome names their session, request or tags.{rest} The link shows all calls of the group."
    return (Table("free", "Calls that belong to no outcome", columns, tuple(cells), str(report.total.kind), note),)


def form(visit: Visit, report: OutcomeReport) -> Form:
    """Find outcomes."""
    kinds = [("", "any"), *((row.key[0] or NAMELESS, row.key[0] or "(not named)") for row in report.names[:PER_PAGE])]
    statuses = (("", "any"), *((status, status) for status in STATUSES))
    return Form(
        "Find outcomes",
        (
            Field("outcome", "Kind", visit.asked.said("outcome"), tuple(kinds)),
            Field("status", "Status", visit.asked.said("status"), statuses),
            Field("open", "Or one by its id", placeholder="ticket-4711"),
        ),
    )


def page(visit: Visit, report: OutcomeReport) -> Page:
    """Outcomes of one kind or status, the latest first."""
    kind, status = visit.asked.said("outcome"), visit.asked.said("status")
    wanted = "" if kind == NAMELESS else kind
    every = (*report.costs, *(Dear(outcome, 0, 0, 0) for outcome in report.without_calls))
    found = [
        one
        for one in every
        if (not kind or one.outcome.name == wanted) and (not status or one.outcome.status == status)
    ]
    found.sort(key=lambda one: (one.outcome.happened_at, one.outcome.outcome_id), reverse=True)
    first = (visit.asked.page - 1) * PER_PAGE
    shown = found[first : first + PER_PAGE]
    more = []
    if first:
        more.append(("Later outcomes", visit.asked.url(page=visit.asked.page - 1)))
    if first + PER_PAGE < len(found):
        more.append(("Earlier outcomes", visit.asked.url(page=visit.asked.page + 1)))
    said = f"{first + 1:,} to {first + len(shown):,} of {len(found):,}, the latest first." if shown else ""
    title = " ".join(part for part in (kind or "all kinds", status) if part)
    sure, empty = str(report.total.outcome_kind), "No outcome of these days."
    rows = _rows(visit, shown)
    table = Table("outcomes", f"Outcomes: {title}", _COLUMNS, rows, sure, said, empty, more=tuple(more))
    back = Note("", links=(("All tenants and outcomes", visit.asked.url(given=())),))
    return Page("Outcomes", (form(visit, report), table, back))


def _rows(visit: Visit, shown: Sequence[Dear]) -> tuple[tuple[Cell, ...], ...]:
    rows = []
    for one in shown:
        outcome = one.outcome
        rows.append(
            (
                text(outcome.outcome_id, href=visit.asked.url(open=outcome.outcome_id, given=())),
                text(outcome.name),
                Cell(outcome.status, outcome.status, tone=STATUS_TONES[outcome.status]),
                text(outcome.tenant),
                Cell(
                    f"{outcome.happened_at.astimezone(visit.zone):%-d\u00a0%b\u00a0%H:%M}",
                    outcome.happened_at.isoformat(),
                ),
                count(one.calls),
                unsure(usd(one.pusd), one.unpriced_calls) if one.calls else UNKNOWN,
                mean(outcome.value_pusd),
                mean(outcome.revenue_pusd),
            )
        )
    return tuple(rows)


def _list(visit: Visit, name: str | None) -> str:
    return visit.asked.url(given=(("outcome", name or NAMELESS),), sort="")
