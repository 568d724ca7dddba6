"""
What callers and models said, apart from the ledger: one SQLite file beside it, for all processes of one machine.

The ledger holds no text, ever. Who asks the gateway to keep bodies gets them here, by the names that calls have in the
ledger: in a file that only its owner can read, whose rows end with their days, and whose deleted pages are overwritten.
Every method is one transaction in a write-ahead log, so ``kill -9`` at any point leaves what the last one said.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from farthing.errors import LedgerFault
from farthing.ledger.sqlite import WAL, Layout, open_file, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CONTENT_NAME = "content.sqlite"
"""The store's file, beside the ledger."""
_BUSY_S = 5.0
_OLDEST = 256
"""So many rows at once go where the file is too large."""
_DAY_MS = 86_400_000

_LAYOUT = Layout(
    "the content store",
    1,
    """
CREATE TABLE content (
    gateway_call TEXT PRIMARY KEY, call_id TEXT NOT NULL, sent_at_ms INTEGER NOT NULL, tenant TEXT NOT NULL,
    model TEXT NOT NULL, mode TEXT NOT NULL, status INTEGER NOT NULL,
    request_hash TEXT, request_bytes INTEGER, request_note TEXT NOT NULL,
    answer_hash TEXT, answer_bytes INTEGER, answer_note TEXT NOT NULL,
    request BLOB, answer BLOB
);
CREATE INDEX content_by_call ON content (call_id);
CREATE INDEX content_by_time ON content (sent_at_ms);
CREATE INDEX content_by_mode ON content (mode, sent_at_ms);
""",
)
_COLUMNS = (
    "gateway_call, call_id, sent_at_ms, tenant, model, mode, status, "
    "request_hash, request_bytes, request_note, answer_hash, answer_bytes, answer_note, request, answer"
)


class Part(NamedTuple):
    """
    A request's body or an answer's.

    Attributes:
        hash: Of the whole body, keyed; None where it was not seen whole.
        length_bytes: Of the whole body, unpacked, as far as it came; None where it was not seen.
        note: Why less is kept than there was, in a few words; empty where nothing is missing.
        body: What is kept of it; None: nothing.

    """

    hash: str | None = None
    length_bytes: int | None = None
    note: str = ""
    body: bytes | None = None

    def __repr__(self) -> str:
        return f"<Part of {self.length_bytes} bytes>"  # the body is nobody's business


class Content(NamedTuple):
    """
    What is kept of one call.

    Attributes:
        gateway_call: The name that the gateway gave it.
        call_id: Its name in the ledger; the gateway's where it was not billed.
        sent_at: Aware, UTC; milliseconds.
        tenant, model: Empty where unknown.
        mode: ``hash``, ``redacted`` or ``full``.
        status: Of the answer; 0 where none is known.

    """

    gateway_call: str
    call_id: str
    sent_at: datetime
    tenant: str
    model: str
    mode: str
    status: int
    request: Part
    answer: Part


class Standing(NamedTuple):
    """
    What a store holds.

    Attributes:
        calls: Per mode. disk_bytes: pages in use, write-ahead log left out.
        oldest_at, newest_at: When calls were sent; None where there is none.

    """

    calls: dict[str, int]
    disk_bytes: int
    oldest_at: datetime | None
    newest_at: datetime | None


