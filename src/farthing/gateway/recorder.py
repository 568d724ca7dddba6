"""
The gateway's side of the journal: a call begins before its first upstream byte, and settles once.

A disk that is full or gone does not stop anybody's call: records wait, up to a bound, and are written in their order as
soon as that works again. A call whose outcome nobody knows is left unsettled, because it may have been billed.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from farthing.errors import LedgerFault
from farthing.ledger.interface import Posting, Stored
from farthing.ledger.journal import Begun, JournalWriter, Seen, Settled, new_path
from farthing.prices.contracts import price_under
from farthing.prices.engine import price_served

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from farthing.call import Call
    from farthing.gateway.metrics import Metrics
    from farthing.ledger.interface import Reserved
    from farthing.ledger.journal import Fsync, Record
    from farthing.prices.book import PriceBook
    from farthing.prices.contract_terms import ContractTerms

_WAITING_MAX = 100_000


class Recorder:
    """
    Writes one process's journal.

    Args:
        folder: Where journals lie.
        book: What calls are posted at. terms: the contract beside it; None: none.
        metrics: Where failures and outcomes are counted.
        now: The time; aware, UTC.
        fsync: See :class:`~farthing.ledger.journal.JournalWriter`.
        log: Gets one line when the journal cannot be written, and when it can again.

    Raises:
        LedgerFault: The journal cannot be begun.

    """

    def __init__(
        self,
        folder: Path,
        *,
        book: PriceBook,
        terms: ContractTerms | None,
        metrics: Metrics,
        now: Callable[[], datetime],
        fsync: Fsync,
        log: Callable[[str], None],
    ) -> None:
        self._book = book
        self._terms = terms
        self._metrics = metrics
        self._log = log
        self._waiting: deque[Record] = deque()
        at = now()
        self._journal = JournalWriter(new_path(folder, at), at, fsync)
        metrics.gauge("farthing_records_waiting", lambda: len(self._waiting))

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self._journal.path

    def begin(self, entry: str, at: datetime, model: str, holds: tuple[Reserved, ...] = ()) -> None:
        """Before the first byte goes upstream; *holds* is what it reserved of budgets."""
        self._append(Begun(entry, at, model, holds))

    def held_no_more(self, entry: str, why: str) -> None:
        """What began was no call but the making of a batch, and *why* it holds nothing of any budget from now on."""
        self._append(Settled(entry, None, why))

    def free(self, entry: str, why: str) -> None:
        """Nothing was billed, and *why* says so without content."""
        self._metrics.count("farthing_calls_total", "free")
        self._append(Settled(entry, None, why))

    def unknown(self, entry: str) -> None:
        """Nobody knows what was billed: the call stays unsettled."""
        del entry
        self._metrics.count("farthing_calls_total", "unknown")

    def seen(self, entry: str, call: Call) -> None:
        """An answer has begun, and *call* is what is known of it; its outcome replaces that."""
        self._append(Seen(entry, self._priced(call)))

    def billed(self, entry: str, call: Call) -> Stored:
        """The call was billed: price it and write it down."""
        stored = self._priced(call)
        self._append(Settled(entry, stored))
        self._metrics.count("farthing_calls_total", "billed")
        if stored.posting.list_pusd is None:
            self._metrics.count("farthing_unpriced_calls_total")
        else:
            self._metrics.count("farthing_cost_picodollars_total", more=stored.posting.list_pusd)
        return stored

    def _priced(self, call: Call) -> Stored:
        bill = price_served(self._book, call.served, call.sent_at)
        contract_pusd = None
        if self._terms is not None:
            contract_pusd = price_under(self._terms, bill, call.sent_at).posted_pusd
        return Stored(call, Posting.of(bill, contract_pusd))

    def flush(self) -> None:
        """Try to write what waits."""
        while self._waiting:
            try:
                self._journal.append(self._waiting[0])
            except LedgerFault:
                return
            self._waiting.popleft()
            if not self._waiting:
                self._log("the journal can be written again")

    def close(self) -> None:
        """Write what can be written and close the file."""
        self.flush()
        if self._waiting:
            self._metrics.count("farthing_records_lost_total", more=len(self._waiting))
            self._log(f"{len(self._waiting)} records could not be written to the journal")
        self._journal.close()

    def _append(self, record: Record) -> None:
        if self._waiting:
            self.flush()
        if not self._waiting:
            try:
                self._journal.append(record)
            except LedgerFault as fault:
                self._log(f"{fault}; calls go on, their records wait")
            else:
                return
        self._metrics.count("farthing_journal_failures_total")
        if len(self._waiting) < _WAITING_MAX:
            self._waiting.append(record)
        else:
            self._metrics.count("farthing_records_lost_total")
