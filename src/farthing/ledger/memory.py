"""
The plain ledger: dictionaries and loops.

It says what every other engine must do, in the fewest words, and serves tests and one-off reports. Nothing is kept when
the process ends.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING

import msgspec

from farthing.errors import LedgerFault
from farthing.ledger import question, sums
from farthing.ledger.corrections import ChangeCounts, correction, priced_again, standing, utc
from farthing.ledger.interface import Added, Correction, Hour, Query, Row, Stored
from farthing.ledger.merge import Known, Tally, checked
from farthing.ledger.outcome_memory import OutcomesInMemory, tail_of
from farthing.ledger.text import valid_text
from farthing.ledger.zones import bucket_start, find_zone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from types import TracebackType
    from typing import Self
    from zoneinfo import ZoneInfo

    from farthing.ledger.interface import Contract, Posting
    from farthing.ledger.outcome import Basis, Outcome, OutcomesAdded, Replaced, Share, Tail, Tenants
    from farthing.prices.book import PriceBook


class MemoryLedger:
    """A :class:`farthing.ledger.interface.Ledger` and :class:`~farthing.ledger.outcome.OutcomeStore` in memory."""

    def __init__(self) -> None:
        self._known: Known | None = Known()
        self._numbers = 0
        self._corrections: list[Correction] = []
        self._former: dict[int, dict[int, Posting]] = {}
        self._outcomes = OutcomesInMemory()
        self._lock = RLock()

    def add(self, calls: Iterable[Stored]) -> Added:
        """See :meth:`farthing.ledger.interface.Ledger.add`."""
        batch = [checked(stored) for stored in calls]
        tally = Tally()
        with self._lock:
            for stored in batch:
                self._numbers += 1
                outcome = self._open.add(stored, self._numbers)
                tally.count(outcome.what)
                if outcome.reposted:
                    # A former posting is no posting of what is known now: a revert must not bring it back.
                    for former in self._former.values():
                        former.pop(outcome.number, None)
        return tally.added()

    def get(self, call_id: str) -> Stored | None:
        """See :meth:`farthing.ledger.interface.Ledger.get`."""
        call_id = valid_text(call_id)
        with self._lock:
            records = sorted(self._open.records.values(), key=_by_time)
        for pick in (_call_id, _message_id, _request_id):
            for stored in records:
                if pick(stored) == call_id:
                    return stored
        return None

    def calls(self, query: Query) -> Iterator[Stored]:
        """See :meth:`farthing.ledger.interface.Ledger.calls`."""
        zone = question.check(query)
        with self._lock:
            kept = [stored for stored in self._open.records.values() if question.keeps(query, stored, zone)]
        return iter(sorted(kept, key=_by_time))

    def latest(self, query: Query, number: int, skip: int = 0) -> list[Stored]:
        """See :meth:`farthing.ledger.interface.Ledger.latest`."""
        return list(self.calls(query))[::-1][skip : skip + number]

    def hours(self, query: Query) -> list[Hour]:
        """See :meth:`farthing.ledger.interface.Ledger.hours`."""
        kept = list(self.calls(query))
        hourly, utc_zone = Query(bucket="hour"), find_zone("UTC")
        found = sums.rows((_group(stored, hourly, utc_zone) for stored in kept), hourly, utc_zone)
        return [Hour(row.start, row.calls, row.list_pusd, row.contract_pusd) for row in found if row.start is not None]

    def dearest(self, query: Query, names: Sequence[str], number: int) -> dict[str, list[str | None]]:
        """See :meth:`farthing.ledger.interface.Ledger.dearest`."""
        alone = msgspec.structs.replace(query, bucket=None, limit=None)
        return {
            name: [row.key[0] for row in self.report(msgspec.structs.replace(alone, by=(name,)))][:number]
            for name in names
        }

    def report(self, query: Query) -> list[Row]:
        """See :meth:`farthing.ledger.interface.Ledger.report`."""
        zone = question.check(query)
        return sums.rows((_group(stored, query, zone) for stored in self.calls(query)), query, zone)

    def reprice(
        self,
        book: PriceBook,
        *,
        reason: str,
        made_at: datetime,
        since: datetime | None = None,
        until: datetime | None = None,
        preview: bool = False,
        contract: Contract | None = None,
    ) -> Correction:
        """See :meth:`farthing.ledger.interface.Ledger.reprice`."""
        made_at = utc(made_at)
        query = Query(since=since, until=until)
        zone = question.check(query)
        with self._lock:
            counts = ChangeCounts()
            changed: dict[int, Posting] = {}
            for number, stored in self._open.records.items():
                if question.keeps(query, stored, zone):
                    posting = priced_again(book, stored, contract)
                    counts.count(stored.call.served.model, stored.posting, posting)
                    if posting is not stored.posting:
                        changed[number] = posting
            if preview:
                return correction(None, made_at, reason, book.version, counts.changes())
            made = correction(len(self._corrections) + 1, made_at, reason, book.version, counts.changes())
            self._corrections.append(made)
            self._former[len(self._corrections)] = self._repost(changed)
            return made

    def revert(self, correction_id: int) -> Correction:
        """See :meth:`farthing.ledger.interface.Ledger.revert`."""
        with self._lock:
            self._repost(self._former.pop(standing(self.corrections(), correction_id)))
            taken_back = msgspec.structs.replace(self._corrections[correction_id - 1], reverted=True)
            self._corrections[correction_id - 1] = taken_back
            return taken_back

    def corrections(self) -> list[Correction]:
        """See :meth:`farthing.ledger.interface.Ledger.corrections`."""
        with self._lock:
            assert self._open is not None
            return list(self._corrections)

    def add_outcomes(self, outcomes: Iterable[Outcome], *, received_at: datetime) -> OutcomesAdded:
        """See :meth:`farthing.ledger.outcome.OutcomeStore.add_outcomes`."""
        with self._lock:
            assert self._open is not None
            return self._outcomes.add(outcomes, received_at)

    def outcomes(self, tenants: Tenants = None) -> list[Outcome]:
        """See :meth:`farthing.ledger.outcome.OutcomeStore.outcomes`."""
        with self._lock:
            assert self._open is not None
            return self._outcomes.all(tenants)

    def outcome_count(self, tenants: Tenants = None) -> int:
        """See :meth:`farthing.ledger.outcome.OutcomeStore.outcome_count`."""
        return len(self.outcomes(tenants))

    def outcome(self, outcome_id: str) -> tuple[Outcome, tuple[Replaced, ...]] | None:
        """See :meth:`farthing.ledger.outcome.OutcomeReader.outcome`."""
        with self._lock:
            assert self._open is not None
            return self._outcomes.get(valid_text(outcome_id))

    def shares(self, query: Query, basis: Basis = "list", tenants: Tenants = None) -> list[Share]:
        """See :meth:`farthing.ledger.outcome.OutcomeStore.shares`."""
        with self._lock:
            return self._outcomes.shares(self.calls(query), query, basis, tenants)

    def tail(self, query: Query, basis: Basis = "list") -> Tail:
        """See :meth:`farthing.ledger.outcome.OutcomeReader.tail`."""
        return tail_of(self.calls(query), basis)

    def close(self) -> None:
        """See :meth:`farthing.ledger.interface.Ledger.close`."""
        self._known = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _open(self) -> Known:
        if self._known is None:
            raise LedgerFault("this ledger is closed; open it again")
        return self._known

    def _repost(self, postings: dict[int, Posting]) -> dict[int, Posting]:
        """Give calls other postings; returns the ones they had."""
        known = self._open
        former = {}
        for number, posting in postings.items():
            stored = known.records[number]
            former[number] = stored.posting
            known.records[number] = Stored(stored.call, posting)
        return former


def _group(stored: Stored, query: Query, zone: ZoneInfo) -> sums.Group:
    served = stored.call.served
    start = None if query.bucket is None else bucket_start(stored.call.sent_at, query.bucket, zone)
    key = tuple(question.value(stored, name, zone) for name in query.by)
    usages = [served.usage, *(extra.usage for extra in served.extra_passes)]
    return sums.Group(start, key, stored.posting.kind, sums.measures(usages, stored.posting))


def _by_time(stored: Stored) -> tuple[datetime, str]:
    return stored.call.sent_at, stored.call.call_id


def _call_id(stored: Stored) -> str | None:
    return stored.call.call_id


def _message_id(stored: Stored) -> str | None:
    return stored.call.served.message_id


def _request_id(stored: Stored) -> str | None:
    return stored.call.served.request_id
