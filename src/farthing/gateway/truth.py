"""
How the store of budgets hears the truth: at the start from the ledger, later from the journals of processes that died.

Whoever owns the ledger tells it. Nothing here can stop a start or a round: where it fails, budgets go on with what was
known of them last, which is never too little.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from farthing.errors import FarthingError, LedgerFault
from farthing.ledger.interface import Query
from farthing.limits.estate import Estates
from farthing.limits.replay import CALENDAR_DAYS_MAX, since, spent_from, told_apart
from farthing.limits.store import STORE_NAME, SqliteBank

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from farthing.limits.file import Limits

_KEPT_DAYS = 2 * CALENDAR_DAYS_MAX
"""How long the store keeps accounts of windows that are over."""
_BUSY_S = 5


class Truth:
    """
    Tells the store of budgets.

    Args:
        limits: The limits file; None: there is none, and so nothing to tell.
        ledger: The ledger's file; the store lies beside it.
        journals: Where journals lie.
        log: Gets a line where something fails, and about each process that died.

    """

    def __init__(self, limits: Limits | None, ledger: Path, journals: Path, log: Callable[[str], None]) -> None:
        budgets = () if limits is None else limits.budgets
        self._budgets = [one for one in budgets if one.window != "call"]
        self._ledger = ledger
        self._store = ledger.with_name(STORE_NAME)
        self._estates = Estates(journals)
        self._log = log
        self._said = ""

    def begin(self, now: datetime, *, unsettled: int) -> None:
        """
        Set the store of budgets to what the ledger says, before any call.

        Args:
            now: Chooses the windows.
            unsettled: How many calls of former runs have no outcome; with some, what was held stays presumed.

        """
        if not self._budgets:
            return
        self.round()
        query = Query(since=since(self._budgets, now), where={"source": ("gateway",)})
        old_s = (now - timedelta(days=_KEPT_DAYS)).timestamp()
        from farthing.ledger.duckdb import DuckDBLedger  # noqa: PLC0415 - heavy, and not needed to forward

        try:
            with DuckDBLedger(self._ledger) as opened:
                groups = opened.spending(query, told_apart(self._budgets, now))
            spent = spent_from(self._budgets, groups, now)
            bank = SqliteBank(self._store, busy_s=_BUSY_S)
            try:
                bank.rebuild(spent.pusd, keep_presumed=unsettled > 0, forget_before_s=old_s)
            finally:
                bank.close()
        except FarthingError as error:
            self._log(f"budgets begin with what was known of them last: {error}")

    def round(self) -> None:
        """Put right what processes held that have died since."""
        if not self._budgets:
            return
        try:
            bank = SqliteBank(self._store, busy_s=_BUSY_S)
            try:
                for line in self._estates.settle(bank):
                    self._log(line)
            finally:
                bank.close()
            self._said = ""
        except LedgerFault as fault:
            if str(fault) != self._said:
                self._said = str(fault)
                self._log(f"what was held by processes that are gone stays presumed: {fault}")
