"""
Journals into a DuckDB ledger.

A batch of records, what they leave unsettled, and the offset they end at go in in one transaction. A crash at any point
therefore leaves a ledger that knows exactly what it has read, and reading on is all that recovery needs.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC
from typing import TYPE_CHECKING

import msgspec

from farthing.errors import ErrorRecord, LedgerFault
from farthing.ledger import journal
from farthing.ledger.interface import Begun, Ingested
from farthing.ledger.journal import Seen, Settled
from farthing.ledger.merge import Tally, in_range
from farthing.ledger.prompt_tables import insert_runs
from farthing.ledger.staging import Written, naive
from farthing.ledger.store import transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    import duckdb

    from farthing.ledger.journal import Opened
    from farthing.ledger.prompt_runs import Run

    Post = Callable[[Sequence[Written], Tally], None]

_BATCH_BYTES = 8 * 2**20
"""About so much goes in in one transaction: what it costs besides is spread over many calls."""


class _Told:
    """
    What a batch of records tells.

    Attributes:
        begun, seen: Of calls without an outcome in the batch, by entry.
        settled_later: Calls with an outcome whose beginning is not in the batch.
        calls: To be posted. runs: the runs of blocks of their prompts.

    """

    def __init__(self) -> None:
        self.begun: dict[str, Begun] = {}
        self.seen: dict[str, Seen] = {}
        self.settled_later: list[str] = []
        self.calls: list[Written] = []
        self.runs: list[Run] = []

    def settled(self, record: Settled) -> None:
        if self.begun.pop(record.entry, None) is None:
            self.settled_later.append(record.entry)
        if self.seen:
            self.seen.pop(record.entry, None)

    def unsettled(self, record: Begun | Seen | Opened) -> None:
        if isinstance(record, Begun):
            self.begun[record.entry] = record
        elif isinstance(record, Seen):
            self.seen[record.entry] = record
            if record.prompt is not None:
                self.runs += record.prompt.runs


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
        batches = journal.batches(path, read_to, _BATCH_BYTES)
        for batch in _ahead(batches) if size - read_to > _BATCH_BYTES else batches:
            with transaction(self.connection):
                if self._read_to(path.name) != read_to:
                    raise LedgerFault(f"the journal {path} is read into the ledger by somebody else too; let one do it")
                self._settle(path.name, batch)
                read_to = batch.end
                self._remember(path.name, read_to)

    def _settle(self, name: str, batch: journal.Batch) -> None:
        told = _Told()
        self.errors += batch.errors
        for record, body in zip(batch.records, batch.bodies, strict=True):
            if isinstance(record, Settled):
                told.settled(record)
                self._gather(told, name, record, body)
            else:
                told.unsettled(record)
        insert_runs(self.connection, told.runs)
        if told.calls:
            self.post(told.calls, self.tally)
        # A row of what was seen is made anew, for the line of its beginning may be damaged.
        self._forget(name, [*told.settled_later, *told.seen])
        self._note_unsettled(name, told)

    def _gather(self, told: _Told, name: str, record: Seen | Settled, body: bytes) -> None:
        stored = record.stored
        if record.prompt is not None:
            told.runs += record.prompt.runs
        if stored is None:
            return
        try:
            kept = in_range(stored)
        except LedgerFault as fault:
            self.errors.append(ErrorRecord(source=name, error=str(fault)))
        else:
            told.calls.append(Written(kept, record.prompt, body if kept is stored else b""))

    def _note_unsettled(self, name: str, told: _Told) -> None:
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
        told = _Told()
        for _, seen in found:
            self._gather(told, name, msgspec.json.decode(seen, type=Seen), b"")
        with transaction(self.connection):
            if told.calls:
                self.post(told.calls, self.recovered)
            self._forget(name, [entry for entry, _ in found])

    def _read_to(self, name: str) -> int:
        row = self.connection.execute("SELECT read_to FROM journals WHERE journal_id = ?", [name]).fetchone()
        return int(row[0]) if row else 0

    def _remember(self, name: str, read_to: int) -> None:
        query = "INSERT INTO journals VALUES (?, ?) ON CONFLICT (journal_id) DO UPDATE SET read_to = excluded.read_to"
        self.connection.execute(query, [name, read_to])


def _ahead(batches: Iterator[journal.Batch]) -> Iterator[journal.Batch]:
    """The same, each read by a thread of its own while DuckDB takes the one before it."""
    with ThreadPoolExecutor(1) as thread:
        coming: Future[journal.Batch | None] = thread.submit(next, batches, None)
        while batch := coming.result():
            coming = thread.submit(next, batches, None)
            yield batch


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
