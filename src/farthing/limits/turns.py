"""The fair queue on an event loop: calls await their turn, one timer wakes them. It decides nothing."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from farthing.limits.fair import FairQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from farthing.limits.fair import Waiting
    from farthing.limits.turnstile import Turnstile


class Turns:
    """
    Hands out turns. For one event loop.

    Args:
        clock: Seconds that never go back.
        length_max: How many may wait.

    """

    def __init__(self, clock: Callable[[], float], length_max: int = 1000) -> None:
        self._clock = clock
        self._queue = FairQueue(length_max)
        self._futures: dict[Waiting, asyncio.Future[bool]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def wait_before(self, turnstiles: Sequence[Turnstile]) -> bool:
        """Whether some call waits that needs one of these, so that a new one has to ask whose turn it is."""
        return bool(self._futures) and self._queue.wait_before(turnstiles)

    async def take(self, waiting: Waiting) -> bool:
        """
        Wait for a turn.

        A caller that is cancelled leaves the queue, and what its turnstiles gave already goes back.

        Returns:
            Whether it was let through, with *waiting.holds*; False where its deadline came or the queue was full.

        """
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._futures[waiting] = future
        dropped = self._queue.put(waiting, stays=waiting.deadline > self._clock())
        if dropped is not None:
            self._answer(dropped, through=False)
        self.pump()
        try:
            return await future
        except asyncio.CancelledError:
            self._futures.pop(waiting, None)
            if future.done() and not future.cancelled() and future.result():
                for turnstile, hold in zip(waiting.place.turnstiles, waiting.holds, strict=True):
                    turnstile.undo(hold, self._clock())
            self._queue.remove(waiting)
            self.pump()
            raise

    def pump(self) -> None:
        """Look again: call it whenever a turnstile may have opened."""
        if self._futures:
            now = self._clock()
            self._admit(now)
            expired = self._queue.expired(now)
            for waiting in expired:
                self._answer(waiting, through=False)
            if expired:
                self._admit(now)  # what they waited for is no longer kept for them
        self._set_timer()

    def _admit(self, now: float) -> None:
        for waiting in self._queue.admit(now):
            self._answer(waiting, through=True)

    def _answer(self, waiting: Waiting, *, through: bool) -> None:
        future = self._futures.pop(waiting, None)
        if future is not None and not future.done():
            future.set_result(through)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if len(self._queue) and self._queue.wakes_at < math.inf:
            delay_s = max(0.0, self._queue.wakes_at - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self.pump)