class ContentStore:
    """
    The store of one machine.

    Args:
        path: The file; made, for its owner alone, if it is not there.
        busy_s: How long a method waits for other processes.

    Raises:
        LedgerFault: It cannot be opened, is no such file, or was made by a newer farthing.

    """

    def __init__(self, path: Path, *, busy_s: float = _BUSY_S) -> None:
        self._path = path
        with self._faults():
            path.parent.mkdir(parents=True, exist_ok=True)
            made = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.fchmod(made, 0o600)  # SQLite gives the files beside it the same mode
            finally:
                os.close(made)
            pragmas = ("auto_vacuum = INCREMENTAL", *WAL, "secure_delete = ON")
            self._db = open_file(path, _LAYOUT, busy_s=busy_s, pragmas=pragmas)

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def add(self, rows: Sequence[Content]) -> None:
        """
        Keep what calls said, all of it or none; one that is there already is replaced.

        Raises:
            LedgerFault: It cannot be written.

        """
        packed = [_row(one) for one in rows]
        slots = ", ".join("?" * (_COLUMNS.count(",") + 1))
        with self._faults(), transaction(self._db):
            self._db.executemany(f"INSERT OR REPLACE INTO content ({_COLUMNS}) VALUES ({slots})", packed)  # noqa: S608

    def find(self, name: str) -> Content | None:
        """
        What is kept of a call; the newest of several. None: nothing.

        Args:
            name: The call's name in the ledger, or the part of it before the colon, or the gateway's name of it.

        Raises:
            LedgerFault: It cannot be read.

        """
        query = (
            f"SELECT {_COLUMNS} FROM content WHERE gateway_call = ?1 OR call_id = ?1 "  # noqa: S608
            "OR (call_id >= ?1 || ':' AND call_id < ?1 || ';') "
            "ORDER BY sent_at_ms DESC, gateway_call DESC LIMIT 1"
        )
        with self._faults():
            found = self._db.execute(query, (name,)).fetchone()
            return None if found is None else _content(found)

    def standing(self) -> Standing:
        """
        What there is.

        Raises:
            LedgerFault: It cannot be read.

        """
        query = "SELECT mode, count(*), min(sent_at_ms), max(sent_at_ms) FROM content GROUP BY mode"
        with self._faults():
            rows = self._db.execute(query).fetchall()
            oldest_at = _at(min(row[2] for row in rows)) if rows else None
            newest_at = _at(max(row[3] for row in rows)) if rows else None
            return Standing({row[0]: row[1] for row in rows}, self._disk_bytes(), oldest_at, newest_at)

    def purge(self, *, before: datetime | None = None, tenant: str | None = None) -> int:
        """
        Delete calls sent before a moment, of one tenant, or both; with neither, all. How many there were.

        Raises:
            LedgerFault: It cannot be written.

        """
        before_ms = None if before is None else _ms(before)
        condition = "(?1 IS NULL OR sent_at_ms < ?1) AND (?2 IS NULL OR tenant = ?2)"
        with self._faults():
            with transaction(self._db):
                deleted = self._db.execute(f"DELETE FROM content WHERE {condition}", (before_ms, tenant)).rowcount  # noqa: S608
            self._give_back()
        return deleted

    def tidy(self, now: datetime, *, days: int, disk_bytes_max: int) -> int:
        """
        Delete what is too old, then the oldest while the file is too large. How many calls that were.

        Args:
            now: Aware.
            days: How many days content is kept; 0: for ever.
            disk_bytes_max: How large the file may be.

        Raises:
            LedgerFault: It cannot be written.

        """
        before_ms = _ms(now) - days * _DAY_MS
        oldest = f"SELECT gateway_call FROM content ORDER BY sent_at_ms LIMIT {_OLDEST}"  # noqa: S608
        old = "SELECT EXISTS (SELECT 1 FROM content WHERE sent_at_ms < ?)"
        deleted = 0
        with self._faults():
            if days and self._db.execute(old, (before_ms,)).fetchone()[0]:
                with transaction(self._db):
                    deleted += self._db.execute("DELETE FROM content WHERE sent_at_ms < ?", (before_ms,)).rowcount
            while self._disk_bytes() > disk_bytes_max:
                with transaction(self._db):
                    gone = self._db.execute(f"DELETE FROM content WHERE gateway_call IN ({oldest})").rowcount  # noqa: S608
                if not gone:
                    break
                deleted += gone
            if deleted:
                self._give_back()
        return deleted

    def _disk_bytes(self) -> int:
        pages, free, size = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def _give_back(self) -> None:
        """Return free pages to the disk, and leave nothing of them in the log where nobody is reading it."""
        self._db.executescript("PRAGMA incremental_vacuum")  # execute would take one step of it, and so free one page
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, zlib.error) as error:
            raise LedgerFault(f"the content store {self._path.name} cannot be used: {error}") from error


def _row(one: Content) -> tuple[object, ...]:
    request, answer = one.request, one.answer
    return (
        *(one.gateway_call, one.call_id, _ms(one.sent_at), one.tenant, one.model, one.mode, one.status),
        *(request.hash, request.length_bytes, request.note, answer.hash, answer.length_bytes, answer.note),
        *(_packed(request.body), _packed(answer.body)),
    )


def _content(row: tuple[Any, ...]) -> Content:
    gateway_call, call_id, sent_at_ms, tenant, model, mode, status, *rest = row
    request = Part(rest[0], rest[1], rest[2], _unpacked(rest[6]))
    answer = Part(rest[3], rest[4], rest[5], _unpacked(rest[7]))
    return Content(gateway_call, call_id, _at(sent_at_ms), tenant, model, mode, status, request, answer)


def _packed(body: bytes | None) -> bytes | None:
    return None if body is None else zlib.compress(body)


def _unpacked(packed: object) -> bytes | None:
    return zlib.decompress(packed) if isinstance(packed, bytes) else None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def _at(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)
