"""
Time passes for batches before anybody looks, without keeping everybody else waiting.

Whoever looks at batches, books or reports waits until everything that is due has happened. Everybody else waits for a
small backlog only, so that a script that does one thing after the other always sees the same; past a large one they are
answered at once, as at a service that works through a batch meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from farthing.sandbox.state import State

WORTH_WAITING = 1000
"""Requests of batches that a request for something else waits for: about 0.15 s of small ones."""


class CatchingUp:
    """The work on a backlog: at most one task at a time, in slices. Belongs to one event loop."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    async def catch_up(self, state: State, *, wholly: bool) -> None:
        """
        Let happen what should have happened by now.

        Args:
            state: Whose batches.
            wholly: Wait for all of it; False: unless it is too much to wait for.

        """
        batches, now = state.batches, state.world.clock.now()
        backlog = batches.backlog(now)
        if (self._task is None or self._task.done()) and not batches.step(now):
            return
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain(state), name="sandbox: work through batches")
        if wholly or backlog <= WORTH_WAITING:
            await asyncio.shield(self._task)  # one who leaves does not end it for the others

    async def _drain(self, state: State) -> None:
        batches, now = state.batches, state.world.clock.now()
        while batches is state.batches and batches.step(now):  # noqa: ASYNC110 - no wait: the others get their turns
            await asyncio.sleep(0)
