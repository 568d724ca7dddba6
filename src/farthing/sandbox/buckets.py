"""
A token bucket that refills continuously, in exact integers.

The level is kept in millionths of a token-minute, so that a refill over any number of microseconds is whole.
"""

from __future__ import annotations

from datetime import datetime, timedelta

_SCALE = 60_000_000
"""Microseconds of a minute: one token is this many units of level."""

_MICROSECOND = timedelta(microseconds=1)


class Bucket:
    """
    One limit per minute.

    Args:
        per_minute: Capacity, and what flows in over a minute; >= 1.
        at: When it starts, full.

    """

    def __init__(self, per_minute: int, at: datetime) -> None:
        assert per_minute >= 1, "a limit lets something through"
        self.per_minute = per_minute
        self._level = per_minute * _SCALE
        self._at = at

    def resize(self, per_minute: int, at: datetime) -> None:
        """Change the limit; what was used stays used."""
        if per_minute != self.per_minute:
            self._refill(at)
            self._level += (per_minute - self.per_minute) * _SCALE
            self.per_minute = per_minute

    def wait_s(self, tokens: int, at: datetime) -> int:
        """
        Whole seconds until *tokens* fit: 0 where they fit now.

        More than the whole bucket never fits; the answer is then the time until the bucket is full, at least 1.
        """
        self._refill(at)
        short = tokens * _SCALE - self._level
        if short <= 0:
            return 0
        short = min(short, max(1, self.per_minute * _SCALE - self._level))
        return -(-short // (self.per_minute * 1_000_000))

    def take(self, tokens: int, at: datetime) -> None:
        """Use *tokens*, into debt if need be: output counts as it is made, whatever is left."""
        self._refill(at)
        self._level -= tokens * _SCALE

    def remaining(self, at: datetime) -> int:
        """Whole tokens left, >= 0."""
        self._refill(at)
        return max(0, self._level // _SCALE)

    def full_at(self, at: datetime) -> datetime:
        """When it will be full again, rounded up to a second's part that RFC 3339 can show."""
        self._refill(at)
        missing = self.per_minute * _SCALE - self._level
        return at + timedelta(microseconds=-(-missing // self.per_minute))

    def _refill(self, at: datetime) -> None:
        passed = (at - self._at) // _MICROSECOND
        if passed > 0:
            self._level = min(self.per_minute * _SCALE, self._level + passed * self.per_minute)
            self._at = at
