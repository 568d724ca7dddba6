"""
Counts of refused calls by hour, in one SQLite file beside the ledger, for all worker processes of one machine.

A file of its own: calls wait for transactions on the store of budgets, and nobody should wait for this one. It is
opened for the one transaction that a process has per second at the most, and only while calls are refused. So it keeps
SQLite's rollback journal, under which every lock waits its turn; a write-ahead log may answer *busy* at once where one
process opens the file as the last other one closes it.

Amounts are text, as in the store of budgets: picodollars outgrow SQLite's integers.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from farthing.errors import LedgerFault
from farthing.ledger.sqlite import Layout, open_file, transaction
from farthing.limits.refusals import HOUR_S, Case, Tally, place, together

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from farthing.limits.refusals import Key

REFUSALS_NAME = "refusals.sqlite"
"""The file, beside the ledger."""
KEPT_DAYS = 90
ROWS_MAX = 100_000
"""Beyond, whole hours are dropped, the oldest first: about 20 MB."""
HOUR_ROWS_MAX = 500
"""So many cases of an hour are told apart in full, see :func:`~farthing.limits.refusals.place`."""
_BUSY_S = 5.0

_LAYOUT = Layout(
    "the log of refusals",
    1,
    """
CREATE TABLE refused (
    hour_s INTEGER NOT NULL, kind TEXT NOT NULL, limit_name TEXT NOT NULL, value TEXT NOT NULL, why TEXT NOT NULL,
    tenant TEXT NOT NULL, api_key TEXT NOT NULL,
    calls INTEGER NOT NULL, unknown_calls INTEGER NOT NULL, worst TEXT NOT NULL, last_worst TEXT,
    first_us INTEGER NOT NULL, last_us INTEGER NOT NULL,
    PRIMARY KEY (hour_s, kind, limit_name, value, why, tenant, api_key)
) WITHOUT ROWID;
""",
)
_CASE = "kind, limit_name, value, why, tenant, api_key"
_TALLY = "calls, unknown_calls, worst, last_worst, first_us, last_us"


class RefusalStore:
    """
    The file.

    Args:
        path: Where; made if it is not there.
        busy_s: How long a method waits for other processes.
        hour_rows_max, rows_max: Bounds of an hour, and of all.

    Raises:
        LedgerFault: It cannot be opened, is no such file, or was made by a newer farthing.

    """

    def __init__(
        self, path: Path, *, busy_s: float = _BUSY_S, hour_rows_max: int = HOUR_ROWS_MAX, rows_max: int = ROWS_MAX
    ) -> None:
        self._path = path
        self._hour_rows_max = hour_rows_max
        self._rows_max = rows_max
        with self._faults():
            self._db = open_file(path, _LAYOUT, busy_s=busy_s)

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def add(self, batch: Mapping[Key, Tally], now: datetime) -> None:
        """
        Count more refusals, all of them or none; with the first ones of an hour, forget what is too old or too much.

        Args:
            batch: By hour and case.
            now: Aware.

        Raises:
            LedgerFault: It cannot be written.

        """
        with self._faults(), transaction(self._db):
            rows = {hour_s: self._rows_of(hour_s) for hour_s, _ in batch}
            is_new = not all(rows.values())
            for (hour_s, case), tally in batch.items():
                counted_as = place(case, partial(self._has, hour_s), rows[hour_s], self._hour_rows_max)
                known = self._find(hour_s, counted_as)
                rows[hour_s] += known is None
                self._put(hour_s, counted_as, together(known, tally))
            if is_new:
                self._forget(now)

    def read(self, since: datetime | None = None, until: datetime | None = None) -> list[tuple[Key, Tally]]:
        """
        Every row whose hour has a moment in *since* <= moment < *until*, in order of time.

        Raises:
            LedgerFault: It cannot be read.

        """
        from_s = -(2**62) if since is None else int(since.timestamp()) - HOUR_S
        to_s = 2**62 if until is None else until.timestamp()
        rows = f"SELECT hour_s, {_CASE}, {_TALLY} FROM refused WHERE hour_s > ? AND hour_s < ?"  # noqa: S608
        query = f"{rows} ORDER BY hour_s, {_CASE}"
        with self._faults():
            found = self._db.execute(query, (from_s, to_s)).fetchall()
            return [((row[0], Case(*row[1:7])), _tally(row[7:])) for row in found]

    def _rows_of(self, hour_s: int) -> int:
        (rows,) = self._db.execute("SELECT count(*) FROM refused WHERE hour_s = ?", (hour_s,)).fetchone()
        return int(rows)

    def _has(self, hour_s: int, case: Case) -> bool:
        return self._find(hour_s, case) is not None

    def _find(self, hour_s: int, case: Case) -> Tally | None:
        query = f"SELECT {_TALLY} FROM refused WHERE (hour_s, {_CASE}) = (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        row = self._db.execute(query, (hour_s, *case)).fetchone()
        return None if row is None else _tally(row)

    def _put(self, hour_s: int, case: Case, one: Tally) -> None:
        last = None if one.last_worst_pusd is None else str(one.last_worst_pusd)
        tally = (one.calls, one.unknown_calls, str(one.worst_pusd), last, _us(one.first_at), _us(one.last_at))
        slots = ", ".join("?" * 13)
        self._db.execute(f"INSERT OR REPLACE INTO refused VALUES ({slots})", (hour_s, *case, *tally))  # noqa: S608

    def _forget(self, now: datetime) -> None:
        before_s = int((now - timedelta(days=KEPT_DAYS)).timestamp()) - HOUR_S
        self._db.execute("DELETE FROM refused WHERE hour_s <= ?", (before_s,))
        first_too_many = "SELECT hour_s FROM refused ORDER BY hour_s DESC LIMIT 1 OFFSET ?"
        self._db.execute(f"DELETE FROM refused WHERE hour_s <= ({first_too_many})", (self._rows_max,))  # noqa: S608

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:
            raise LedgerFault(f"the log of refusals {self._path.name} does not answer: {error}") from error


def read_refusals(ledger: Path, since: datetime | None, until: datetime | None = None) -> list[tuple[Key, Tally]]:
    """
    :meth:`RefusalStore.read` of the log beside a ledger; nothing where there is none.

    Raises:
        LedgerFault: It cannot be read.

    """
    path = ledger.with_name(REFUSALS_NAME)
    if not path.exists():
        return []
    store = RefusalStore(path)
    try:
        return store.read(since, until)
    finally:
        store.close()


def _tally(row: tuple[Any, ...]) -> Tally:
    calls, unknown_calls, worst, last_worst, first_us, last_us = row
    last = None if last_worst is None else int(last_worst)
    return Tally(calls, unknown_calls, int(worst), last, _at(first_us), _at(last_us))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _at(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)
