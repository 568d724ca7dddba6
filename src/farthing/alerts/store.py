"""
Incidents and what is still to be told of them, in one SQLite file beside the ledger.

An incident and its messages are written in one transaction, so nothing is told of what is not kept and nothing kept is
left untold. A message is claimed for a while before it is sent and marked after: a sender that dies in between leaves
it to be sent again, under the same delivery id. That is at least once outward, and one id for whoever counts.

Amounts are text, as in the store of budgets: picodollars outgrow SQLite's integers.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.alerts.incidents import Step, advance
from farthing.alerts.records import incident_bytes, read_incident
from farthing.errors import BadInput, LedgerFault
from farthing.ledger.sqlite import WAL, Layout, open_file, transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from farthing.alerts.channels import Channel
    from farthing.alerts.incidents import EventName, Incident, Signal

STORE_NAME = "alerts.sqlite"
"""The store's file, beside the ledger."""
VERSION = 2
CLAIM_S = 600
"""For so long a message belongs to the sender that claimed it: longer than any attempt lasts."""
TRIES_MAX = 12
"""Then a message is given up, loudly."""
BACKOFF_MAX_S = 6 * 3600
_REMEMBERED = timedelta(days=45)
_BEGINS = ("opened", "escalated")
"""Events that are news for whoever wants to hear of such; the others are for those who were told."""

_LAYOUT = Layout(
    "the alerts' store",
    VERSION,
    """
CREATE TABLE incident (
    id INTEGER PRIMARY KEY AUTOINCREMENT, state TEXT NOT NULL, last_at REAL NOT NULL, record BLOB NOT NULL
);
CREATE INDEX incident_by_state ON incident (state, last_at);
CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, delivery TEXT NOT NULL UNIQUE, incident INTEGER NOT NULL, event TEXT NOT NULL,
    channel TEXT NOT NULL, record BLOB NOT NULL, due_s REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
    sent_s REAL, given_up INTEGER NOT NULL DEFAULT 0, fault TEXT NOT NULL DEFAULT ''
);
CREATE INDEX message_due ON message (due_s) WHERE sent_s IS NULL AND given_up = 0;
CREATE INDEX message_of_incident ON message (incident, channel);
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
""",
)


class Message(NamedTuple):
    """
    Something to be told to one channel.

    Attributes:
        number: Its row.
        delivery: Its id, the same however often it is sent.
        incident: As it was when the message was written.
        event: What happened to it.
        channel: Which channel is told.
        tries: How often it was sent already.

    """

    number: int
    delivery: str
    incident: Incident
    event: EventName
    channel: str
    tries: int


