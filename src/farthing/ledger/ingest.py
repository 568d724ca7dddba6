"""
Journals into a DuckDB ledger.

A batch of records, what they leave unsettled, and the offset they end at go in in one transaction. A crash at any point
therefore leaves a ledger that knows exactly what it has read, and reading on is all that recovery needs.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING

import msgspec

from farthing.errors import ErrorRecord, LedgerFault
from farthing.ledger.gathering import Told, careful, stretches
from farthing.ledger.interface import Begun, Ingested
from farthing.ledger.journal import Seen
from farthing.ledger.merge import Tally
from farthing.ledger.posting import Unkept
from farthing.ledger.prompt_tables import insert_runs
from farthing.ledger.staging import naive
from farthing.ledger.store import transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    import duckdb

    Post = Callable[[Told, Tally], None]

_BATCH_BYTES = 32 * 2**20
"""About so much goes in in one transaction: what it costs besides is spread over many calls."""


class _Ingest:
    """One ``ingest`` on its way."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, post: Post) -> None:
        self.connection = connection
        self.post = post
        self.tally = Tally()
        self.recovered = Tally()
        self.errors: list[ErrorRecord] = []

    def read(self, path: Path) -> None:
        read_to = self._read_to(path.name)
        size = path.stat().st_size if path.exists() else 0
        if size < read_to:
            what = f"it has {size:,} bytes but {read_to:,} were read before: it was replaced or cut; nothing was read"
            self.errors.append(ErrorRecord(source=path.name, error=what))
            return
        coming = stretches(path, read_to, _BATCH_BYTES)
        for told in _ahead(coming) if size - read_to > _BATCH_BYTES else coming:
            with told:
                try:
                    self._settle(path, told)
                except Unkept:
                    with careful(path, told.start, told.end) as again:
                        self._settle(path, again)

    def _settle(self, path: Path, told: Told) -> None:
        """What was told, in one transaction."""
        with transaction(self.connection):
            if self._read_to(path.name) != told.start:
                raise LedgerFault(f"the journal {path} is read into the ledger by somebody else too; let one do it")
            insert_runs(self.connection, told.runs)
            if told.calls.count:
                self.post(told, self.tally)
            # A row of what was seen is made anew, for the line of its beginning may be damaged.
            self._forget(path.name, [*told.settled_later, *told.seen])
            self._note_unsettled(path.name, told)
            self._remember(path.name, told.end)
        self.errors += told.errors

    def _note_unsettled(self, name: str, told: Told) -> None:
        rows: list[tuple[str, datetime, str, str | None]] = [
            (one.entry, naive(one.began_at), one.model, None)
            for one in told.begun.values()
            if one.entry not in told.seen
        ]
        for entry, seen in told.seen.items():
            call = seen.stored.call
            rows.append((entry, naive(call.sent_at), call.served.model, msgspec.json.encode(seen).decode()))
        if rows:
            self.connection.execute(
                "INSERT INTO unsettled "
                "SELECT ?, unnest(?::VARCHAR[]), unnest(?::TIMESTAMP[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[])",
                [name, *map(list, zip(*rows, strict=True))],
            )

    def _forget(self, name: str, entries: list[str]) -> None:
        if entries:
            self.connection.execute(
                "DELETE FROM unsettled WHERE journal_id = ? AND entry IN (SELECT unnest(?::VARCHAR[]))", [name, entries]
            )

    def recover(self, name: str) -> None:
        """Post what a journal whose writer is gone saw of calls that have no outcome."""
        query = "SELECT entry, seen FROM unsettled WHERE journal_id = ? AND seen IS NOT NULL ORDER BY began_at, entry"
        found = self.connection.execute(query, [name]).fetchall()
        if not found:
            return
        with Told(name, 0, is_careful=True) as told:
            for _, seen in found:
                told.gather(msgspec.json.decode(seen, type=Seen))
            with transaction(self.connection):
                if told.calls.count:
                    self.post(told, self.recovered)
                self._forget(name, [entry for entry, _ in found])
        self.errors += told.errors

    def _read_to(self, name: str) -> int:
        row = self.connection.execute("SELECT read_to FROM journals WHERE journal_id = ?", [name]).fetchone()
        return int(row[0]) if row else 0

    def _remember(self, name: str, read_to: int) -> None:
        query = "INSERT INTO journals VALUES (?, ?) ON CONFLICT (journal_id) DO UPDATE SET read_to = excluded.read_to"
        self.connection.execute(query, [name, read_to])


def _ahead(coming: Iterator[Told]) -> Iterator[Told]:
    """The same, each made ready by a thread of its own while DuckDB takes the one before it."""
    with ThreadPoolExecutor(1) as thread:
        following: Future[Told | None] = thread.submit(next, coming, None)
        try:
            while told := following.result():
                following = thread.submit(next, coming, None)
                yield told
        finally:
            with suppress(LedgerFault):
                if left := following.result():
                    left.calls.close()


def ingest(
    connection: duckdb.DuckDBPyConnection, journals: Sequence[Path], post: Post, gone: Collection[Path] = ()
) -> Ingested:
    """Post what is new in *journals*; see :meth:`farthing.ledger.duckdb.DuckDBLedger.ingest`."""
    names = [path.name for path in journals]
    if len(set(names)) != len(names):
        raise LedgerFault("two of the journals have the same name; each must have a name of its own")
    work = _Ingest(connection, post)
    for path in journals:
        work.read(path)
        if path in gone:
            work.recover(path.name)
    return Ingested(
        added=work.tally.added(),
        recovered=work.recovered.added(),
        errors=tuple(work.errors),
        unsettled=tuple(unsettled(connection)),
    )


def unsettled(connection: duckdb.DuckDBPyConnection) -> list[Begun]:
    """Calls that began and have no outcome yet, oldest first."""
    found = connection.execute("SELECT entry, began_at, model FROM unsettled ORDER BY began_at, entry").fetchall()
    return [Begun(entry, began_at.replace(tzinfo=UTC), model) for entry, began_at, model in found]
