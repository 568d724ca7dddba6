"""An incident as the store keeps it: JSON, but for its amount, which is text, and its number, that of its row. Pure."""

from __future__ import annotations

import msgspec

from farthing.alerts.incidents import Incident


class _Stored(msgspec.Struct, frozen=True):
    stake: str | None
    incident: Incident


def read_incident(row: tuple[int, bytes]) -> Incident:
    """
    An incident from its number and its record.

    Raises:
        msgspec.MsgspecError: The record is none.

    """
    number, record = row
    kept = msgspec.json.decode(record, type=_Stored)
    stake = None if kept.stake is None else int(kept.stake)
    return msgspec.structs.replace(kept.incident, id=number, stake_pusd=stake)


def incident_bytes(incident: Incident) -> bytes:
    """Its record."""
    stake = None if incident.stake_pusd is None else str(incident.stake_pusd)
    return msgspec.json.encode(_Stored(stake, msgspec.structs.replace(incident, stake_pusd=None)))
