"""Budgets against the ledger: what was spent under each, and what they would have refused. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.ledger.spending import Wanted
from farthing.limits.budgets import Applying, bound_of
from farthing.limits.protocol import AccountKey
from farthing.limits.windows import window_at
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from farthing.ledger.interface import Stored
    from farthing.ledger.spending import Spending
    from farthing.limits.budgets import Applied, Budget

CALENDAR_DAYS_MAX = 32
"""No calendar window is longer: older calls matter to sessions, runs and totals alone."""


class Spent(NamedTuple):
    """Per account what was spent, at list; and how many calls have no price and so are in none of it."""

    pusd: dict[AccountKey, int]
    unpriced_calls: int


def told_apart(budgets: Iterable[Budget], now: datetime) -> Wanted:
    """By what calls must be told apart to be counted under budgets: what those name, and where open windows end."""
    listed = [one for one in budgets if one.window != "call"]
    applying = Applying(listed)
    windows = [window_at(one.window, now, one.zone) for one in listed]
    edges = {edge for window in windows for edge in window if edge is not None}
    return Wanted(applying.names, applying.by_model, tuple(sorted(edges)))


def since(budgets: Iterable[Budget], now: datetime) -> datetime | None:
    """When the first of all windows began that are open now; None: some have no beginning, or there are none."""
    begun = [window_at(one.window, now, one.zone).starts_at for one in budgets if one.window != "call"]
    return min((at for at in begun if at is not None), default=None) if None not in begun else None


def spent_from(budgets: Iterable[Budget], groups: Iterable[Spending], now: datetime) -> Spent:
    """
    What the ledger says was spent, in every window that is open now.

    A call without an exact price counts at its upper bound where it has one.

    Args:
        budgets: Those of the limits file.
        groups: Calls that went through the gateway, each in one group, told apart at least as :func:`told_apart` says;
            older ones than any open window do no harm.
        now: Chooses the windows; aware.

    """
    open_now = [(one, window_at(one.window, now, one.zone)) for one in budgets if one.window != "call"]
    found: dict[AccountKey, int] = {}
    unpriced = 0
    for group in groups:
        unpriced += group.unpriced_calls
        if group.calls == group.unpriced_calls:
            continue
        for budget, window in open_now:
            if window.holds(group.first_at) and budget.matches(group.dims, group.model):
                key = AccountKey(budget.name, budget.value_of(group.dims, group.model), window.start_s)
                for account in (key, bound_of(key)) if budget.quantile is not None else (key,):
                    found[account] = found.get(account, 0) + group.pusd
    return Spent(found, unpriced)


def cost_pusd(stored: Stored) -> int | None:
    """What a call counts at: its list price, else its upper bound, else None."""
    posting = stored.posting
    return posting.high_pusd if posting.list_pusd is None else posting.list_pusd


def sure_pusd(stored: Stored) -> int | None:
    """The same where that is all it came to; None where its counts are assumed, so that it may have come to more."""
    return None if stored.call.served.kind is Kind.ASSUMED else cost_pusd(stored)


def asked_model(stored: Stored) -> str:
    """The model that was asked for, where that is known; else the one that served."""
    request = stored.call.request
    return request.model if request is not None and request.model else stored.call.served.model


class WouldRefuse(NamedTuple):
    """
    What one budget would have done to one account.

    Attributes:
        budget, value, window_start: Which.
        calls: Calls that fell under it; priced ones.
        spent_pusd: What they cost.
        refused_calls: Those it would not have admitted; refused_pusd: what they cost.
        first_at: When the first was sent; None: none was.

    """

    budget: Budget
    value: str
    window_start: datetime | None
    calls: int
    spent_pusd: int
    refused_calls: int
    refused_pusd: int
    first_at: datetime | None


class DryRun(NamedTuple):
    """
    Calls of the ledger replayed against budgets.

    Attributes:
        calls: How many; refused_calls: of them, how many some budget that refuses or degrades would not have admitted.
        unpriced_calls: Calls without any price, which no budget counted.
        spent_pusd: What all cost; refused_pusd: of it, the refused calls.
        accounts: Per account, in the order of budgets, then time, then value.

    """

    calls: int
    refused_calls: int
    unpriced_calls: int
    spent_pusd: int
    refused_pusd: int
    accounts: tuple[WouldRefuse, ...]


class _Account:
    def __init__(self, one: Applied) -> None:
        self.applied = one
        self.calls = self.spent = self.admitted = self.refused_calls = self.refused = 0
        self.first_at: datetime | None = None

    def refuses(self, pusd: int) -> bool:
        """Whether the call has no room, given what was admitted before it."""
        budget = self.applied.budget
        if budget.window == "call":
            return pusd > budget.limit_pusd
        return self.admitted + pusd > budget.limit_pusd

    def line(self) -> WouldRefuse:
        budget, key, window = self.applied
        numbers = (self.calls, self.spent, self.refused_calls, self.refused)
        return WouldRefuse(budget, key.value, window.starts_at, *numbers, self.first_at)


def dry_run(budgets: tuple[Budget, ...], rows: Iterable[Stored]) -> DryRun:
    """
    Which calls budgets would have refused, one after the other.

    A call is refused where what was admitted before it and its own cost are above a limit; a refused call costs
    nothing and so leaves room for smaller ones. Soft budgets report the same and refuse nothing. Calls that were under
    way at once, and the difference between a call's worst case and its cost, could refuse more.

    Args:
        budgets: Of the limits file.
        rows: By the time they were sent.

    """
    applying = Applying(budgets)
    accounts: dict[AccountKey, _Account] = {}
    calls = unpriced = refused_calls = spent = refused = 0
    for stored in rows:
        calls += 1
        pusd = cost_pusd(stored)
        if pusd is None:
            unpriced += 1
            continue
        applied = applying.to(stored.call.dims, asked_model(stored), stored.call.sent_at)
        hit = [accounts.setdefault(one.key, _Account(one)) for one in applied]
        without_room = [one for one in hit if one.refuses(pusd)]
        is_refused = any(one.applied.budget.mode != "soft" for one in without_room)
        spent, refused = spent + pusd, refused + pusd * is_refused
        refused_calls += is_refused
        for one in hit:
            one.calls += 1
            one.spent += pusd
            if one in without_room:
                one.refused_calls += 1
                one.refused += pusd
                one.first_at = one.first_at or stored.call.sent_at
            if not is_refused:
                one.admitted += pusd
    order = {budget.name: number for number, budget in enumerate(budgets)}
    listed = sorted(accounts.items(), key=lambda pair: (order[pair[0].budget], pair[0].start_s, pair[0].value))
    lines = tuple(account.line() for _, account in listed)
    return DryRun(calls, refused_calls, unpriced, spent, refused, lines)
