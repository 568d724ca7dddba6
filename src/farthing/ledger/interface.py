"""
What a ledger is: append calls once, ask for sums, correct prices in the open.

Every engine keeps the same promises and passes one shared test suite. A query is a value, so that it can be built,
printed and tested without an engine.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import msgspec

from farthing.call import Call, Usage
from farthing.errors import ErrorRecord
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from farthing.prices.bill import Bill
    from farthing.prices.book import PriceBook

    Contract = Callable[[Call, Bill], int | None]

Bucket = Literal["hour", "day", "week", "month"]

FACTS = ("model", "channel", "service_tier", "speed", "inference_geo", "source", "stop_reason", "kind")
"""
What a report can group and filter by besides :data:`farthing.call.DIMENSIONS` and tags (``tag:NAME``).

``kind`` is the posting's: how sure the *price* of a call is, which is never surer than its counts (``served.kind``).
"""

PARTS_OF_TIME = ("hour_of_day", "weekday")
"""Time-of-day views: 0-23 and 0 (Monday) - 6, in the query's time zone."""


class Posting(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """
    What a bill comes to, as the ledger keeps it.

    Attributes:
        list_pusd: Exact list price in picodollars; None: unpriced, or only bounded.
        low_pusd: Bounds; both equal ``list_pusd`` where that is known; None where not even bounds are.
        high_pusd: As ``low_pusd``.
        contract_pusd: Price under the contract in force; None where there is no contract or it gives no exact price.
        kind: How the figure came to be.
        unpriced: Why there is no exact price; empty where there is one.
        book_version: The price book that posted it.

    """

    list_pusd: int | None
    low_pusd: int | None
    high_pusd: int | None
    contract_pusd: int | None = None
    kind: Kind = Kind.MEASURED
    unpriced: tuple[str, ...] = ()
    book_version: str = ""

    @classmethod
    def of(cls, bill: Bill, contract_pusd: int | None = None) -> Posting:
        """The posting of a bill."""
        return cls(
            list_pusd=bill.list_pusd,
            low_pusd=bill.low_pusd,
            high_pusd=bill.high_pusd,
            contract_pusd=contract_pusd,
            kind=bill.kind,
            unpriced=bill.unpriced,
            book_version=bill.book_version,
        )


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A call and what it was posted at."""

    call: Call
    posting: Posting


class Added(msgspec.Struct, frozen=True):
    """
    What an ``add`` did. The three counts sum to the calls it was given.

    Attributes:
        new: Calls the ledger did not have.
        known: Calls it had already, unchanged or better known than now.
        improved: Calls it had and now knows better (a stream's final counts after a placeholder, say).

    """

    new: int
    known: int
    improved: int


class Query(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    One question for sums.

    Attributes:
        by: Dimensions to group by: any of :data:`farthing.call.DIMENSIONS`, :data:`FACTS`, :data:`PARTS_OF_TIME` or
            ``tag:NAME``; empty: one row of totals.
        bucket: Time bucket in *timezone*, or None for none.
        since: First instant, inclusive, aware; None: from the beginning.
        until: First instant no longer in, aware; None: to the end.
        where: Per dimension the values to keep; the empty string stands for "not set".
        timezone: IANA name; UTC is billing truth.
        limit: Keep the dearest this many keys, judged by their list price over all time buckets, and sum the others
            into one row (per bucket) whose keys are ``other``; None: all. That row is in its place by its amount, like
            any other, and a group whose own keys are ``other`` is summed into it.
        others: Whether there is such a row; without it the calls beyond the limit are left out, which is quicker.

    """

    by: tuple[str, ...] = ()
    bucket: Bucket | None = None
    since: datetime | None = None
    until: datetime | None = None
    where: dict[str, tuple[str, ...]] = {}
    timezone: str = "UTC"
    limit: int | None = None
    others: bool = True


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """
    Sums over one group of calls.

    Attributes:
        key: A value per dimension of the query, in its order; None where a call has none.
        start: Start of the time bucket, aware, in the query's time zone; None without a bucket.
        calls: How many calls; unpriced_calls: of them, how many have no exact price.
        usage: Summed counts, over main and extra passes.
        list_pusd: Exact sum over the priced calls: a lower bound of the truth wherever ``unpriced_calls`` > 0.
        low_pusd: Sum of lower bounds, 0 for calls without one; high_pusd: sum of upper bounds, or None where a call
            has none.
        contract_pusd: Sum under contract, at list where a call has no contract price.
        kind: The weakest kind among the calls' postings: one assumed price makes the sum an assumed one.

    """

    key: tuple[str | None, ...]
    start: datetime | None
    calls: int
    unpriced_calls: int
    usage: Usage
    list_pusd: int
    low_pusd: int
    high_pusd: int | None
    contract_pusd: int
    kind: Kind


class Hour(msgspec.Struct, frozen=True, gc=False):
    """
    One hour's calls.

    Attributes:
        start: Aware, UTC.
        calls: How many, at least one.
        list_pusd: As in :class:`Row`; contract_pusd: likewise.

    """

    start: datetime
    calls: int
    list_pusd: int
    contract_pusd: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """
    Before and after of one model in a re-pricing, over its calls in range.

    Attributes:
        model: Id as reported.
        calls: How many; changed_calls: of them, how many have another posting.
        before_pusd: Sum at list; after_pusd: likewise. Calls without an exact price are counted instead of summed.
        before_unpriced: How many those are; after_unpriced: likewise.
        before_contract_pusd: Sum under contract, at list where a call has no contract price; after_contract_pusd:
            likewise. None only for corrections that were made before farthing kept these.

    """

    model: str
    calls: int
    changed_calls: int
    before_pusd: int
    after_pusd: int
    before_unpriced: int
    after_unpriced: int
    before_contract_pusd: int | None = None
    after_contract_pusd: int | None = None


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """
    One re-pricing: explicit, journalled, reversible.

    Attributes:
        correction_id: Its number, ascending from 1; None for a preview, which changed nothing.
        made_at: When; aware, UTC.
        reason: Why, in the user's words.
        book_version: The book it priced with.
        changes: Per model, only models with calls in range.
        reverted: Whether it was taken back.

    """

    correction_id: int | None
    made_at: datetime
    reason: str
    book_version: str
    changes: tuple[Change, ...]
    reverted: bool = False


class Reserved(NamedTuple):
    """
    What a call holds of one account of a budget while it has no outcome (:mod:`farthing.limits`).

    Attributes:
        budget, value, start_s, meter: Which account.
        pusd: How much, as decimal digits: a number in JSON ends at 64 bits for some readers.

    """

    budget: str
    value: str
    start_s: int
    meter: str
    pusd: str


class Begun(msgspec.Struct, frozen=True, gc=False, tag_field="is", tag="begun", omit_defaults=True):
    """
    A call is about to be sent. *entry* names it within this journal; *model* is what was asked for.

    *holds* is what it reserved; a ledger keeps none of it.
    """

    entry: str
    began_at: datetime
    model: str
    holds: tuple[Reserved, ...] = ()


class Ingested(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an ``ingest`` did.

    Attributes:
        added: Calls posted. recovered: likewise, of those whose writer was killed while their answer was coming.
        errors: Lines that were damaged or hold what no ledger can keep; everything else was posted.
        unsettled: Calls that began in any journal ingested so far and have no outcome there yet, oldest first.

    """

    added: Added
    errors: tuple[ErrorRecord, ...]
    unsettled: tuple[Begun, ...]
    recovered: Added = Added(new=0, known=0, improved=0)


class JournalOwner(Protocol):
    """An engine that gateways' journals are read into: the one process that owns a ledger file."""

    def ingest(self, journals: Sequence[Path], gone: Collection[Path] = ()) -> Ingested:
        """
        Post what is new in some journals, and remember in the same transaction how far each was read.

        Safe to repeat at any time, also after a crash: nothing is lost or doubled.

        Args:
            journals: Files to read on in.
            gone: Those of them whose writer is known, from before this call, to be gone. What such a journal *saw* of
                calls that have no outcome is posted: their input is known, of their output the least it can be.

        Raises:
            LedgerFault: A journal cannot be read or was written by a newer farthing; what came before it is posted.

        """
        ...

    def unsettled(self) -> list[Begun]:
        """Calls that began in an ingested journal and have no outcome there yet, oldest first."""
        ...


class Ledger(Protocol):
    """An engine that keeps calls. Safe for one process; close it or use it as a context manager."""

    def add(self, calls: Iterable[Stored]) -> Added:
        """
        Post calls, each once: idempotent by ``call_id``.

        A call without a request id matches one with the same message id. Of two records of one call the better known
        one is kept (:func:`farthing.ledger.merge.merged`), with the dimensions and tags of both. Text that is not
        valid Unicode is mended (:mod:`farthing.ledger.text`). Rollups are written in the same transaction.

        Raises:
            LedgerFault: Nothing was written.

        """
        ...

    def get(self, call_id: str) -> Stored | None:
        """One call by its id, by its message id or by its request id; None where there is none."""
        ...

    def calls(self, query: Query) -> Iterator[Stored]:
        """The calls in a query's range and filters, by time then id; ``by``, ``bucket`` and ``limit`` do not matter."""
        ...

    def latest(self, query: Query, number: int, skip: int = 0) -> list[Stored]:
        """At most *number* calls in a query's range and filters from the latest back, without the first *skip* ones."""
        ...

    def hours(self, query: Query) -> list[Hour]:
        """The hours of UTC with calls in a query's range and filters, in order: quicker than a report by the hour."""
        ...

    def dearest(self, query: Query, names: Sequence[str], number: int) -> dict[str, list[str | None]]:
        """Per dimension its *number* dearest values in a query's range and filters, the dearest first."""
        ...

    def report(self, query: Query) -> list[Row]:
        """
        Sums, ordered by time bucket, then dearest first, then key.

        Raises:
            BadInput: A dimension or time zone does not exist.

        """
        ...

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
        """
        Price every call in range again at *book*'s rates; with *preview* only say what would change.

        Only calls whose posting changes are posted anew, and only they carry *book*'s version from then on: a call
        whose price comes out the same keeps the version that posted it first.

        Args:
            book: What to price with.
            reason: Why, in the user's words; kept with the correction.
            made_at: Now; aware.
            since: First instant, inclusive, aware; None: from the beginning.
            until: First instant no longer in, aware; None: to the end.
            preview: Change nothing.
            contract: A call and its bill at *book*'s rates to its price under contract in picodollars, or None where it
                has none; the contract price of every call in range is posted anew. It must be a pure function. Without
                it contract prices stay as they are. Each call then goes through Python: about 15,000 calls a second.

        Raises:
            BadInput: A time has no time zone.

        """
        ...

    def revert(self, correction_id: int) -> Correction:
        """
        Take the latest correction back: every call has its former posting again.

        Raises:
            BadInput: No such correction, reverted already, or not the latest standing one.

        """
        ...

    def corrections(self) -> list[Correction]:
        """Every correction, oldest first."""
        ...

    def close(self) -> None:
        """Release files; further use raises :class:`~farthing.errors.LedgerFault`."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
