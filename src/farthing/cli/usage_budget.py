"""Budgets in a usage report: the setting, the line below the table, and the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.cli import plain
from farthing.errors import BadInput
from farthing.money import parse_usd

if TYPE_CHECKING:
    from farthing.config import Loaded
    from farthing.reports.claude_code.budget import Budget

OVER = 2
"""The exit code of ``--gate`` over budget."""
_NAMES = {"day": "today", "month": "this month"}


def limits_of(loaded: Loaded, *, gate: bool) -> dict[str, int]:
    """
    The budgets that are set, in picodollars, by ``day`` and ``month``.

    Raises:
        BadInput: None is, and ``--gate`` asks for one.

    """
    report = loaded.config.report
    texts = {"day": report.daily_budget_usd, "month": report.monthly_budget_usd}
    limits = {period: parse_usd(text) for period, text in texts.items() if text is not None}
    if gate and not limits:
        raise BadInput(
            "read --gate, and no budget is set",
            "the setting report.daily_budget_usd or report.monthly_budget_usd",
            "for one run: FARTHING_REPORT_DAILY_BUDGET_USD=25.00 farthing daily --gate",
        )
    return limits


def exit_code(budgets: list[Budget], *, gate: bool) -> int:
    """2 where the gate is asked for and any budget is overspent, else 0."""
    return OVER if gate and any(one.is_over for one in budgets) else 0


def budget_line(one: Budget) -> str:
    """What is left of a budget, or by how much it is overspent; loud where calls without a price are left out."""
    spent = f"{plain.usd(one.spent_pusd)} of {plain.usd(one.limit_pusd)} spent"
    unpriced = f" Calls without a price, not in it: {one.unpriced_calls:,}." if one.unpriced_calls else ""
    if one.is_over:
        return f"OVER BUDGET {_NAMES[one.period]}: {spent}, {plain.usd(-one.left_pusd)} over.{unpriced}"
    most = "at most " if one.unpriced_calls else ""
    return f"Budget {_NAMES[one.period]}: {spent}, {most}{plain.usd(one.left_pusd)} left.{unpriced}"
