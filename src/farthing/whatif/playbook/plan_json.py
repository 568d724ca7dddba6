"""A plan, and what became of it, as JSON: amounts are exact decimal strings of USD."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.errors import BadInput
from farthing.money import usd_text
from farthing.whatif.playbook.guides import covered_by, guide_rows
from farthing.whatif.playbook.policy import block_of, step_of

if TYPE_CHECKING:
    from farthing.whatif.playbook.advice import Finding, Proposal
    from farthing.whatif.playbook.days import Monthly
    from farthing.whatif.playbook.guides import GuideRow
    from farthing.whatif.playbook.journal import Entry
    from farthing.whatif.playbook.planned import Dropped, Plan, PlanStep
    from farthing.whatif.playbook.realised import Realised


def plan_json(plan: Plan) -> dict[str, Any]:
    """Everything that a plan holds."""
    days = plan.days
    window = None
    if days is not None:
        first, last = date.fromordinal(days.first), date.fromordinal(days.first + days.number - 1)
        window = {"first": str(first), "last": str(last), "days": days.number}
    return {
        "backtest": plan.backtest.to_json(),
        "window": window,
        "before_usd": usd_text(plan.before_pusd),
        "after_usd": usd_text(plan.after_pusd),
        "saved_usd": usd_text(plan.saved_pusd),
        "saved_a_month": _monthly(plan.saved_a_month),
        "kind": str(plan.kind),
        "steps": [_step(step) for step in plan.steps],
        "guides": [_guide(row) for row in guide_rows(plan)],
        "findings": [_finding(one, plan) for one in plan.findings],
        "left_out": [_dropped(one) for one in plan.dropped],
    }


def realised_json(one: Realised) -> dict[str, Any]:
    """One applied step: what it has saved since, beside what it was predicted to."""
    return {
        **entry_json(one.entry),
        "days_since": round(one.days, 3),
        "calls": one.calls,
        "calls_that_show_it": one.visible,
        "share_before": None if one.share_before is None else round(one.share_before, 6),
        "predicted_usd": usd_text(one.predicted_pusd),
        "realised_usd": None if one.saved_pusd is None else usd_text(one.saved_pusd),
        "kind": str(one.kind),
        "says": one.says,
    }


def entry_json(entry: Entry) -> dict[str, Any]:
    """One decision."""
    predicted = entry.predicted
    return {
        "number": entry.number,
        "action": entry.action,
        "id": entry.step.id,
        "title": entry.step.title,
        "at": entry.at.isoformat(),
        "who": entry.who,
        "policy": entry.policy if entry.block else None,
        "caller_change": entry.caller_change,
        "predicted_a_month": {
            "usd": usd_text(predicted.a_month_pusd),
            "low_usd": _usd(predicted.low_pusd),
            "high_usd": _usd(predicted.high_pusd),
            "kind": str(predicted.kind),
        },
        "judged_on": {"first": str(predicted.since.date()), "last": str(predicted.until.date())},
    }


def configuration_of(proposal: Proposal) -> str:
    """The piece of policy that applies a proposal, as TOML; empty where only callers can do it."""
    if not proposal.policy:
        return ""
    try:
        return block_of(step_of(proposal)).strip()
    except BadInput:
        return ""


def _step(step: PlanStep) -> dict[str, Any]:
    proposal = step.proposal
    return {
        "step": step.number,
        "id": proposal.id,
        "title": proposal.title,
        "guide": str(proposal.guide),
        "a_month": _monthly(step.a_month),
        "saved_usd": usd_text(step.saved_pusd),
        "saved_alone_usd": usd_text(step.alone_pusd),
        "kind": str(step.kind),
        "effort": str(proposal.effort),
        "risk": str(proposal.risk),
        "free": proposal.is_free,
        "instead_of": list(step.instead_of),
        "calls_kept_as_recorded": step.stays,
        "ceiling": _ceiling(step),
        "first_two_thirds_usd": usd_text(step.first_pusd),
        "last_third_usd": usd_text(step.later_pusd),
        "lost_in_last_third": step.lost_later,
        "why": proposal.why,
        "calls": proposal.calls,
        "evidence": list(proposal.evidence),
        "prerequisite": proposal.prerequisite,
        "assumes": proposal.assumes,
        "configuration": configuration_of(proposal),
        "caller_change": proposal.caller_change,
        "verify": proposal.verify,
    }


def _ceiling(step: PlanStep) -> dict[str, Any] | None:
    caught = step.ceiling
    if caught is None:
        return None
    before, after = caught.capture, step.capture
    return {
        "none_usd": usd_text(caught.none_pusd),
        "paid_usd": usd_text(caught.paid_pusd),
        "hindsight_usd": usd_text(caught.least_pusd),
        "capture_before": None if before is None else round(before, 6),
        "capture": None if after is None else round(after, 6),
    }


def _guide(row: GuideRow) -> dict[str, Any]:
    return {
        "guide": str(row.guide),
        "published": row.published.says,
        "source": row.published.source,
        "saved_usd": usd_text(row.saved_pusd),
        "a_month_usd": usd_text(row.a_month_pusd),
        "share": round(row.share, 6),
        "kind": str(row.kind),
        "steps": list(row.steps),
        "why": row.why,
    }


def _finding(one: Finding, plan: Plan) -> dict[str, Any]:
    a_month = None if one.cost_pusd is None or plan.days is None else plan.days.a_month(one.cost_pusd)
    return {
        "id": one.id,
        "title": one.title,
        "guide": str(one.guide),
        "covered_by_step": covered_by(one, plan.steps),
        "cost_usd": _usd(one.cost_pusd),
        "a_month_usd": _usd(a_month),
        "left_after_steps_usd": _usd(plan.repairs.get(one.id)),
        "kind": str(one.kind),
        "why": one.why,
        "where": one.where,
        "calls": one.calls,
        "evidence": list(one.evidence),
        "change": one.change,
    }


def _dropped(one: Dropped) -> dict[str, Any]:
    told = {"id": one.proposal.id, "title": one.proposal.title, "reason": one.reason}
    return told | {"saved_usd": usd_text(one.saved_pusd), "rival": one.rival or None}


def _monthly(one: Monthly) -> dict[str, Any]:
    return {"usd": usd_text(one.pusd), "low_usd": _usd(one.low_pusd), "high_usd": _usd(one.high_pusd)}


def _usd(pusd: int | None) -> str | None:
    return None if pusd is None else usd_text(pusd)


def struct_json(value: msgspec.Struct) -> bytes:
    """A struct for a file."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
