"""
Which prefixes are kept alive, and when the next ping is due.

After a call the prefix of its last breakpoint is pinged, so often and so far apart as the policy says, until another
call reads it: that call has a newer breakpoint, and pinging that one restarts everything inside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


class Due(NamedTuple):
    """A ping to come: of which prefix, the how manyth schedule of all, and how many follow."""

    line: tuple[Hashable, int]
    number: int
    more: int


class Warmth:
    """The schedules of one replay."""

    def __init__(self) -> None:
        self._active: dict[tuple[Hashable, int], int] = {}
        self._number = 0

    def used(self, scope: Hashable, keys: Sequence[int]) -> None:
        """A call read these prefixes: nobody need ping them any more."""
        if self._active:
            for key in keys:
                self._active.pop((scope, key), None)

    def begin(self, scope: Hashable, key: int, pings: int) -> Due:
        """The first ping of a prefix."""
        self._number += 1
        self._active[scope, key] = self._number
        return Due((scope, key), self._number, pings - 1)

    def next(self, due: Due) -> Due | None:
        """The ping after *due*; None for none."""
        if due.more:
            return due._replace(more=due.more - 1)
        del self._active[due.line]
        return None

    def is_wanted(self, due: Due) -> bool:
        """Whether a ping is still to be sent."""
        return self._active.get(due.line) == due.number
