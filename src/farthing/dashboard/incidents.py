"""The store of incidents as pages use it: read without being in anybody's way, and changed by a button."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from farthing.alerts.incidents import acknowledged, resolved, snoozed
from farthing.alerts.messages import plain
from farthing.alerts.reading import Incidents
from farthing.alerts.store import STORE_NAME, AlertStore
from farthing.dashboard.blocks import Button
from farthing.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from farthing.alerts.incidents import Incident
    from farthing.dashboard.visit import Desk, Visit

SNOOZES = (("8", "Snooze 8 h"), ("24", "Snooze a day"), ("168", "Snooze a week"))
"""Hours, and what the button says."""
_DIGITS_MAX = 12


def store_of(desk: Desk) -> Path:
    """The store's file, there or not."""
    return desk.alerts or desk.ledger.with_name(STORE_NAME)


@contextmanager
def opened(desk: Desk) -> Iterator[Incidents | None]:
    """
    The store to look at; None while there is none.

    Raises:
        LedgerFault: It cannot be read.

    """
    path = store_of(desk)
    if not path.exists():
        yield None
        return
    store = Incidents(path)
    try:
        yield store
    finally:
        store.close()


def act(visit: Visit, name: str, fields: Mapping[str, str]) -> None:
    """
    Do what a button says, by the same rules as ``farthing alerts ack``, ``snooze`` and ``resolve``.

    Raises:
        BadInput: There is no such incident or act, or it is over already. LedgerFault: the store does not answer.

    """
    number, by, now = number_of(fields.get("incident", "")), visit.user.name, visit.now
    path = store_of(visit.desk)
    if not path.exists():
        raise BadInput("found no incidents", "a round of farthing alerts check or watch")
    hours = fields.get("hours", "")
    if name == "snooze" and hours not in dict(SNOOZES):
        raise BadInput(f"read a snooze of {hours[:20]!r} hours", f"one of {', '.join(dict(SNOOZES))}")
    if name not in ("ack", "snooze", "resolve"):
        raise BadInput(f"read the act {name[:40]!r}", "ack, snooze or resolve")

    def change(incident: Incident) -> Incident:
        if name == "ack":
            return acknowledged(incident, by)
        if name == "snooze":
            return snoozed(incident, now, timedelta(hours=int(hours)), by)
        return resolved(incident, now, by)

    store = AlertStore(path)
    try:
        store.change(number, change)
    finally:
        store.close()


def buttons(incident: Incident, *, are_few: bool = False) -> tuple[Button, ...]:
    """What can be done about it now; *are_few*: for a row of a table."""
    if incident.state == "resolved":
        return ()
    which, about = ("incident", str(incident.id)), f"incident {incident.id}: {plain(incident.title)[:80]}"
    found = [] if incident.state == "acknowledged" else [Button("Acknowledge", "ack", (which,), about)]
    spans = SNOOZES[1:2] if are_few else SNOOZES
    found += [Button(label, "snooze", (which, ("hours", hours)), about) for hours, label in spans]
    return (*found, Button("Close", "resolve", (which,), about))


def number_of(text: str) -> int:
    """
    The number of the incident that an address opens, or a button is about.

    Raises:
        BadInput: It is none.

    """
    if not text.isascii() or not text.isdecimal() or len(text) > _DIGITS_MAX:
        raise BadInput(f"read incident {text[:40]!r}", "its number")
    return int(text)
