"""Time, as something that can be handed in: the machine's own, or one that a test moves by hand."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Protocol

from farthing.errors import BadInput

YEARS = range(1970, 3000)
"""The years that a virtual clock may stand in: beyond them the arithmetic of lifetimes and buckets would end."""
ADVANCE_MAX_S = 1000 * 366 * 86_400
"""A thousand years."""


class Clock(Protocol):
    """Anything that tells an aware UTC time."""

    def now(self) -> datetime:
        """The time, aware, UTC."""


class RealClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time, aware, UTC."""
        return datetime.now(UTC)


class VirtualClock:
    """
    A clock that stands still until it is moved. May be used from several threads.

    Args:
        start: Where it stands at first; aware.

    Raises:
        BadInput: *start* has no time zone, or is out of :data:`YEARS`.

    """

    def __init__(self, start: datetime) -> None:
        self._lock = threading.Lock()
        self._now = _utc(start)

    def now(self) -> datetime:
        """The time, aware, UTC."""
        with self._lock:
            return self._now

    def advance(self, seconds: float | timedelta) -> datetime:
        """
        Move forward, and tell the new time.

        Raises:
            BadInput: A step backwards, which only :meth:`set` may make, or out of :data:`YEARS`.

        """
        step_s = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        if not 0 <= step_s <= ADVANCE_MAX_S:
            raise BadInput(f"read a step of {step_s} seconds", f"0 or more, up to {ADVANCE_MAX_S}", "set it to go back")
        step = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        with self._lock:
            self._now = _utc(self._now + step)
            return self._now

    def set(self, at: datetime) -> datetime:
        """
        Move to any time, backwards too, and tell it.

        Raises:
            BadInput: *at* has no time zone, or is out of :data:`YEARS`.

        """
        moment = _utc(at)
        with self._lock:
            self._now = moment
            return moment


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise BadInput("read a time without a zone", "an aware time such as 2026-11-20T09:00:00Z")
    if at.year not in YEARS:
        raise BadInput(f"read a time in the year {at.year}", f"a year from {YEARS[0]} to {YEARS[-1]}")
    return at.astimezone(UTC)
