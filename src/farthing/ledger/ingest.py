"""
Journals into a DuckDB ledger.

A batch of records, what they leave unsettled, and the offset they end at go in in one transaction. A crash at any point
therefore leaves a ledger that knows exactly what it has read, and reading on is all that recovery needs.
"""

from __future__ import annotations

from datetime import UTC
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from farthing.errors import ErrorRecord, LedgerFault
from farthing.ledger import journal
from farthing.ledger.interface import Begun, Ingested, Stored
from farthing.ledger.journal import Seen, Settled
from farthing.ledger.merge import Tally, checked
from farthing.ledger.prompt_tables import insert_runs, packed_request
from farthing.ledger.staging import naive
from farthing.ledger.store import transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    import duckdb

    from farthing.ledger.prompt_runs import Run

    Post = Callable[[Iterable[Stored], Tally], None]

_BATCH = 20_000


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
        lines = journal.read(path, read_to)
        while batch := list(islice(lines, _BATCH)):
            with transaction(self.connection):
                self._settle(path.name, batch)
                self._remember(path.name, batch[-1].end)

    def _settle(self, name: str, batch: Sequence[journal.Read]) -> None:
        begun: dict[str, Begun] = {}
        seen: dict[str, Seen] = {}
        settled: list[str] = []
        calls: list[Stored] = []
        runs: list[Run] = []
        for record, error, _ in batch:
            if error is not None:
                self.errors.append(error)
            if isinstance(record, Begun):
                begun[record.entry] = record
            elif isinstance(record, Seen):
                seen[record.entry] = record
            elif isinstance(record, Settled):
                begun.pop(record.entry, None)
                seen.pop(record.entry, None)
                settled.append(record.entry)
                calls += self._usable(name, record)
            if isinstance(record, Seen | Settled) and record.prompt is not None:
                runs += record.prompt.runs
        insert_runs(self.connection, runs)
        self.post(calls, self.tally)
        self.connection.execute(
            "DELETE FROM unsettled WHERE journal_id = ? AND entry IN (SELECT unnest(?::VARCHAR[]))", [name, settled]
        )
        for one in begun.values():
            row = [name, one.entry, naive(one.began_at), one.model]
            self.connection.execute("INSERT INTO unsettled VALUES (?, ?, ?, ?, NULL)", row)
        for entry, record in seen.items():
            call = record.stored.call  # the row is made anew, for the line of its beginning may be damaged
            row = [name, entry, naive(call.sent_at), call.served.model, msgspec.json.encode(record).decode()]
            self.connection.execute("DELETE FROM unsettled WHERE journal_id = ? AND entry = ?", [name, entry])
            self.connection.execute("INSERT INTO unsettled VALUES (?, ?, ?, ?, ?)", row)

    def recover(self, name: str) -> None:
        """Post what a journal whose writer is gone saw of calls that have no outcome."""
        query = "SELECT entry, seen FROM unsettled WHERE journal_id = ? AND seen IS NOT NULL ORDER BY began_at, entry"
        found = self.connection.execute(query, [name]).fetchall()
        if not found:
            return
        records = [msgspec.json.decode(seen, type=Seen) for _, seen in found]
        calls = [stored for record in records for stored in self._usable(name, record)]
        with transaction(self.connection):
            self.post(calls, self.recovered)
            self.connection.execute(
                "DELETE FROM unsettled WHERE journal_id = ? AND entry IN (SELECT unnest(?::VARCHAR[]))",
                [name, [entry for entry, _ in found]],
            )

    def _usable(self, name: str, record: Seen | Settled) -> list[Stored]:
        stored = record.stored
        if stored is None:
            return []
        if record.prompt is not None and stored.call.request is not None:
            request = packed_request(stored.call.request, record.prompt)
            stored = Stored(msgspec.structs.replace(stored.call, request=request), stored.posting)
        try:
            return [checked(stored)]
        except LedgerFault as fault:
            self.errors.append(ErrorRecord(source=name, error=str(fault)))
            return []

    def _read_to(self, name: str) -> int:
        row = self.connection.execute("SELECT read_to FROM journals WHERE journal_id = ?", [name]).fetchone()
        return int(row[0]) if row else 0

    def _remember(self, name: str, read_to: int) -> None:
        self.connection.execute("DELETE FROM journals WHERE journal_id = ?", [name])
        self.connection.execute("INSERT INTO journals VALUES (?, ?)", [name, read_to])


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
