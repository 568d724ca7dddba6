"""
The store of incidents to look at: nothing is made, changed or locked, so whoever writes it is never in the way.

SQLite in WAL mode shows a reader the last whole transaction while another one is under way.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.alerts.records import read_incident
from farthing.alerts.store import VERSION
from farthing.errors import LedgerFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from farthing.alerts.incidents import Incident


class Told(NamedTuple):
    """
    One message of an incident to one channel, as it stands.

    Attributes:
        channel: Whom it is for. event: what it tells.
        tries: How often it was sent.
        sent_at: When it arrived; aware, UTC; None: it has not.
        due_at: When it is sent next; None: it arrived, or was given up.
        fault: Why it did not arrive the last time; empty: it did, or was not tried.

    """

    channel: str
    event: str
    tries: int
    sent_at: datetime | None
    due_at: datetime | None
    fault: str

    @property
    def is_given_up(self) -> bool:
        """Whether it will not be sent again."""
        return self.sent_at is None and self.due_at is None


class Incidents:
    """
    The file, read only.

    Args:
        path: Which; it must be there.

    Raises:
        LedgerFault: It cannot be read, or was made by another version of farthing.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._faults():
            self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=2, isolation_level=None)
            try:
                self._db.execute("PRAGMA query_only = 1")
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
            except BaseException:
                self._db.close()
                raise
        if version != VERSION:
            self._db.close()
            raise LedgerFault(f"read {path.name}: version {version} of the alerts' store, expected {VERSION}")

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def standing(self) -> list[Incident]:
        """Those that are not resolved, newest first."""
        return self._incidents("WHERE state <> 'resolved' ORDER BY id DESC")

    def over(self, at_most: int) -> list[Incident]:
        """Those that are resolved, the one that showed last first."""
        return self._incidents("WHERE state = 'resolved' ORDER BY last_at DESC, id DESC LIMIT ?", at_most)

    def one(self, number: int) -> Incident | None:
        """That one; None: there is none."""
        found = self._incidents("WHERE id = ?", number)
        return found[0] if found else None

    def evaluated_at(self) -> datetime | None:
        """When the last round was; aware, UTC; None before the first."""
        with self._faults():
            row = self._db.execute("SELECT value FROM fact WHERE name = 'evaluated_s'").fetchone()
        return None if row is None else datetime.fromtimestamp(float(row[0]), UTC)

    def told(self, number: int) -> list[Told]:
        """The messages of one incident, in the order in which they were written."""
        statement = (
            "SELECT channel, event, tries, sent_s, due_s, given_up, fault FROM message WHERE incident = ? ORDER BY id"
        )
        with self._faults():
            rows = self._db.execute(statement, (number,)).fetchall()
        return [
            Told(channel, event, tries, _at(sent_s), None if given_up or sent_s is not None else _at(due_s), fault)
            for channel, event, tries, sent_s, due_s, given_up, fault in rows
        ]

    def by_channel(self) -> dict[str, tuple[int, int, int]]:
        """Per channel how many messages arrived, wait, and were given up."""
        statement = (
            "SELECT channel, sum(sent_s IS NOT NULL), sum(sent_s IS NULL AND given_up = 0),"
            " sum(sent_s IS NULL AND given_up = 1) FROM message GROUP BY channel"
        )
        with self._faults():
            rows = self._db.execute(statement).fetchall()
        return {channel: (arrived, waiting, given_up) for channel, arrived, waiting, given_up in rows}

    def _incidents(self, which: str, *values: int) -> list[Incident]:
        with self._faults():
            rows = self._db.execute(f"SELECT id, record FROM incident {which}", values).fetchall()  # noqa: S608 - ours
            return [read_incident(row) for row in rows]

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, msgspec.MsgspecError) as error:
            raise LedgerFault(f"the alerts' store {self._path.name} cannot be read: {error}") from error


def _at(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
