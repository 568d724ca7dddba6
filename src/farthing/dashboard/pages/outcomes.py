"""Tenants and outcomes: what each tenant cost and brought, what a success takes, which few calls carry the spend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.dashboard.blocks import Block, Cell, Chart, Note, Page, Table, Tile, Tiles
from farthing.dashboard.cells import count, dollars, share_of, text, usd
from farthing.dashboard.charts import Frame, Series, both, stacked
from farthing.dashboard.joining import CALLS_JOINED_MAX, OUTCOMES_READ_MAX, around, joined
from farthing.dashboard.pages import outcome_lists, outcome_one
from farthing.dashboard.pages.outcome_cells import UNKNOWN, mean, share_cell, signed_percent, unsure
from farthing.dashboard.pages.shared import name_of, nothing, only
from farthing.dashboard.prefixes import prefix_shares
from farthing.ledger.sums import OTHER
from farthing.reports.outcomes_json import outcomes_json
from farthing.reports.sums import percent
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from farthing.dashboard.visit import Visit
    from farthing.reports.outcome_rows import OutcomeReport, OutcomeRow

OWN = ("outcome", "status")
_BARS, _ROWS_SHOWN = 8, 100
CONNECT = Note(
    "farthing knows what calls cost, not what came of them. Tell it of tickets solved, merges, sales: by session, "
    "request id or tag, with what a customer paid where you know it. They are joined when you look, so old ones count.",
    "No outcome yet",
    code="farthing outcomes import tickets.csv --map id=ticket_no,at=closed,revenue_usd=paid,tag:ticket=ticket_no\n"
    'curl http://127.0.0.1:8788/v1/outcomes -H "x-api-key: $ANTHROPIC_API_KEY" -H "content-type: application/json" \\\n'
    '  -d \'{"id": "ticket-4711", "status": "success", "revenue_usd": "0.99", "session": "s-1"}\'',
)
"""What a ledger without outcomes says."""


def page(visit: Visit) -> Page:
    """By tenant or whatever was asked for; a list of outcomes; or the one that was opened."""
    if visit.asked.open:
        return outcome_one.page(visit)
    if visit.total() is None:
        return Page("Tenants and outcomes", (nothing(visit),))
    by = visit.asked.by or ("tenant",)
    report = joined(visit, *by)
    if report is None:
        return Page("Tenants and outcomes", (_too_many(visit),))
    if any(visit.asked.said(name) for name in OWN):
        return outcome_lists.page(visit, report)
    blocks: list[Block] = [_sums(report)]
    if not visit.reader.outcome_count():
        blocks.append(CONNECT)
    blocks += [*_spent_on(report, by), _groups(visit, report, by)]
    if report.names:
        blocks.append(outcome_lists.names(visit, report))
    blocks += [*outcome_lists.dearest(visit, report), *outcome_lists.free(visit, report), *prefix_shares(visit)]
    if report.total.outcomes:
        blocks.append(outcome_lists.form(visit, report))
    return Page("Tenants and outcomes", tuple(blocks), {"report": outcomes_json(report)})


def _too_many(visit: Visit) -> Note:
    total = visit.total()
    calls = total.calls if total is not None else 0
    what = (
        f"Here are {calls:,} calls; a page joins at most {CALLS_JOINED_MAX:,} to their outcomes"
        if calls > CALLS_JOINED_MAX
        else f"There are more than {OUTCOMES_READ_MAX:,} outcomes, more than a page reads"
    )
    return Note(
        f"{what}. Take fewer days or a filter; the command line takes any number.",
        "Too many to join while you wait",
        "warn",
        links=(("Today", visit.asked.url(span="today")), ("7 days", visit.asked.url(span="7d"))),
        code="farthing outcomes report --by tenant --last 30d",
    )


def _sums(report: OutcomeReport) -> Tiles:
    total = report.total
    success = total.by_status["success"]
    mean_kind = str(weakest(Kind.DERIVED, total.outcome_kind))
    tiles = [Tile("spend", "Spent", usd(total.pusd), str(total.kind), f"{total.calls:,} calls")]
    if total.paid:
        margin = total.margin_pusd or 0
        tiles += [
            Tile("revenue", "Revenue", usd(total.revenue_pusd), "measured", f"as told by {total.paid:,} outcomes"),
            Tile(
                "margin",
                "Margin",
                usd(margin),
                str(weakest(Kind.DERIVED, total.kind)),
                f"{signed_percent(margin, total.revenue_pusd)} of revenue, after all calls",
                tone="good" if margin >= 0 else "bad",
            ),
        ]
    if total.outcomes:
        tiles += [
            Tile(
                "cost_per_success",
                "Cost per success",
                mean(total.per_success_pusd),
                mean_kind,
                f"{success.outcomes:,} of {total.outcomes:,} outcomes succeeded; failures are paid for too",
            ),
            Tile(
                "failures",
                "Spent on failures",
                usd(total.by_status["failure"].pusd),
                str(total.outcome_kind),
                f"{percent(total.by_status['failure'].pusd, total.outcome_pusd) or '0.0 %'} of what outcomes cost",
            ),
            Tile(
                "without_outcome",
                "Calls of no outcome",
                usd(total.free_pusd),
                str(total.kind),
                f"{total.free_calls:,} calls, {percent(total.free_pusd, total.pusd) or '0.0 %'} of the spend",
            ),
        ]
    return Tiles(tuple(tiles), is_lead=True)


def _spent_on(report: OutcomeReport, by: tuple[str, ...]) -> tuple[Block, ...]:
    """A bar for each of the dearest groups: successes, failures, others, and calls of no outcome."""
    if not report.total.outcomes or len(report.rows) < 2:  # one bar says no more than the tiles
        return ()
    rows = report.rows[:_BARS]
    parts = (
        Series("successes", tuple(row.by_status["success"].pusd for row in rows), 0),
        Series("failures", tuple(row.by_status["failure"].pusd for row in rows), 3),
        Series("other outcomes", tuple(row.by_status["other"].pusd for row in rows), 2),
        Series("calls of no outcome", tuple(row.free_pusd for row in rows), 7),
    )
    shown = [one for one in parts if any(one.values)]
    labels = [name_of(by, row.key) for row in rows]
    title = "What the spend went into"
    says = "; ".join(f"{one.name} {dollars(sum(one.values))}" for one in shown)
    wide, narrow = both(
        lambda width, key: stacked(Frame(key, title, says, dollars), labels, shown, (), width), "went-into"
    )
    legend = tuple((one.name, one.color) for one in shown)
    kind = str(weakest(report.total.kind, report.total.outcome_kind))
    note = f"The dearest {len(rows)} of {len(report.rows)}; the table has all." if len(report.rows) > _BARS else ""
    return (Chart(title, wide, narrow, legend, kind, note),)


def _groups(visit: Visit, report: OutcomeReport, by: tuple[str, ...]) -> Table:
    total = report.total
    heads = [
        ("group", ", ".join(by).capitalize(), False),
        ("usd", "Cost", True),
        *(
            (("revenue_usd", "Revenue", True), ("margin_usd", "Margin", True), ("margin", "Margin %", True))
            * (total.paid > 0)
        ),
        ("outcomes", "Outcomes", True),
        ("successes", "Succeeded", True),
        ("usd_per_outcome", "Per outcome", True),
        ("usd_per_success", "Per success", True),
        ("without_outcome_usd", "Of no outcome", True),
        *((("value_usd", "Value", True),) * (total.valued > 0)),
    ]
    columns = visit.head(*heads)
    rows = [_row(visit, report, row, by) for row in report.rows[:_ROWS_SHOWN]]
    kind = str(weakest(total.kind, total.outcome_kind, Kind.DERIVED))
    return Table(
        "groups",
        f"By {', '.join(by)}",
        columns,
        visit.sorted_rows(columns, rows),
        kind,
        f"{_said(report)}{_looked(visit, report)}",
        more=_more(visit),
    )


def _row(visit: Visit, report: OutcomeReport, row: OutcomeRow, by: tuple[str, ...]) -> tuple[Cell, ...]:
    total = report.total
    is_rest = set(row.key) == {OTHER}
    href = "" if is_rest else visit.asked.url(where=only(visit, by, row.key))
    success = row.by_status["success"].outcomes
    cells = [
        text(name_of(by, row.key), href=href),
        unsure(usd(row.pusd, share=share_of(row.pusd, total.pusd)), row.unpriced_calls),
    ]
    if total.paid:
        margin = row.margin_pusd
        cells += [
            usd(row.revenue_pusd) if row.paid else UNKNOWN,
            UNKNOWN if margin is None else usd(margin, tone="bad" if margin < 0 else ""),
            UNKNOWN if margin is None else share_cell(margin, row.revenue_pusd),
        ]
    cells += [
        count(row.outcomes),
        share_cell(success, row.outcomes) if row.outcomes else UNKNOWN,
        unsure(mean(row.per_outcome_pusd), row.outcome_unpriced_calls),
        unsure(mean(row.per_success_pusd), row.outcome_unpriced_calls),
        usd(row.free_pusd),
    ]
    if total.valued:
        cells.append(usd(row.value_pusd) if row.valued else UNKNOWN)
    return tuple(cells)


def _said(report: OutcomeReport) -> str:
    """What the figures leave open, in a line."""
    total = report.total
    told = []
    if total.outcomes:
        by = ", ".join(f"{calls:,} by {name}" for name, calls in report.joined.items() if calls)
        told.append(f"{sum(report.joined.values()):,} calls are joined{f' ({by})' if by else ''}.")
    if total.paid:
        told.append("Margin: revenue as told less the cost of all calls.")
    if total.without_calls:
        told.append(f"{total.without_calls:,} outcomes found no call: their cost is unknown, and in no mean.")
    if total.partial:
        told.append(f"{total.partial:,} also have calls outside these days or filters: part of their cost is here.")
    if total.elsewhere:
        told.append(f"{total.elsewhere:,} have calls in several rows, and stand whole in the dearest.")
    if total.unpriced_calls:
        told.append(f"{total.unpriced_calls:,} calls have no exact price and are in no sum (+?).")
    return " ".join(told)


def _looked(visit: Visit, report: OutcomeReport) -> str:
    """How far an outcome's other calls were looked for, where that is not everywhere."""
    wide = around(visit.reader, visit.span.since, visit.span.until)
    if wide.since is None or wide.until is None or not report.total.outcomes:
        return ""
    return f" Other calls of an outcome were looked for from {wide.since:%-d %B %Y} to {wide.until:%-d %B %Y}."


def _more(visit: Visit) -> tuple[tuple[str, str], ...]:
    keys = ("tenant", "feature", "model", "prompt_version")
    asked = visit.asked.by or ("tenant",)
    return tuple((f"By {name}", visit.asked.url(by=(name,), sort="")) for name in keys if (name,) != asked)
