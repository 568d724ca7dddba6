"""
Deadlines of one length, however many run: one timer for all of them.

Every call waits some hundred times, and hardly any wait ends in its deadline. All waits here are equally long, so they
run out in the order in which they began: the timer is set for the oldest and looks at no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

_EARLY_S = 0.002
"""Clocks of event loops tick in milliseconds: a timer may come that much early."""


class Deadlines:
    """
    Deadlines on one event loop.

    Args:
        seconds: From the begin of each to its end.
        loop: Whose clock and timer they run on.

    """

    def __init__(self, seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        self.seconds = seconds
        self.loop = loop
        self._waits: dict[int, tuple[float, Callable[[], None]]] = {}
        self._last = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, expire: Callable[[], None]) -> int:
        """Call *expire* when the time is over; the number that :meth:`end` takes, never 0."""
        self._last += 1
        self._waits[self._last] = (self.loop.time() + self.seconds, expire)
        if self._timer is None:
            self._timer = self.loop.call_later(self.seconds, self._sweep)
        return self._last

    def end(self, number: int) -> None:
        """Call nothing; no matter whether it has run out, or is 0."""
        self._waits.pop(number, None)

    def close(self) -> None:
        """Forget them all."""
        self._waits.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        self._timer = None
        now = self.loop.time() + _EARLY_S
        due = []
        for number, (at, expire) in self._waits.items():
            if at > now:
                self._timer = self.loop.call_at(at, self._sweep)
                break
            due.append((number, expire))
        for number, _ in due:
            del self._waits[number]
        for _, expire in due:
            try:
                expire()
            except Exception as error:  # noqa: BLE001 - told as the loop tells of any callback; the others are due too
                self.loop.call_exception_handler({"message": "a deadline could not be met", "exception": error})


class Silence:
    """
    A wait that goes on with whatever is heard: hearing costs a look at the clock, and no timer is moved for it.

    Args:
        deadlines: How long a silence may last.
        expire: Called when one has lasted that long.

    Attributes:
        heard_s: When something was heard, by the loop's clock; whoever hears something sets it.

    """

    def __init__(self, deadlines: Deadlines, expire: Callable[[], None]) -> None:
        self.heard_s = 0.0
        self._deadlines = deadlines
        self._expire = expire
        self._number = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Listen from now on."""
        self.heard_s = self._deadlines.loop.time()
        self._number = self._deadlines.begin(self._look)

    def end(self) -> None:
        """Listen no more."""
        self._deadlines.end(self._number)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Somebody listens for so long that there may have been a silence: else look again when there can be one."""
        loop, until = self._deadlines.loop, self.heard_s + self._deadlines.seconds
        if until > loop.time() + _EARLY_S:
            self._timer = loop.call_at(until, self._look)
        else:
            self._timer = None
            self._expire()
