"""
The embedded ledger: one DuckDB file, one writing process.

Every change is one transaction with its rollup, so pages can read hourly sums instead of calls and never disagree with
them. How calls are posted is in ``posting``, how they are priced again in ``reprice``, how journals come in in
``ingest``.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain, islice
from threading import RLock
from typing import TYPE_CHECKING

import duckdb
import msgspec

from farthing.errors import LedgerFault
from farthing.ledger import corrections, outcome_tables, price_groups, question, reprice, rollup, rows, spending, sums
from farthing.ledger.asking import Asked, within_years
from farthing.ledger.ingest import ingest, unsettled
from farthing.ledger.interface import Added, Correction, Hour, Query, Row, Stored
from farthing.ledger.merge import Tally, checked
from farthing.ledger.posting import post, post_written
from farthing.ledger.staging import id_key
from farthing.ledger.store import faults, open_file, sql, transaction
from farthing.ledger.text import valid_text
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from farthing.ledger.gathering import Told
    from farthing.ledger.interface import Begun, Contract, Ingested
    from farthing.ledger.outcome import Basis, Outcome, OutcomesAdded, Replaced, Share, Tail, Tenants
    from farthing.ledger.price_groups import Group, Split
    from farthing.prices.book import PriceBook

_CHUNK = 50_000
_FEW = 20
_BY_KEY = {
    "call_id": "SELECT call_no FROM calls WHERE call_key = $value",
    "message_id": "SELECT call_no FROM calls WHERE message_key = $value",
}


class DuckDBLedger:
    """
    A :class:`farthing.ledger.interface.Ledger` and :class:`~farthing.ledger.interface.JournalOwner` in a file.

    It is a :class:`~farthing.ledger.outcome.OutcomeStore` as well.

    Args:
        path: The file; made if it is not there.
        memory_mb_max: What DuckDB may use before it works on disk, beside the file.

    Raises:
        LedgerFault: It cannot be opened; the message says why and what to do.

    """

    def __init__(self, path: Path, *, memory_mb_max: int = 2_000) -> None:
        self.path = path
        self._lock = RLock()
        self._connection: duckdb.DuckDBPyConnection | None = open_file(path, memory_mb_max)
        self._next_no = 1 + self._number("SELECT coalesce(max(call_no), 0) FROM calls")
        with self._using() as connection:
            reprice.recover(connection)

    def add(self, calls: Iterable[Stored]) -> Added:
        """See :meth:`farthing.ledger.interface.Ledger.add`."""
        tally = Tally()
        with self._using() as connection:
            with transaction(connection):
                self._post(map(checked, calls), tally)
            rollup.tidy(connection)
        return tally.added()

    def ingest(self, journals: Sequence[Path], gone: Collection[Path] = ()) -> Ingested:
        """See :meth:`farthing.ledger.interface.JournalOwner.ingest`."""
        with self._using() as connection:
            done = ingest(connection, journals, self._post_written, gone)
            rollup.tidy(connection)
            return done

    def unsettled(self) -> list[Begun]:
        """See :meth:`farthing.ledger.interface.JournalOwner.unsettled`."""
        with self._using() as connection:
            return unsettled(connection)

    def read_to(self) -> dict[str, int]:
        """How far each journal was read: bytes, by the file's name. Journals that are gone may be among them."""
        with self._using() as connection:
            return dict(connection.execute("SELECT journal_id, read_to FROM journals").fetchall())

    def get(self, call_id: str) -> Stored | None:
        """See :meth:`farthing.ledger.interface.Ledger.get`."""
        call_id = valid_text(call_id)
        with self._using() as connection:
            # By narrow columns first: few calls have the same key, and only theirs are read whole.
            for name in ("call_id", "message_id", "request_id"):
                text = sql("by_request") if name == "request_id" else _BY_KEY[name]
                found = connection.execute(text, {"value": call_id if name == "request_id" else id_key(call_id)})
                for stored in _read(connection, [row[0] for row in found.fetchall()]):
                    if call_id == (stored.call.call_id if name == "call_id" else getattr(stored.call.served, name)):
                        return stored
        return None

    def calls(self, query: Query) -> Iterator[Stored]:
        """See :meth:`farthing.ledger.interface.Ledger.calls`."""
        asked = self._asked(query)
        with self._using() as connection:
            # A cursor of its own: the caller may use the ledger while it takes the calls one by one.
            cursor = connection.cursor()
            conditions = asked.conditions()
            blocks = connection.cursor()
            found = rows.read(cursor, conditions, asked.parameters, "sent_at, call_id", prompts=blocks)
            first = list(islice(found, 1))
        return (stored for _, stored in chain(first, found))

    def latest(self, query: Query, number: int, skip: int = 0) -> list[Stored]:
        """See :meth:`farthing.ledger.interface.Ledger.latest`."""
        asked = self._asked(query)
        with self._using() as connection:
            places = {"number": number, "skip": skip}
            text = sql("latest").replace("{conditions}", asked.conditions())
            numbers = [row[0] for row in connection.execute(text, asked.parameters | places).fetchall()]
            return rows.numbered(connection, numbers, "sent_at DESC, call_id DESC")

    def hours(self, query: Query) -> list[Hour]:
        """See :meth:`farthing.ledger.interface.Ledger.hours`."""
        plain = msgspec.structs.replace(query, by=(), bucket=None, limit=None)
        asked = self._asked(plain)
        with self._using() as connection:
            text = sql("hours").replace("{conditions}", asked.conditions())
            text = text.replace("{relation}", asked.hours())
            found = connection.execute(text, asked.parameters).fetchall()
        return [Hour(start.replace(tzinfo=UTC), *sums_of_it) for start, *sums_of_it in found]

    def dearest(self, query: Query, names: Sequence[str], number: int) -> dict[str, list[str | None]]:
        """See :meth:`farthing.ledger.interface.Ledger.dearest`."""
        plain = msgspec.structs.replace(query, by=tuple(names), bucket=None, limit=None)
        asked = self._asked(plain)
        with self._using() as connection:
            found = connection.execute(asked.dearest(number), asked.parameters).fetchall()
        return {name: [value for place, value in found if place == at] for at, name in enumerate(names)}

    def report(self, query: Query) -> list[Row]:
        """See :meth:`farthing.ledger.interface.Ledger.report`."""
        return self._report(query, None)

    def price_groups(self, query: Query, split: Split) -> list[Group]:
        """See :meth:`farthing.ledger.price_groups.Grouping.price_groups`."""
        with self._using() as connection:
            return price_groups.groups(connection, self._asked(query), split)

    def special_calls(self, query: Query, split: Split) -> Iterator[Stored]:
        """See :meth:`farthing.ledger.price_groups.Grouping.special_calls`."""
        with self._using() as connection:
            return price_groups.specials(connection.cursor(), self._asked(query), split)

    def spending(self, query: Query, wanted: spending.Wanted) -> list[spending.Spending]:
        """What calls of the query's range and filters cost, summed as is *wanted*."""
        asked = self._asked(query)
        with self._using() as connection:
            return spending.spending(connection, asked, wanted)

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
        made_at = corrections.utc(made_at)
        asked = Query(since=since, until=until)
        question.check(asked)
        asked = within_years(asked)
        with self._using() as connection:
            with transaction(connection):
                changes = reprice.price_again(connection, book, (asked.since, asked.until), contract)
            number = None if preview else 1 + self._number("SELECT coalesce(max(correction_id), 0) FROM corrections")
            made = corrections.correction(number, made_at, reason, book.version, changes)
            if not preview:
                with self._all_or_nothing(connection):
                    reprice.write(connection, made)
            return made

    def revert(self, correction_id: int) -> Correction:
        """See :meth:`farthing.ledger.interface.Ledger.revert`."""
        with self._using() as connection:
            corrections.standing(reprice.all_made(connection), correction_id)
            with self._all_or_nothing(connection):
                reprice.take_back(connection, correction_id)
            return next(c for c in reprice.all_made(connection) if c.correction_id == correction_id)

    def corrections(self) -> list[Correction]:
        """See :meth:`farthing.ledger.interface.Ledger.corrections`."""
        with self._using() as connection:
            return reprice.all_made(connection)

    def add_outcomes(self, outcomes: Iterable[Outcome], *, received_at: datetime) -> OutcomesAdded:
        """See :meth:`farthing.ledger.outcome.OutcomeStore.add_outcomes`."""
        with self._using() as connection, transaction(connection):
            return outcome_tables.add(connection, outcomes, received_at)

    def outcomes(self, tenants: Tenants = None) -> list[Outcome]:
        """See :meth:`farthing.ledger.outcome.OutcomeStore.outcomes`."""
        with self._using() as connection:
            return outcome_tables.read(connection, tenants)

    def outcome_count(self, tenants: Tenants = None) -> int:
        """See :meth:`farthing.ledger.outcome.OutcomeStore.outcome_count`."""
        with self._using() as connection:
            return outcome_tables.count(connection, tenants)

    def outcome(self, outcome_id: str) -> tuple[Outcome, tuple[Replaced, ...]] | None:
        """See :meth:`farthing.ledger.outcome.OutcomeReader.outcome`."""
        with self._using() as connection:
            return outcome_tables.get(connection, outcome_id)

    def shares(self, query: Query, basis: Basis = "list", tenants: Tenants = None) -> list[Share]:
        """See :meth:`farthing.ledger.outcome.OutcomeStore.shares`."""
        asked = self._asked(query)
        with self._using() as connection:
            return outcome_tables.shares(connection, asked, basis, tenants)

    def tail(self, query: Query, basis: Basis = "list") -> Tail:
        """See :meth:`farthing.ledger.outcome.OutcomeReader.tail`."""
        asked = self._asked(query)
        with self._using() as connection:
            return outcome_tables.tail(connection, asked, basis)

    def close(self) -> None:
        """See :meth:`farthing.ledger.interface.Ledger.close`."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _report(self, query: Query, relation: str | None) -> list[Row]:
        """A report over one table of sums or ``measures``; None: what is quickest."""
        asked = self._asked(query)
        with self._using() as connection:
            text = asked.report(relation or asked.relation())
            found = connection.execute(text, asked.parameters).fetchall()
        kind_at = 3 + len(query.by)
        groups = [
            sums.Group(asked.start(row[2]), row[3:kind_at], Kind(row[kind_at]), row[kind_at + 1 :]) for row in found
        ]
        # The query summed what the limit leaves out, before a quarter of a million groups could come here.
        return sums.rows(groups, msgspec.structs.replace(query, limit=None), asked.zone)

    def _post(self, calls: Iterable[Stored], tally: Tally) -> None:
        """Post calls that were checked, within the caller's transaction."""
        with self._using() as connection:
            rest = iter(calls)
            while chunk := list(islice(rest, _CHUNK)):
                post(connection, chunk, self._next_no, tally)
                self._next_no += len(chunk)

    def _post_written(self, told: Told, tally: Tally) -> None:
        """The same for what was read of a journal."""
        with self._using() as connection:
            post_written(connection, told, self._next_no, tally)
            self._next_no += told.calls.count

    @contextmanager
    def _all_or_nothing(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """A correction or revert of several transactions: where one fails, recover now or on the next opening."""
        try:
            yield
        except BaseException:
            try:
                reprice.recover(connection)
            except duckdb.Error:
                self.close()
            raise
        rollup.tidy(connection)

    def _asked(self, query: Query) -> Asked:
        return Asked(query, question.check(query), lambda: self._span(query))

    def _span(self, query: Query) -> tuple[datetime, datetime]:
        """First and last instant that a query can be about."""
        ends = self._ends()
        if ends is None:
            return datetime.min.replace(year=2000, tzinfo=UTC), datetime.min.replace(year=2000, tzinfo=UTC)
        asked, (first, last) = within_years(query), ends
        first = max(first, asked.since or first)
        return first, max(first, min(last, asked.until or last))

    def _ends(self) -> tuple[datetime, datetime] | None:
        """When the first call was sent, and the last; None: there is none."""
        with self._using() as connection:
            row = connection.execute("SELECT min(sent_at), max(sent_at) FROM calls").fetchone()
        assert row is not None
        return None if row[0] is None else (row[0].replace(tzinfo=UTC), row[1].replace(tzinfo=UTC))

    def _number(self, query: str) -> int:
        with self._using() as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    @contextmanager
    def _using(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The open connection, for one thread at a time."""
        with self._lock:
            if self._connection is None:
                raise LedgerFault(f"the ledger {self.path} is closed; open it again")
            with faults(self.path):
                yield self._connection


def _read(connection: duckdb.DuckDBPyConnection, numbers: list[int]) -> list[Stored]:
    """Records in order of time. Calls that share a key by chance are far apart, so a few are read one by one."""
    parts = [[number] for number in numbers] if len(numbers) <= _FEW else [numbers]
    found = [stored for part in parts for stored in rows.numbered(connection, part, "sent_at, call_id")]
    return sorted(found, key=lambda stored: (stored.call.sent_at, stored.call.call_id))
