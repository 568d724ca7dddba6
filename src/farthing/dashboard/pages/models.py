"""Which models served: what each cost, per call and per success, how fast, how cached; and what another would cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.dashboard.blocks import Block, Cell, Note, Page, Table
from farthing.dashboard.cells import count, share_of, text
from farthing.dashboard.joining import joined
from farthing.dashboard.pages.model_quality import latency, success_and_cost
from farthing.dashboard.pages.model_switch import switch_cost
from farthing.dashboard.pages.outcome_cells import UNKNOWN, mean, share_cell, unsure
from farthing.dashboard.pages.shared import cost, cost_per_call, nothing, spend_over_time
from farthing.reports.sums import percent
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Row
    from farthing.reports.outcome_rows import OutcomeReport, OutcomeRow

OWN = ("from",)


def page(visit: Visit) -> Page:
    """Spend by model."""
    if visit.total() is None:
        return Page("Models and routing", (nothing(visit),))
    rows = visit.rows("model")
    report = joined(visit, "model") if visit.reader.outcome_count() else None
    blocks: list[Block] = [
        *spend_over_time(visit, ("model",), title="Spend by model"),
        _by_model(visit, rows, report),
        *_unpriced(visit, rows),
        *success_and_cost(report),
        *latency(visit),
        *switch_cost(visit, rows),
    ]
    return Page("Models and routing", tuple(blocks))


def _by_model(visit: Visit, rows: Sequence[Row], report: OutcomeReport | None) -> Table:
    whole = sum(visit.pusd(row) for row in rows)
    with_outcomes = report is not None and report.total.outcomes > 0
    columns = visit.head(
        ("model", "Model", False),
        ("usd", "Contract" if visit.is_contract else "List", True),
        ("share", "Share", True),
        ("calls", "Calls", True),
        ("usd_per_call", "Per call", True),
        *((("successes", "Succeeded", True), ("usd_per_success", "Per success", True)) if with_outcomes else ()),
        ("prompt_tokens", "Prompt", True),
        ("cached", "Cached", True),
        ("output_tokens", "Output", True),
        ("unpriced_calls", "Unpriced", True),
    )
    of_model = {row.key[0]: row for row in report.rows} if report is not None and with_outcomes else None
    cells = [_row(visit, row, whole, of_model) for row in rows]
    kinds = [row.kind for row in rows]
    note = ""
    if of_model is not None and report is not None:
        kinds += [Kind.DERIVED, report.total.outcome_kind]
        note = (
            "Per success: what all outcomes cost, failures too. An outcome counts for the model that it cost most on."
        )
    elif report is None and visit.reader.outcome_count():
        note = "Too many calls to join them to outcomes here: narrow the days for the cost per success."
    return Table("models", "By model", columns, visit.sorted_rows(columns, cells), str(weakest(*kinds)), note)


def _row(visit: Visit, row: Row, whole: int, of_model: dict[str | None, OutcomeRow] | None) -> tuple[Cell, ...]:
    here = visit.asked.keeping("model", row.key[0] or "")
    usage = row.usage
    return (
        text(row.key[0], href=visit.asked.elsewhere("/explore", where=here)),
        cost(visit, row, whole),
        Cell(percent(visit.pusd(row), whole), share_of(visit.pusd(row), whole)),
        count(row.calls, href=visit.asked.elsewhere("/calls", where=here)),
        cost_per_call(visit, row),
        *(() if of_model is None else _success(of_model.get(row.key[0]))),
        count(usage.prompt_tokens),
        Cell(
            percent(usage.cache_read_tokens, usage.prompt_tokens),
            share_of(usage.cache_read_tokens, usage.prompt_tokens),
        ),
        count(usage.output_tokens),
        Cell(f"{row.unpriced_calls:,}" if row.unpriced_calls else "", row.unpriced_calls, tone="bad"),
    )


def _success(row: OutcomeRow | None) -> tuple[Cell, Cell]:
    if row is None or not row.outcomes:
        return UNKNOWN, UNKNOWN
    success = row.by_status["success"].outcomes
    return share_cell(success, row.outcomes), unsure(mean(row.per_success_pusd), row.outcome_unpriced_calls)


def _unpriced(visit: Visit, rows: Sequence[Row]) -> tuple[Note, ...]:
    unpriced = [row.key[0] or "" for row in rows if row.unpriced_calls]
    if not unpriced:
        return ()
    known = "; ".join(
        f"{name}: near {', '.join(visit.desk.book.names.nearest(name)[:2]) or 'no id we know'}" for name in unpriced[:5]
    )
    told = f"Some calls have no exact price and are in no sum ({known}). They are never counted as zero."
    return (Note(told, "Unpriced", "bad", code="farthing explain CALL"),)
