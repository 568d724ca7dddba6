"""
One keep-alive connection to the upstream: bytes out, one response at a time in, back-pressure both ways.

Reading stops while the client is slower than the upstream, and whoever writes waits while the upstream is slower than
the client, so a call holds a bounded number of bytes whatever its length.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from farthing.gateway.deadlines import Silence
from farthing.gateway.failures import Broken, TooSlow
from farthing.gateway.wire import ResponseReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.gateway.deadlines import Deadlines

_READ_HIGH_BYTES = 256 * 2**10


class Connection(asyncio.Protocol):
    """
    A connection, for one exchange after another.

    Attributes:
        used: Whether it has carried an exchange before.
        closed: Whether it has ended, from either side.

    """

    def __init__(self, deadlines: Deadlines) -> None:
        self.used = False
        self.closed = False
        self.idle_since = 0.0
        self._loop = asyncio.get_running_loop()
        self._deadlines = deadlines
        self._silence = Silence(deadlines, self._too_slow)
        self._sink: Callable[[bytes], bool] | None = None
        self._sated = False
        self._transport: asyncio.Transport | None = None
        self._response: ResponseReader | None = None
        self._fault: Broken | TooSlow | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._write_paused = self._read_paused = False

    # -- an exchange ----------------------------------------------------------------------------------------------

    def begin(self, *, to_head: bool) -> ResponseReader:
        """Get ready for the response to a new request."""
        assert self._response is None
        self._response = ResponseReader(to_head=to_head)
        return self._response

    def write(self, data: bytes) -> None:
        """Send *data*; it is held where the upstream takes it slowly, see :meth:`drain`."""
        if self._transport is not None and not self.closed:
            self._transport.write(data)

    async def drain(self) -> None:
        """
        Wait until the upstream took most of what was written, or is gone or has answered.

        Raises:
            TooSlow: It took nothing for longer than the deadline.

        """
        while self._write_paused and not self.closed and not (self._response and self._response.status):
            self._drained = self._loop.create_future()
            deadline = self._deadlines.begin(self._not_taking)
            try:
                await self._drained
            finally:
                self._deadlines.end(deadline)
                self._drained = None

    async def head(self) -> ResponseReader:
        """
        Wait for the head of the response.

        Raises:
            Broken: The connection ended first. TooSlow: the deadline passed first.

        """
        response = self._response
        assert response is not None
        while not response.status:
            await self._more()
        return response

    async def body(self) -> bytes:
        """
        The next bytes of the body; empty at its end.

        Raises:
            Broken: The connection ended first. TooSlow: the deadline passed first.

        """
        response = self._response
        assert response is not None
        while not response.body and not response.complete:
            await self._more()
        return self.take()

    def take(self) -> bytes:
        """What there is of the body and nobody took; empty for nothing."""
        assert self._response is not None
        data = self._response.take()
        if self._read_paused and self._transport is not None and not self.closed:
            self._read_paused = False
            self._transport.resume_reading()
        return data

    async def pass_to(self, sink: Callable[[bytes], bool]) -> bool:
        """
        Hand each piece of the body to *sink* in the moment in which it comes; True at the body's end.

        Where *sink* returns False it wants no more for now, and so does this.

        Raises:
            Broken: The connection ended first. TooSlow: the deadline passed first.

        """
        response = self._response
        assert response is not None
        while True:
            data = self.take()
            if data and not sink(data):
                return False
            if response.complete:
                return not response.body
            self._sink, self._sated = sink, False
            try:
                await self._more()
            finally:
                self._sink = None
            if self._sated:
                return False

    def end(self) -> bool:
        """End the exchange; True where the connection can carry another one."""
        response, self._response = self._response, None
        self.used = True
        reusable = response is not None and response.complete and response.keep_alive
        if not reusable or self._write_paused:
            self.abort()
        return not self.closed

    def abort(self) -> None:
        """Close at once; what is not sent yet never will be."""
        if self._transport is not None and not self.closed:
            self._transport.abort()
        self.closed = True

    async def _more(self) -> None:
        """Wait until something has changed."""
        if self._fault is not None:
            raise self._fault
        if self.closed:
            started = self._response is not None and self._response.started
            raise Broken("the connection to the upstream was closed", answered=started)
        self._waiter = self._loop.create_future()
        self._silence.begin()
        try:
            await self._waiter
        finally:
            self._silence.end()
            self._waiter = None

    def _too_slow(self) -> None:
        if self._waiter is not None:
            _expire(self._waiter, "the upstream sent nothing for longer than the deadline")

    def _not_taking(self) -> None:
        if self._drained is not None:
            _expire(self._drained, "the upstream stopped taking the request")

    def _wake(self) -> None:
        for waiter in (self._waiter, self._drained):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    # -- callbacks of asyncio -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Bytes came; on an idle connection that is no HTTP any more."""
        response = self._response
        if response is None:
            self.abort()
            return
        try:
            response.feed(data)
        except Broken as fault:
            self._fault = fault
            self.abort()
        if self._sink is not None and self._fault is None and not response.complete:
            if not response.body or self._sink(response.take()):
                self._silence.heard_s = self._loop.time()
                return
            self._sink, self._sated = None, True
        if response.body_bytes > _READ_HIGH_BYTES and not self._read_paused and not self.closed:
            assert self._transport is not None
            self._read_paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended."""
        self.closed = True
        if self._response is not None and self._fault is None:
            try:
                self._response.end()
            except Broken as fault:
                fault.__cause__ = exc
                self._fault = fault
        self._wake()

    def pause_writing(self) -> None:
        """The upstream is slower than we are."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """It caught up."""
        self._write_paused = False
        self._wake()


def _expire(waiter: asyncio.Future[None], what: str) -> None:
    if not waiter.done():
        waiter.set_exception(TooSlow(what))
