"""
A ledger file to look at: opened for reading alone, and only for as long as somebody looks.

DuckDB lets many processes read a file or one write it. Whoever fills the ledger opens it for short rounds, so a reader
that finds it locked tries again for a moment, and keeps it open no longer than one answer takes.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import TYPE_CHECKING

import duckdb
import msgspec

from farthing.errors import LedgerFault
from farthing.ledger.duckdb import DuckDBLedger
from farthing.ledger.store import QUIETLY, migrations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from farthing.ledger.interface import Hour, Query, Row, Stored

_STEP_S = 0.05
_FEW = 5_000
_HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SESSION_KEYS = "SELECT md5_number_lower(unnest(?::VARCHAR[]))"
_SESSION_HOURS = "SELECT min(sent_at), max(sent_at) FROM session_hours WHERE session_key IN ({})"
_LOCKED = re.compile(r"\block\b|different configuration")  # a damaged file's message speaks of a *block*


class DuckDBReader(DuckDBLedger):
    """
    A :class:`~farthing.ledger.duckdb.DuckDBLedger` that cannot be written to.

    Args:
        path: The file, which must be there.
        wait_s: How long to try again while another process writes it.
        memory_mb_max: What DuckDB may use.

    Raises:
        LedgerFault: It cannot be opened, is still being written after *wait_s*, or is of another version of farthing.

    """

    def __init__(self, path: Path, *, wait_s: float = 5.0, memory_mb_max: int = 1_000) -> None:
        self.path = path
        self._lock = RLock()
        self._next_no = 0
        self._stretches: dict[tuple[str, ...], tuple[datetime, datetime]] = {}
        self._known_ends: tuple[tuple[datetime, datetime] | None] | None = None
        self._connection = _opened(path, wait_s, memory_mb_max)
        version, newest = self._number("SELECT coalesce(max(version), 0) FROM schema_version"), migrations()[-1][0]
        if version != newest:
            self.close()
            what = "a newer farthing wrote it; upgrade" if version > newest else "farthing report brings it up to date"
            raise LedgerFault(f"cannot read the ledger {path}: its tables are version {version}, not {newest}; {what}")

    def calls(self, query: Query) -> Iterator[Stored]:
        """See :meth:`farthing.ledger.interface.Ledger.calls`."""
        narrowed = self._about_sessions(query)
        if narrowed is not query:
            found = super().latest(narrowed, _FEW)
            if len(found) < _FEW:  # by their numbers, so without going through everybody's requests and passes
                return reversed(found)
        return super().calls(narrowed)

    def latest(self, query: Query, number: int, skip: int = 0) -> list[Stored]:
        """See :meth:`farthing.ledger.interface.Ledger.latest`."""
        return super().latest(self._about_sessions(query), number, skip)

    def report(self, query: Query) -> list[Row]:
        """See :meth:`farthing.ledger.interface.Ledger.report`."""
        return super().report(self._about_sessions(query))

    def hours(self, query: Query) -> list[Hour]:
        """See :meth:`farthing.ledger.interface.Ledger.hours`."""
        return super().hours(self._about_sessions(query))

    def _ends(self) -> tuple[datetime, datetime] | None:
        if self._known_ends is None:  # asked once: nothing changes while the file is open
            self._known_ends = (super()._ends(),)
        return self._known_ends[0]

    def _about_sessions(self, query: Query) -> Query:
        """
        A question about some sessions, narrowed to the stretch of time in which they have calls; any other as it is.

        The calls of a session are near one another, and calls are kept in order of time. That stretch is looked for
        once: nothing changes while the file is open.
        """
        sessions = query.where.get("session")
        if not sessions or not all(sessions):
            return query
        if sessions not in self._stretches:
            self._stretches[sessions] = self._stretch(sessions)
        first, beyond = self._stretches[sessions]
        return msgspec.structs.replace(
            query,
            since=first if query.since is None else max(first, query.since),
            until=beyond if query.until is None else min(beyond, query.until),
        )

    def _stretch(self, sessions: tuple[str, ...]) -> tuple[datetime, datetime]:
        with self._using() as connection:
            keys = connection.execute(_SESSION_KEYS, [list(sessions)]).fetchall()
            of_these = ", ".join(str(int(key)) for (key,) in keys)
            row = connection.execute(_SESSION_HOURS.format(of_these)).fetchone()
        assert row is not None
        first, last = (_EPOCH if at is None else at.replace(tzinfo=UTC) for at in row)
        return first, last + _HOUR


def _opened(path: Path, wait_s: float, memory_mb_max: int) -> duckdb.DuckDBPyConnection:
    if not path.is_file():
        raise LedgerFault(f"found no ledger at {path}; run farthing import, farthing serve or farthing demo first")
    ends_at_s = time.monotonic() + wait_s
    while True:
        try:
            connection = duckdb.connect(str(path), read_only=True, config={"memory_limit": f"{memory_mb_max}MB"})
        except duckdb.Error as error:
            if not _LOCKED.search(str(error)):
                raise LedgerFault(f"cannot read the ledger {path}: {str(error).partition(chr(10))[0]}") from error
            if time.monotonic() >= ends_at_s:
                raise LedgerFault(f"cannot read the ledger {path} now: another process is writing it") from error
        else:
            connection.execute(QUIETLY)
            return connection
        time.sleep(_STEP_S)
