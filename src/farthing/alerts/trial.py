"""A message that tests a channel: an incident that never was. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.alerts.incidents import Incident
from farthing.alerts.store import Message

if TYPE_CHECKING:
    from datetime import datetime


def trial(channel: str, now: datetime) -> Message:
    """A test message for *channel*; each second has another delivery id."""
    incident = Incident(
        kind="anomaly",
        keys=(),
        began_at=now,
        last_at=now,
        title="test of this channel by farthing: nothing is wrong",
        level=0,
        stake_pusd=None,
        detail={"test": True},
        opened_at=now,
    )
    return Message(0, f"test-{int(now.timestamp())}-{channel}", incident, "opened", channel, 0)
