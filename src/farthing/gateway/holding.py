"""
What one request holds of the limits, from its admission to its end.

It may wait for its turn, and gives that up where its client leaves meanwhile. What was admitted is told once what it
came to. What a batch reserved outlives the request that made it. The making of a batch is no call and in no journal
otherwise, so what it holds is written down here, until the store of budgets has it as a pledge or it is free.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from farthing.gateway.client import ClientGone
from farthing.gateway.decide import Refuse, Refused

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.gateway.asked import Asked
    from farthing.gateway.limiting import Hold, Limiter
    from farthing.gateway.recorder import Recorder
    from farthing.gateway.routes import Route
    from farthing.gateway.wire import Headers
    from farthing.ledger.interface import Reserved, Stored


class Holding:
    """
    One request's part in the limits; all of it does nothing where there are none for it.

    Args:
        limiter: Budgets and rate limits; None: there are none.
        recorder: Where it is written down what a batch holds. entry: the name that the request has there.
        route: Of the request. makes_batch: whether it makes a Message Batch.

    Attributes:
        is_limited: Whether there are limits for it, so that its body has to be read first.
        reserved: What the journal is to say of it, before it is sent.

    """

    def __init__(
        self, limiter: Limiter | None, recorder: Recorder, entry: str, route: Route, *, makes_batch: bool
    ) -> None:
        self.is_limited = limiter is not None and limiter.applies(route, makes_batch=makes_batch)
        self._limiter = limiter if self.is_limited else None
        self._recorder = recorder
        self._entry = entry
        self._makes_batch = makes_batch
        self._is_written = False
        self.reserved: tuple[Reserved, ...] = ()
        self._hold: Hold | None = None
        self._waiting: asyncio.Task[None] | None = None
        self._left = False

    async def admit(self, asked: Asked, body: bytes | None, dims: dict[str, str], upstream: str, at: datetime) -> None:
        """
        Wait for a turn and reserve the worst case; see :meth:`farthing.gateway.limiting.Limiter.admit`. *at* is now.

        Raises:
            Refused: A limit does not let it through.
            ClientGone: The client left while it waited.

        """
        if self._limiter is None:
            return
        self._waiting = task = asyncio.current_task()
        try:
            found = await self._limiter.admit(asked, body, dims, upstream, makes_batch=self._makes_batch)
        except asyncio.CancelledError:
            if task is None or not self._left:
                raise
            task.uncancel()
            raise ClientGone from None
        finally:
            self._waiting = None
        if isinstance(found, Refuse):
            raise Refused(found)
        self._hold = found
        self.reserved = () if found is None else found.reserved
        if self._makes_batch and self.reserved:
            self._is_written = True
            self._recorder.begin(self._entry, at, asked.model, self.reserved)

    def leave(self) -> bool:
        """The client has left; True where it waited for its turn, and now does no more."""
        if self._waiting is None:
            return False
        self._left = True
        self._waiting.cancel()
        return True

    def observe(self, status: int, fields: Headers) -> None:
        """Hear the head of an answer, of every attempt; names in lower case."""
        if self._hold is not None:
            self._hold.observe(status, fields)

    def headers(self) -> Headers:
        """What the client is told of the limits."""
        return [] if self._hold is None else self._hold.headers()

    def hand_over(self, batch_id: str | None) -> None:
        """A batch was made: what was reserved waits for its results. None: none was, as far as the answer tells."""
        if batch_id and self._limiter is not None and self._hold is not None:
            if self._limiter.batch_made(batch_id, self._hold):
                self._free("it made a batch")
            self._hold = None

    def end(self, outcome: Stored | None, *, is_free: bool) -> None:
        """
        Tell what the call came to, once.

        Args:
            outcome: What it was posted as; None where it was not.
            is_free: Whether it is then sure that nothing was billed; else nobody knows.

        """
        hold, self._hold = self._hold, None
        if hold is None:
            return
        if outcome is not None:
            hold.billed(outcome)
        elif is_free:
            hold.free()
            self._free("no batch was made")
        else:
            hold.unknown()

    def _free(self, why: str) -> None:
        if self._is_written:
            self._recorder.held_no_more(self._entry, why)
