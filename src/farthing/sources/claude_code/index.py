"""
The index: one SQLite file that makes a second scan cheap, and that remembers.

Unchanged files are not opened again. What was seen once stays counted, although Claude Code deletes transcripts after
30 days; :meth:`Index.forget` drops it.

For each file the index holds how far it was read, what it shows, and the buckets of the calls it owns. A call shown by
several files is owned by one of them, which only a look at all of them can tell: such files are *dirty* until their
buckets are computed together. Each commit is one transaction that merges into what the index holds *then*, and merging
is commutative and idempotent: a scan that is killed loses only what it had not committed, and two processes may scan at
once, at worst reading a file twice.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from farthing.errors import LedgerFault
from farthing.sources.claude_code.buckets import QUARTER_US, Bucket
from farthing.sources.claude_code.entries import owned_of
from farthing.sources.claude_code.shown import FileState, Shown, calls_owned, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from farthing.sources.claude_code.entries import Entry
    from farthing.sources.claude_code.sighting import Key, Origin, Sighting

SCHEMA_VERSION = 1
"""A file of another version is built anew from the transcripts that are there."""
BUSY_TIMEOUT_S = 60
_IDS_PER_QUERY = 500
_SCHEMA = """
CREATE TABLE files (number INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, state BLOB NOT NULL);
CREATE TABLE shown (file INTEGER PRIMARY KEY, shown BLOB NOT NULL);
CREATE TABLE buckets (file INTEGER PRIMARY KEY, calls INTEGER NOT NULL, unprovable INTEGER NOT NULL,
    first_quarter INTEGER NOT NULL, last_quarter INTEGER NOT NULL, buckets BLOB NOT NULL);
