"""
Monthly spend limits: the tier's cap, the one an owner set, and a workspace's own.

Source: facts: claude-api 8.2, 8.3, 9, checked 2026-11-20. A request is refused once the limit is reached; the one that
reaches it goes through.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from farthing.limits.published import published_limits
from farthing.money import PUSD_PER_USD
from farthing.sandbox.problems import ApiError, invalid

if TYPE_CHECKING:
    from farthing.sandbox.accounts import Organization, Workspace
    from farthing.sandbox.books import Books


def check(books: Books, organization: Organization, workspace: Workspace, at: datetime) -> None:
    """
    Let a request through unless a limit of the UTC month is used up.

    Raises:
        ApiError: A 429 without ``retry-after`` for the tier's cap, a 400 for a limit that somebody set.

    """
    spent = books.spent_pusd(organization.id, None, at)
    cap = next((t.spend_cap_usd * PUSD_PER_USD for t in published_limits().tier if t.name == organization.tier), None)
    if cap is not None and spent >= cap:
        raise ApiError(
            "rate_limit_error",
            "Your organization has reached the monthly spend limit of its usage tier",
            error_code="enforced_spend_limit_reached",
        )
    again = f"You will regain access on {next_month(at):%Y-%m-%d} at 00:00 UTC."
    if organization.spend_limit_pusd is not None and spent >= organization.spend_limit_pusd:
        raise invalid(f"You have reached your specified API usage limits. {again}")
    limit = workspace.spend_limit_pusd
    if limit is not None and books.spent_pusd(organization.id, workspace.id, at) >= limit:
        raise invalid(f"You have reached your specified workspace API usage limits. {again}")


def next_month(at: datetime) -> datetime:
    """The first moment of the month after *at*, in its time zone."""
    year, month = (at.year + 1, 1) if at.month == 12 else (at.year, at.month + 1)
    return datetime(year, month, 1, tzinfo=at.tzinfo)