class AlertStore:
    """
    The file.

    Args:
        path: Where; made if it is not there.

    Raises:
        LedgerFault: It cannot be opened, or was made by a newer farthing.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._faults():
            self._db = open_file(path, _LAYOUT, busy_s=5, pragmas=WAL[:1])

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    # -- incidents ----------------------------------------------------------------------------------------------------

    def advance(self, signals: Sequence[Signal], now: datetime, channels: Sequence[Channel]) -> list[Step]:
        """
        Apply a round of signals and write what is to be told, in one transaction; see ``incidents.advance``.

        Args:
            signals: Everything that is wrong, or was until lately.
            now: Aware.
            channels: Who is to be told; each only of the kinds of incident it wants.

        Returns:
            What changed, with the incidents' numbers.

        """
        with self._faults(), transaction(self._db):
            known = self._known(now)
            steps = []
            for step in advance(known, signals, now):
                kept = step._replace(incident=self._keep(step.incident))
                steps.append(kept)
                self._write(kept, channels, now)
            self._renew(channels, now)
            self._db.execute("INSERT OR REPLACE INTO fact VALUES ('evaluated_s', ?)", (str(now.timestamp()),))
        return steps

    def evaluated_at(self) -> datetime | None:
        """When the last round was; aware, UTC; None before the first."""
        with self._faults():
            row = self._db.execute("SELECT value FROM fact WHERE name = 'evaluated_s'").fetchone()
        return None if row is None else datetime.fromtimestamp(float(row[0]), UTC)

    def incidents(self, *, resolved: bool = False) -> list[Incident]:
        """Those that are not resolved, or with *resolved* all; newest first."""
        where = "" if resolved else "WHERE state <> 'resolved'"
        with self._faults():
            rows = self._db.execute(f"SELECT id, record FROM incident {where} ORDER BY id DESC").fetchall()  # noqa: S608
        return [read_incident(row) for row in rows]

    def change(self, number: int, how: Callable[[Incident], Incident]) -> Incident:
        """
        Change one incident by hand; *how* makes the new one of the old. Repeating it changes nothing more.

        Raises:
            BadInput: There is none of that number, or it is resolved.

        """
        with self._faults(), transaction(self._db):
            row = self._db.execute("SELECT id, record FROM incident WHERE id = ?", (number,)).fetchone()
            if row is None:
                raise BadInput(f"found no incident {number}", "one of those that farthing alerts list shows")
            incident = read_incident(row)
            if incident.state == "resolved":
                raise BadInput(f"incident {number} is resolved", "one that is not")
            return self._keep(how(incident))

    def _known(self, now: datetime) -> list[Incident]:
        rows = self._db.execute(
            "SELECT id, record FROM incident WHERE state <> 'resolved' OR last_at > ? ORDER BY id",
            ((now - _REMEMBERED).timestamp(),),
        ).fetchall()
        return [read_incident(row) for row in rows]

    def _keep(self, incident: Incident) -> Incident:
        record = incident_bytes(incident)
        values = (incident.state, incident.last_at.timestamp(), record)
        if incident.id:
            statement = "UPDATE incident SET state = ?, last_at = ?, record = ? WHERE id = ?"
            self._db.execute(statement, (*values, incident.id))
            return incident
        statement = "INSERT INTO incident (state, last_at, record) VALUES (?, ?, ?)"
        number = self._db.execute(statement, values).lastrowid or 0
        return msgspec.structs.replace(incident, id=number)

    # -- messages -----------------------------------------------------------------------------------------------------

    def _write(self, step: Step, channels: Sequence[Channel], now: datetime) -> None:
        incident, event, topics = step
        if event is None:
            return
        stamps = {
            "escalated": f"escalated-{len(incident.told)}",
            "woken": f"woken-{int(now.timestamp())}",
            "renewed": f"renewed-{int(now.timestamp()) // 3600}",
        }
        record = incident_bytes(incident)
        for channel in channels:
            is_wanted = not set(channel.tells).isdisjoint(topics)
            if not (is_wanted if event in _BEGINS else self._was_told(incident, channel)):
                continue
            opened_s = int(incident.opened_at.timestamp())
            delivery = f"incident-{incident.id}-{opened_s}-{stamps.get(event, event)}-{channel.name}"
            self._db.execute(
                "INSERT OR IGNORE INTO message (delivery, incident, event, channel, record, due_s)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (delivery, incident.id, event, channel.name, record, now.timestamp()),
            )

    def _was_told(self, incident: Incident, channel: Channel) -> bool:
        """What becomes of an incident is told only to those who were told of it."""
        row = (incident.id, channel.name)
        return bool(self._db.execute("SELECT 1 FROM message WHERE incident = ? AND channel = ?", row).fetchone())

    def _renew(self, channels: Sequence[Channel], now: datetime) -> None:
        """Alertmanager forgets what it does not hear of: once an hour it hears of what goes on."""
        forgetful = [one for one in channels if one.kind == "alertmanager"]
        for incident in self._known(now) if forgetful else ():
            if incident.state in ("open", "acknowledged") and incident.opened_at < now:
                self._write(Step(incident, "renewed"), forgetful, now)

    def claim(self, due_by: datetime, now: datetime) -> Message | None:
        """
        The next message that is due at *due_by*, which is the caller's to send from *now* on; None: nothing is due.

        Oldest first, and of one incident and channel strictly one after the other: its end is never told before its
        beginning.
        """
        with self._faults(), transaction(self._db):
            row = self._db.execute(
                "SELECT id, delivery, incident, event, channel, record, tries FROM message AS one"
                " WHERE sent_s IS NULL AND given_up = 0 AND due_s <= ? AND NOT EXISTS ("
                "   SELECT 1 FROM message AS before WHERE before.incident = one.incident"
                "   AND before.channel = one.channel AND before.id < one.id"
                "   AND before.sent_s IS NULL AND before.given_up = 0"
                " ) ORDER BY id LIMIT 1",
                (due_by.timestamp(),),
            ).fetchone()
            if row is None:
                return None
            number, delivery, incident, event, channel, record, tries = row
            self._db.execute("UPDATE message SET due_s = ? WHERE id = ?", (now.timestamp() + CLAIM_S, number))
            return Message(number, delivery, read_incident((incident, record)), event, channel, tries)

    def sent(self, message: Message, now: datetime) -> None:
        """It arrived."""
        with self._faults(), transaction(self._db):
            values = (now.timestamp(), message.number)
            self._db.execute("UPDATE message SET sent_s = ?, tries = tries + 1, fault = '' WHERE id = ?", values)

    def failed(self, message: Message, fault: str, now: datetime, *, for_good: bool = False) -> bool:
        """
        It did not arrive; it is due again later, at growing distances, and given up in the end.

        Args:
            message: Which.
            fault: Why, without addresses or secrets.
            now: Aware.
            for_good: Whether to send it again would be in vain.

        Returns:
            Whether it is given up.

        """
        tries = message.tries + 1
        given_up = for_good or tries >= TRIES_MAX
        due_s = now.timestamp() + backoff_s(tries)
        with self._faults(), transaction(self._db):
            statement = "UPDATE message SET tries = ?, fault = ?, due_s = ?, given_up = ? WHERE id = ?"
            self._db.execute(statement, (tries, fault[:200], due_s, int(given_up), message.number))
        return given_up

    def due_at(self) -> datetime | None:
        """When the next message is due that did not arrive yet; aware, UTC; None: there is none."""
        with self._faults():
            row = self._db.execute("SELECT min(due_s) FROM message WHERE sent_s IS NULL AND given_up = 0").fetchone()
        return None if row[0] is None else datetime.fromtimestamp(row[0], UTC)

    def undelivered(self) -> list[tuple[str, str, int, bool, str]]:
        """Delivery id, channel, tries, whether given up, and why: all that did not arrive, oldest first."""
        with self._faults():
            rows = self._db.execute(
                "SELECT delivery, channel, tries, given_up, fault FROM message WHERE sent_s IS NULL ORDER BY id"
            ).fetchall()
        return [(delivery, channel, tries, bool(given_up), fault) for delivery, channel, tries, given_up, fault in rows]

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, msgspec.MsgspecError) as error:
            raise LedgerFault(f"the alerts' store {self._path.name} does not answer: {error}") from error


def backoff_s(tries: int) -> float:
    """Seconds until a message is due again after so many tries: half a minute, doubling, at most six hours."""
    return float(min(BACKOFF_MAX_S, 30 * 2 ** (tries - 1)))
