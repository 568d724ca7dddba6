"""
What becomes of an answer whose reader has left.

The upstream goes on generating and billing whether anybody reads or not. Drained, the answer is read to its end for its
exact counts; aborted, the upstream is told to stop, and the counts are recovered from what had come. Draining is
bounded in number and in time, so that clients who leave cannot fill the gateway.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

ClientGonePolicy = Literal["drain", "abort"]


class Drain:
    """
    How many answers are being drained.

    Args:
        policy: What is done at all.
        calls_max: How many at once; beyond that, answers are aborted.
        seconds_max: How long one may take; then it is aborted.

    """

    def __init__(self, policy: ClientGonePolicy, *, calls_max: int, seconds_max: float) -> None:
        self.calls = 0
        self._policy = policy
        self._calls_max = calls_max
        self._seconds_max = seconds_max

    def begin(self, abort: Callable[[], None]) -> asyncio.TimerHandle | None:
        """Drain one more, and call *abort* if it takes too long; None where it is not to be drained."""
        if self._policy == "abort" or self.calls >= self._calls_max:
            return None
        self.calls += 1
        return asyncio.get_running_loop().call_later(self._seconds_max, abort)

    def end(self, deadline: asyncio.TimerHandle | None) -> None:
        """It is over, if it had begun."""
        if deadline is not None:
            deadline.cancel()
            self.calls -= 1
