"""
A token bucket that refills continuously, in exact integers.

The level is kept in millionths of a token-minute, so that a refill over any number of microseconds is whole. Times are
microseconds of any one clock: that of a virtual day or of a machine that was never set back.

Source: the limiter that the rate limits page describes (facts: claude-api 8.1), checked 2026-11-20.
"""

from __future__ import annotations

_SCALE = 60_000_000
"""Microseconds of a minute: one token is this many units of level."""


class TokenBucket:
    """
    One limit per minute.

    Args:
        per_minute: Capacity, and what flows in over a minute; >= 1.
        at_us: When it starts, full.

    """

    __slots__ = ("_at_us", "_level", "per_minute")

    def __init__(self, per_minute: int, at_us: int) -> None:
        assert per_minute >= 1, "a limit lets something through"
        self.per_minute = per_minute
        self._level = per_minute * _SCALE
        self._at_us = at_us

    def resize(self, per_minute: int, at_us: int) -> None:
        """Change the limit; what was used stays used."""
        if per_minute != self.per_minute:
            self._refill(at_us)
            self._level += (per_minute - self.per_minute) * _SCALE
            self.per_minute = per_minute

    def wait_us(self, tokens: int, at_us: int) -> int:
        """
        Whole microseconds until *tokens* fit: 0 where they fit now.

        More than the whole bucket never fits; the answer is then the time until the bucket is full, at least 1.
        """
        if at_us > self._at_us:
            self._refill(at_us)
        short = tokens * _SCALE - self._level
        if short <= 0:
            return 0
        short = min(short, max(1, self.per_minute * _SCALE - self._level))
        return -(-short // self.per_minute)

    def take(self, tokens: int, at_us: int) -> None:
        """Use *tokens*, into debt if need be: output counts as it is made, whatever is left."""
        if at_us > self._at_us:
            self._refill(at_us)
        self._level -= tokens * _SCALE

    def give_back(self, tokens: int, at_us: int) -> None:
        """Undo a ``take`` that turned out too large; never fuller than full."""
        self._refill(at_us)
        self._level = min(self.per_minute * _SCALE, self._level + tokens * _SCALE)

    def remaining(self, at_us: int) -> int:
        """Whole tokens left, >= 0."""
        self._refill(at_us)
        return max(0, self._level // _SCALE)

    def full_in_us(self, at_us: int) -> int:
        """Microseconds until it is full again, rounded up; 0 where it is."""
        self._refill(at_us)
        return -(-(self.per_minute * _SCALE - self._level) // self.per_minute)

    def _refill(self, at_us: int) -> None:
        passed = at_us - self._at_us
        if passed > 0:
            self._level = min(self.per_minute * _SCALE, self._level + passed * self.per_minute)
            self._at_us = at_us
