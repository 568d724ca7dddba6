"""The report on outcomes as JSON values: amounts are exact decimal strings, shares are of the sum beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farthing import money
from farthing.reports.sums import share_text
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from farthing.ledger.outcome import Outcome
    from farthing.reports.outcome_rows import OutcomeReport, OutcomeRow

_PLACES = 6


def outcomes_json(report: OutcomeReport) -> dict[str, Any]:
    """A whole report. What is not known is null; ``cost_usd`` sums as the module of the report says."""
    query, tail = report.query, report.calls_tail
    return {
        "by": list(query.by),
        "since": query.since.isoformat() if query.since else None,
        "until": query.until.isoformat() if query.until else None,
        "where": {name: list(values) for name, values in query.where.items()},
        "price": report.basis,
        "rows": [{"key": dict(zip(query.by, row.key, strict=True)), **row_json(row)} for row in report.rows],
        "totals": row_json(report.total),
        "by_outcome": [{"outcome": row.key[0], **row_json(row)} for row in report.names],
        "joined_calls": {
            name: {"calls": calls, "kind": str(Kind.MEASURED if name == "request" else Kind.DERIVED)}
            for name, calls in report.joined.items()
        },
        "tail": {
            "calls": {
                "count": tail.calls,
                **_tops(tail.pusd, tail.top_1_pusd, tail.top_5_pusd),
                "dearest": [
                    {
                        "call_id": one.call_id,
                        "sent_at": one.sent_at.isoformat(),
                        "model": one.model,
                        "cost_usd": money.usd_text(one.pusd),
                    }
                    for one in tail.dearest
                ],
            },
            "outcomes": {
                "count": len(report.costs),
                **_tops(report.outcomes_pusd, report.top_outcomes_pusd(1), report.top_outcomes_pusd(5)),
                "dearest": [
                    {
                        **outcome_json(one.outcome),
                        "calls": one.calls,
                        "unpriced_calls": one.unpriced_calls,
                        "cost_usd": money.usd_text(one.pusd),
                    }
                    for one in report.dearest
                ],
            },
        },
    }


def row_json(row: OutcomeRow) -> dict[str, Any]:
    """One row: its calls, then its outcomes, then what was told of money."""
    mean_kind = str(weakest(Kind.DERIVED, row.outcome_kind))
    return {
        "calls": row.calls,
        "unpriced_calls": row.unpriced_calls,
        "cost_usd": money.usd_text(row.pusd),
        "kind": str(row.kind),
        "without_outcome": {
            "calls": row.free_calls,
            "unpriced_calls": row.free_unpriced_calls,
            "cost_usd": money.usd_text(row.free_pusd),
        },
        "outcomes": row.outcomes,
        "outcomes_without_calls": row.without_calls,
        "outcomes_also_elsewhere": row.elsewhere,
        "outcomes_partly_outside": row.partial,
        "by_status": {
            status: {
                "outcomes": sums.outcomes,
                "without_calls": sums.without_calls,
                "calls": sums.calls,
                "unpriced_calls": sums.unpriced_calls,
                "cost_usd": money.usd_text(sums.pusd),
            }
            for status, sums in row.by_status.items()
        },
        "outcome_cost_usd": money.usd_text(row.outcome_pusd),
        "outcome_unpriced_calls": row.outcome_unpriced_calls,
        "outcome_cost_kind": str(row.outcome_kind),
        "cost_per_outcome_usd": _usd(row.per_outcome_pusd),
        "cost_per_success_usd": _usd(row.per_success_pusd),
        "cost_per_kind": mean_kind,
        "value_usd": money.usd_text(row.value_pusd) if row.valued else None,
        "outcomes_with_value": row.valued,
        "revenue_usd": money.usd_text(row.revenue_pusd) if row.paid else None,
        "outcomes_with_revenue": row.paid,
        "margin_usd": _usd(row.margin_pusd),
        "margin_kind": str(weakest(Kind.DERIVED, row.kind)),
    }


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """One outcome, in the names in which it can be told."""
    tag = None if outcome.tag_name is None else f"{outcome.tag_name}={outcome.tag_value}"
    return {
        "id": outcome.outcome_id,
        "at": outcome.happened_at.isoformat(),
        "at_assumed": outcome.at_assumed,
        "outcome": outcome.name or None,
        "status": outcome.status,
        "value_usd": _usd(outcome.value_pusd),
        "revenue_usd": _usd(outcome.revenue_pusd),
        "session": outcome.session,
        "request_id": outcome.request,
        "tag": tag,
        **outcome.dims,
    }


def _tops(whole: int, top_1: int, top_5: int) -> dict[str, Any]:
    return {
        "cost_usd": money.usd_text(whole),
        "top_1_percent_usd": money.usd_text(top_1),
        "top_1_percent_share": share_text(top_1, whole, _PLACES),
        "top_5_percent_usd": money.usd_text(top_5),
        "top_5_percent_share": share_text(top_5, whole, _PLACES),
    }


def _usd(pusd: int | None) -> str | None:
    return None if pusd is None else money.usd_text(pusd)
