"""The client's side of an exchange: its body coming in, its answer going out, and whether it is still there."""

from __future__ import annotations

import http
from collections import deque
from typing import TYPE_CHECKING, Protocol

from farthing.gateway.wire import LAST_CHUNK, chunk

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from farthing.gateway.deadlines import Deadlines
    from farthing.gateway.wire import Headers

HELD_BYTES_HIGH = 64 * 2**10
"""So much of a body may wait here before the client is asked to pause."""
_JOINED_BYTES_MAX = 64 * 2**10
_WITHOUT_BODY = frozenset({204, 304})
_STATUS_LINES = {status.value: b"HTTP/1.1 %d %b" % (status, status.phrase.encode()) for status in http.HTTPStatus}
_STATUS_LINES[529] = b"HTTP/1.1 529 Overloaded"


class ClientGone(Exception):
    """The client left before its request was whole, or sends or takes nothing any more."""


class Line(Protocol):
    """
    What a client needs of its connection.

    Attributes:
        loop: The event loop. deadlines: for a client that sends or takes nothing.
        write_paused: Whether it takes bytes slower than they come.

    """

    loop: asyncio.AbstractEventLoop
    deadlines: Deadlines
    write_paused: bool

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def resume(self) -> None:
        """Read on, if reading had stopped."""

    def peer(self) -> str:
        """The address that it comes from; empty: not known."""

    def give_up(self) -> None:
        """Break off: it sends or takes nothing."""


class Client:
    """
    One request's client.

    Args:
        line: Its connection.
        method: Of the request.
        is_1_1: Whether it speaks HTTP/1.1, and so knows chunks.
        keep_alive: Whether it wants to go on after this request.
        expects: Whether it waits for ``100 Continue`` before it sends its body.

    Attributes:
        gone: Whether it has left.
        body_complete: Whether its whole body came, as far as anybody took it.
        started: Whether its answer has begun. ended: whether it is whole.
        expects: Whether it still waits for that.

    """

    def __init__(self, line: Line, method: str, *, is_1_1: bool, keep_alive: bool, expects: bool) -> None:
        self.gone = False
        self.body_complete = False
        self.started = False
        self.ended = False
        self.keep_alive = keep_alive
        self._line = line
        self._is_head = method == "HEAD"
        self._is_1_1 = is_1_1
        self.expects = expects
        self._pieces: deque[bytes] = deque()
        self._held_bytes = 0
        self._all_came = False
        self._waiter: asyncio.Future[None] | None = None
        self._left: Callable[[], None] | None = None
        self._head = b""
        self._flush: asyncio.Handle | None = None
        self._has_body = self._chunked = False

    def peer(self) -> str:
        """The address that it comes from; empty: not known."""
        return self._line.peer()

    # -- its body -------------------------------------------------------------------------------------------------

    async def body(self) -> bytes:
        """
        Everything of its body that has come and was not taken, or the next piece; look at ``body_complete``.

        Raises:
            ClientGone: It left, or sent nothing for too long.

        """
        if self.expects and not self._pieces and not self._all_came and not self.started:
            self._line.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.expects = False
        while not self._pieces and not self._all_came and not self.gone:
            await self._wait()
        if self.gone:
            raise ClientGone
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._held_bytes = 0
        self.body_complete = self._all_came
        self._line.resume()
        return data

    async def held_body(self, bytes_max: int) -> bytes:
        """
        Its whole body, or as much of it as fills *bytes_max*.

        Raises:
            ClientGone: As :meth:`body`.

        """
        held = await self.body()
        if self.body_complete:
            return held
        pieces, size = [held], len(held)
        while not self.body_complete and size < bytes_max:
            pieces.append(await self.body())
            size += len(pieces[-1])
        return b"".join(pieces)

    def watch(self, left: Callable[[], None]) -> None:
        """Call *left* when the client leaves; only after its whole body came."""
        self._left = left
        if self.gone:
            left()

    def unwatch(self) -> None:
        """Stop watching."""
        self._left = None

    # -- its answer -----------------------------------------------------------------------------------------------

    def start(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """
        Begin the answer.

        Args:
            status: Of the answer.
            headers: Of the answer.
            body: The first piece of its body. Where it is empty, the head goes out with whatever comes first, or by
                itself in a moment.

        """
        self.started = True
        length = b"content-length" in {name.lower() for name, _ in headers}
        self._has_body = not self._is_head and status not in _WITHOUT_BODY
        lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d " % status, *map(b": ".join, headers)]
        if self._has_body and not length:
            self._chunked = self._is_1_1
            self.keep_alive = self.keep_alive and self._is_1_1
            if self._chunked:
                lines.append(b"transfer-encoding: chunked")
        if not self.keep_alive:
            lines.append(b"connection: close")
        self._head = b"\r\n".join([*lines, b"", b""])
        if body and self._has_body:
            self.write(body)
        else:
            self._flush = self._line.loop.call_soon(self._send_head)

    def write(self, data: bytes) -> bool:
        """Send a piece of the answer's body; False where it should get no more before :meth:`drained`."""
        if not self._has_body or not data or self.gone:
            return True
        if self._chunked:
            data = chunk(data)
        if self._head:
            if len(data) < _JOINED_BYTES_MAX:
                data = self._take_head() + data
            else:
                self._send_head()
        self._line.write(data)
        return not self._line.write_paused

    async def drained(self) -> bool:
        """Wait until it took most of what it was sent; False where it has left, or takes nothing for too long."""
        while self._line.write_paused and not self.gone:
            await self._wait()
        return not self.gone

    def end(self) -> None:
        """The answer is whole."""
        self.ended = True
        if self.gone:
            return
        rest = self._take_head() + (LAST_CHUNK if self._chunked else b"")
        if rest:
            self._line.write(rest)

    def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer at once."""
        self.start(status, [*headers, (b"content-length", b"%d" % len(body))], body)
        self.end()

    # -- what its connection tells --------------------------------------------------------------------------------

    def came(self, data: bytes) -> bool:
        """A piece of its body; False where no more should come before it was taken."""
        self._pieces.append(data)
        self._held_bytes += len(data)
        self.wake()
        return self._held_bytes < HELD_BYTES_HIGH

    def all_came(self) -> None:
        """Its body is whole."""
        self._all_came = True
        self.wake()

    def lost(self) -> None:
        """It has left."""
        if self.gone:
            return
        self.gone = True
        self._take_head()
        self.wake()
        if self._left is not None:
            self._left()

    def wake(self) -> None:
        """Something has changed."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = self._line.loop.create_future()
        deadline = self._line.deadlines.begin(self._line.give_up)
        try:
            await self._waiter
        finally:
            self._line.deadlines.end(deadline)
            self._waiter = None

    def _take_head(self) -> bytes:
        head, self._head = self._head, b""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        return head

    def _send_head(self) -> None:
        if (head := self._take_head()) and not self.gone:
            self._line.write(head)