CREATE TABLE messages (message_id TEXT, file INTEGER, PRIMARY KEY (message_id, file)) WITHOUT ROWID;
CREATE TABLE dirty (file INTEGER PRIMARY KEY);
"""
_TABLES = ("files", "shown", "buckets", "messages", "dirty")

_encode = msgspec.msgpack.Encoder().encode
_decode_shown = msgspec.msgpack.Decoder(Shown).decode
_decode_state = msgspec.msgpack.Decoder(FileState).decode
_decode_buckets = msgspec.msgpack.Decoder(list[Bucket]).decode


class Index:
    """
    One open index. A context manager; leave it to close the file.

    Raises:
        LedgerFault: The file cannot be opened, or is no index of ours.

    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        try:
            if self.path != ":memory:":
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise LedgerFault(
                f"cannot open the transcript index {self.path}: {error}; delete it, and the next scan builds it anew"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @property
    def is_dirty(self) -> bool:
        """Whether a scan ended before it brought the buckets up to date."""
        return self._db.execute("SELECT 1 FROM dirty LIMIT 1").fetchone() is not None

    def file_states(self) -> dict[str, FileState]:
        """What was read so far, by path."""
        return {path: _decode_state(state) for path, state in self._db.execute("SELECT path, state FROM files")}

    def commit(self, entries: Sequence[Entry], *, last: bool) -> None:
        """
        Merge *entries* into the index, in one transaction.

        Args:
            entries: Readings; see :func:`farthing.sources.claude_code.entries.entry`.
            last: Whether the scan ends here: brings the buckets up to date.

        """
        with self._transaction():
            files = self._numbered(entries)
            self._mark_dirty(self._sharing(files))
            self._write_shown(files)
            rows = [(message_id, number) for number, one in files.items() for message_id in one.message_ids]
            self._db.executemany("INSERT OR IGNORE INTO messages VALUES (?, ?)", sorted(rows))
            if last:
                self._settle()

    def buckets(self, since_us: int | None = None, until_us: int | None = None) -> Iterator[Bucket]:
        """Buckets that begin in ``[since, until)``; in no order."""
        low, high = _quarters(since_us, until_us)
        rows = self._db.execute(
            "SELECT buckets, first_quarter >= ?1 AND last_quarter < ?2 FROM buckets "
            "WHERE calls AND last_quarter >= ?1 AND first_quarter < ?2",
            (low, high),
        )
        for blob, whole in rows:
            for bucket in _decode_buckets(blob):
                if whole or low <= bucket.quarter < high:
                    yield bucket

    def calls(self, since_us: int, until_us: int) -> list[tuple[Key, Sighting, Origin]]:
        """Calls sent in ``[since, until)``, in order of time."""
        low, high = since_us // QUARTER_US, -(-until_us // QUARTER_US)
        files = self._db.execute(
            "SELECT file FROM buckets WHERE calls AND last_quarter >= ? AND first_quarter < ?", (low, high)
        ).fetchall()
        found: list[tuple[Key, Sighting, Origin]] = []
        for (file,) in files:
            calls, origins = self._calls_of(file)
            found += [
                (key, sighting, origins[sighting.origin])
                for key, sighting in calls
                if since_us <= sighting.sent_us < until_us
            ]
        return sorted(found, key=lambda call: (call[1].sent_us, call[0]))

    def span_us(self) -> tuple[int, int] | None:
        """First and last moment of the quarter-hours that hold calls; None where there are none."""
        low, high = self._db.execute("SELECT min(first_quarter), max(last_quarter) FROM buckets WHERE calls").fetchone()
        return None if low is None else (low * QUARTER_US, (high + 1) * QUARTER_US)

    def totals(self) -> tuple[int, int]:
        """Calls, and those among them whose output is unprovable."""
        calls, unprovable = self._db.execute("SELECT sum(calls), sum(unprovable) FROM buckets").fetchone()
        return calls or 0, unprovable or 0

    def forget(self, paths: Iterable[str]) -> None:
        """Count no more what the files at *paths* showed; what other files show of it stays."""
        with self._transaction():
            for path in paths:
                row = self._db.execute("SELECT number FROM files WHERE path = ?", (path,)).fetchone()
                if row is None:
                    continue
                self._mark_dirty(self._sharers(row[0], self._shown(row[0]) or Shown()))
                for table, column in (("files", "number"), *((name, "file") for name in _TABLES[1:])):
                    self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", row)  # noqa: S608 - our own names
            self._settle()

    def _prepare(self) -> None:
        if self._db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
            self._db.execute("PRAGMA journal_mode = WAL")
            with self._transaction():
                if self._db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
                    self._create()
        self._db.execute("PRAGMA synchronous = NORMAL")

    def _create(self) -> None:
        for table in _TABLES:
            self._db.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in _SCHEMA.split(";"):
            self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Take the write lock first, so that what is read inside is what is changed."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise LedgerFault(f"cannot write the transcript index {self.path}: {error}") from None
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _numbered(self, entries: Sequence[Entry]) -> dict[int, Entry]:
        """*entries* by the number of their file; their states are written."""
        rows = [(one.state.file.path, _encode(one.state)) for one in entries]
        self._db.executemany(
            "INSERT INTO files (path, state) VALUES (?, ?) ON CONFLICT (path) DO UPDATE SET state = excluded.state",
            rows,
        )
        numbers = dict(self._db.execute("SELECT path, number FROM files").fetchall())
        return {numbers[one.state.file.path]: one for one in entries}

    def _sharing(self, files: dict[int, Entry]) -> set[int]:
        """Files of which a message is shown by another file too, *files* being among them."""
        first: dict[str, int] = {}
        sharing: set[int] = set()
        for number, one in files.items():
            for message_id in one.message_ids:
                if (other := first.setdefault(message_id, number)) != number:
                    sharing |= {other, number}
        if self._db.execute("SELECT 1 FROM messages LIMIT 1").fetchone() is not None:
            for message_id, other in self._showing(list(first)):
                if other != first[message_id]:
                    sharing |= {other, first[message_id]}
        return sharing

    def _showing(self, message_ids: Sequence[str]) -> Iterator[tuple[str, int]]:
        """Pairs of a message and a file that shows it."""
        for some in _chunks(message_ids, _IDS_PER_QUERY):
            places = ", ".join("?" * len(some))
            query = f"SELECT message_id, file FROM messages WHERE message_id IN ({places})"  # noqa: S608 - marks only
            yield from self._db.execute(query, some)

    def _write_shown(self, files: dict[int, Entry]) -> None:
        """Add to what each file showed before; a file that showed nothing before takes its entry as it stands."""
        shown: list[tuple[int, bytes]] = []
        owned: list[tuple[Any, ...]] = []
        for number, one in files.items():
            before = self._shown(number)
            if before is None:
                shown.append((number, one.shown))
                owned.append((number, *msgspec.structs.astuple(one.owned)))
            elif one.message_ids:
                shown.append((number, _encode(joined([before, _decode_shown(one.shown)]))))
                self._mark_dirty([number])
        self._db.executemany("INSERT OR REPLACE INTO shown VALUES (?, ?)", shown)
        self._db.executemany("INSERT OR REPLACE INTO buckets VALUES (?, ?, ?, ?, ?, ?)", owned)

    def _mark_dirty(self, files: Iterable[int]) -> None:
        self._db.executemany("INSERT OR IGNORE INTO dirty VALUES (?)", [(file,) for file in files])

    def _settle(self) -> None:
        """Compute the buckets of dirty files."""
        for (file,) in self._db.execute("SELECT file FROM dirty").fetchall():
            owned = owned_of(*self._calls_of(file))
            self._db.execute(
                "INSERT OR REPLACE INTO buckets VALUES (?, ?, ?, ?, ?, ?)", (file, *msgspec.structs.astuple(owned))
            )
        self._db.execute("DELETE FROM dirty")

    def _calls_of(self, file: int) -> tuple[list[tuple[Key, Sighting]], list[Origin]]:
        (path,) = self._db.execute("SELECT path FROM files WHERE number = ?", (file,)).fetchone()
        own = self._shown(file) or Shown()
        others = [self._shown(other) or Shown() for other in self._sharers(file, own)]
        return calls_owned(path, own, others)

    def _sharers(self, file: int, own: Shown) -> list[int]:
        """Other files that show a message which *file* shows."""
        return sorted({other for _, other in self._showing(own.message_ids)} - {file})

    def _shown(self, file: int) -> Shown | None:
        row = self._db.execute("SELECT shown FROM shown WHERE file = ?", (file,)).fetchone()
        return None if row is None else _decode_shown(row[0])


def _quarters(since_us: int | None, until_us: int | None) -> tuple[int, int]:
    low = 0 if since_us is None else -(-since_us // QUARTER_US)
    return low, 2**53 if until_us is None else -(-until_us // QUARTER_US)


def _chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
