"""
The sandbox's own books: every billed request, priced by the price book. Reports and tests add up to them.

A client that disconnects is booked for its input and what was generated up to the abort (a documented choice; what the
real API does is UNCONFIRMED, facts: claude-api 4.5).
"""

from __future__ import annotations

import bisect
import threading
from typing import TYPE_CHECKING, NamedTuple

from farthing import money

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from farthing.call import Call
    from farthing.prices.bill import Bill


class Entry(NamedTuple):
    """
    One billed request.

    Attributes:
        call: As billed; ``dims`` has ``organization``, ``workspace`` and ``api_key`` (ids, never secrets).
        bill: Its price at list.
        booked_at: When it was settled, which is when reports first see it.
        aborted: Whether the client left or the stream broke before the end.

    """

    call: Call
    bill: Bill
    booked_at: datetime
    aborted: bool = False

    @property
    def pusd(self) -> int:
        """The amount in picodollars; 0 where the book has no price, which ``bill.unpriced`` then explains."""
        return self.bill.list_pusd or 0


class Books:
    """
    Entries in the order in which their requests were sent. May be used from several threads.

    Args:
        keep: How many to keep, >= 1: of more, those sent first are forgotten, an eighth of *keep* at a time; sums per
            month and in all stay. None: all, at some 1.3 kB each.

    Attributes:
        forgotten: How many requests are no longer here.

    """

    def __init__(self, *, keep: int | None = None) -> None:
        self.keep = keep
        self.forgotten = 0
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._keys: list[tuple[datetime, int]] = []
        self._spent: dict[tuple[str, str | None, int, int], int] = {}
        self._count = 0

    def add(self, entry: Entry) -> None:
        """Book one request. Whoever calls makes sure that it is once."""
        with self._lock:
            self._count += 1
            key = (entry.call.sent_at, self._count)
            at = bisect.bisect(self._keys, key)
            self._keys.insert(at, key)
            self._entries.insert(at, entry)
            organization, workspace = entry.call.dims["organization"], entry.call.dims["workspace"]
            month = (entry.call.sent_at.year, entry.call.sent_at.month)
            for scope in (None, workspace):
                where = (organization, scope, *month)
                self._spent[where] = self._spent.get(where, 0) + entry.pusd
            if self.keep is not None and len(self._entries) > self.keep + self.keep // 8:
                self._drop(len(self._entries) - self.keep)

    def between(self, start: datetime, end: datetime) -> list[Entry]:
        """Entries with ``start <= sent_at < end``, in order."""
        with self._lock:
            first = bisect.bisect_left(self._keys, (start, 0))
            return self._entries[first : bisect.bisect_left(self._keys, (end, 0))]

    def spent_pusd(self, organization_id: str, workspace_id: str | None, at: datetime) -> int:
        """Spent in the UTC calendar month of *at* by the organisation, or by one workspace of it."""
        with self._lock:
            return self._spent.get((organization_id, workspace_id, at.year, at.month), 0)

    @property
    def total_pusd(self) -> int:
        """Everything that was ever booked, in picodollars."""
        with self._lock:
            return sum(amount for (_, workspace, _, _), amount in self._spent.items() if workspace is None)

    def forget_before(self, at: datetime) -> int:
        """Drop entries sent before *at*, tell how many; sums per month stay."""
        with self._lock:
            first = bisect.bisect_left(self._keys, (at, 0))
            self._drop(first)
            return first

    def _drop(self, count: int) -> None:
        del self._keys[:count], self._entries[:count]
        self.forgotten += count

    def __repr__(self) -> str:
        return f"<Books: {len(self) + self.forgotten} requests, {money.usd_text(self.total_pusd)} USD>"

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        with self._lock:
            return iter(tuple(self._entries))
