"""Shares of a limit whose reaching is told: once a window among all processes, by whichever saw it first."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from fractions import Fraction

    from farthing.limits.budgets import Applied, Budget
    from farthing.limits.protocol import AccountKey
    from farthing.limits.purse import Purse

REMEMBERED_MAX = 100_000


class Threshold(NamedTuple):
    """An account has reached a share of its limit: told once per window, by whichever process saw it first."""

    budget: str
    value: str
    window_start: datetime | None
    share: Fraction
    spent_pusd: int
    limit_pusd: int


class Thresholds:
    """
    What was reached, and what of it was told.

    Args:
        budgets: All there are.
        on_threshold: Told; must not raise.

    """

    def __init__(self, budgets: Sequence[Budget], on_threshold: Callable[[Threshold], None]) -> None:
        self._on_threshold = on_threshold
        self._alerts = {one.name: [ceil(part * one.limit_pusd) for part in one.alert_at] for one in budgets}
        self._told: dict[AccountKey, int] = {}
        self._watched: dict[AccountKey, Applied] = {}

    def watch(self, one: Applied) -> None:
        """An account that a call counts in."""
        if one.key not in self._watched:
            if len(self._watched) >= REMEMBERED_MAX:
                self._watched.clear()
            self._watched[one.key] = one

    def tell(self, purse: Purse, most: int) -> None:
        """
        Tell what was reached and nobody has told yet.

        Args:
            purse: What this process has of the accounts.
            most: About so many accounts at the most; the next time goes on.

        Raises:
            LedgerFault: The bank does not answer.

        """
        asked = 0
        for key, one in list(self._watched.items()):
            shares, pocket = one.budget.alert_at, purse.pockets.get(key)
            if pocket is None:
                self._watched.pop(key)
                continue
            if not pocket.fresh or asked >= most:
                continue
            told, reached = self._told.get(key, 0), self._alerts[key.budget]
            while told < len(shares) and pocket.total_spent_pusd >= reached[told]:
                asked += 1
                if purse.bank.first(key, f"alert {shares[told]}"):
                    window = one.window.starts_at
                    spent, limit = pocket.total_spent_pusd, one.budget.limit_pusd
                    self._on_threshold(Threshold(key.budget, key.value, window, shares[told], spent, limit))
                told += 1
                if len(self._told) >= REMEMBERED_MAX:
                    self._told.clear()
                self._told[key] = told
            pocket.fresh = False
