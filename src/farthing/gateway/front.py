"""
A client's connection: one request served after the other, answers to bytes.

What is held for a client that sends or takes slowly is bounded, and so are the time for a head to come, its length, and
the time that an idle connection is kept.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

import msgspec

from farthing.gateway.client import Client
from farthing.gateway.heads import TOO_SLOW
from farthing.gateway.incoming import RequestReader

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from farthing.gateway.deadlines import Deadlines
    from farthing.gateway.heads import BadHead
    from farthing.gateway.incoming import Scope
    from farthing.gateway.wire import Headers

    Serve = Callable[[Scope, Client], Awaitable[None]]


class Shared:
    """
    What all connections of a server share.

    Args:
        serve: Serves one request: its method, paths, query and headers by name, and its client.
        loop: The event loop.
        deadlines: For a client that sends or takes nothing. idle: for a connection without a request.
        heads: For a head that has begun.
        refused: Gets the status of each request that is answered before it could be served.
        failed: Gets one line where serving failed in a way that nobody foresaw.

    Attributes:
        fronts: Open connections. tasks: requests under way, those of clients that left too.
        closing: Whether each connection is to end with the request it carries.
        closed: Whether no request may begin any more.

    """

    def __init__(
        self,
        serve: Serve,
        loop: asyncio.AbstractEventLoop,
        *,
        deadlines: Deadlines,
        idle: Deadlines,
        heads: Deadlines,
        refused: Callable[[int], None],
        failed: Callable[[str], None],
    ) -> None:
        self.serve = serve
        self.loop = loop
        self.deadlines = deadlines
        self.idle = idle
        self.heads = heads
        self.refused = refused
        self.failed = failed
        self.fronts: set[Front] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.closing = False
        self.closed = False


class Front(asyncio.Protocol):
    """
    One connection.

    Attributes:
        write: Sends bytes, as long as there is somebody to send them to.

    """

    def __init__(self, shared: Shared) -> None:
        self.loop = shared.loop
        self.deadlines = shared.deadlines
        self.write: Callable[[bytes], None] = _to_nobody
        self.write_paused = False
        self._shared = shared
        self._transport: asyncio.Transport | None = None
        self._reader = RequestReader(self)
        self._serving: Client | None = None
        self._served = False
        self._coming: Client | None = None
        self._waiting: deque[tuple[Scope, Client]] = deque()
        self._read_paused = False
        self._idle = 0
        self._head_late = 0

    # -- for clients ----------------------------------------------------------------------------------------------

    def resume(self) -> None:
        """Read on, if reading had stopped."""
        if self._read_paused and not self._waiting and self._transport is not None:
            self._read_paused = False
            self._transport.resume_reading()

    def peer(self) -> str:
        """The address that it comes from; empty: not known."""
        name = None if self._transport is None else self._transport.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) and name else ""

    def give_up(self) -> None:
        """Break off: it sends or takes nothing."""
        if self._transport is not None:
            self._transport.abort()
        self._lost()

    def end_soon(self) -> None:
        """Close now where it rests between two requests, else after the one under way."""
        if self._serving is None and not self.is_coming:
            self._close()

    @property
    def is_coming(self) -> bool:
        """Whether its first request, or one whose head has begun, may be on its way."""
        return self._serving is None and (self._reader.head_begun or not self._served)

    # -- callbacks of asyncio -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)
        if self._shared.closed:
            self._transport.abort()
            return
        self.write = self._transport.write
        self._shared.fronts.add(self)
        self._idle = self._shared.idle.begin(self._close)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        bad = self._reader.feed(data)
        if bad is not None:
            self._refuse(bad)
        elif self._reader.head_bytes and not self._head_late:
            self._head_late = self._shared.heads.begin(self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended."""
        del exc
        self._lost()

    def pause_writing(self) -> None:
        """The client takes bytes slower than they come."""
        self.write_paused = True

    def resume_writing(self) -> None:
        """It caught up."""
        self.write_paused = False
        if self._serving is not None:
            self._serving.wake()

    # -- what its bytes come to -----------------------------------------------------------------------------------

    def head_came(self, scope: Scope, *, is_1_1: bool, keep_alive: bool, expects: bool) -> None:
        """A request begins."""
        if self._head_late:
            self._shared.heads.end(self._head_late)
            self._head_late = 0
        client = Client(self, scope["method"], is_1_1=is_1_1, keep_alive=keep_alive, expects=expects)
        self._coming = client
        if self._serving is None and not self._waiting:
            self._begin(scope, client)
        else:
            self._waiting.append((scope, client))
            self._pause()

    def on_body(self, data: bytes) -> None:
        """A piece of its body, which nobody wants once the answer is whole."""
        client = self._coming
        if client is not None and not client.ended and not client.came(data):
            self._pause()

    def body_ended(self) -> None:
        """It is whole."""
        if self._coming is not None:
            self._coming.all_came()
            self._coming = None

    # -- requests, one after the other ----------------------------------------------------------------------------

    def _begin(self, scope: Scope, client: Client) -> None:
        if self._shared.closed:
            self.give_up()
            return
        self._shared.idle.end(self._idle)
        self._serving, self._served = client, True
        task = self.loop.create_task(self._serve(scope, client))
        self._shared.tasks.add(task)
        task.add_done_callback(self._shared.tasks.discard)

    async def _serve(self, scope: Scope, client: Client) -> None:
        try:
            await self._shared.serve(scope, client)
        except Exception as error:  # noqa: BLE001 - one request must not end the server
            self._shared.failed(f"a request failed: {type(error).__name__}")
            if not client.started and not client.gone:
                client.keep_alive = False
                client.answer(500, *_error("farthing: the gateway failed", "api_error"))
        finally:
            self._over(client)

    def _over(self, client: Client) -> None:
        self._serving = None
        transport = self._transport
        if transport is None or client.gone:
            return
        if not client.ended:
            transport.abort()  # half an answer never looks whole
        elif not client.keep_alive or self._shared.closing or client.expects:
            transport.close()
        elif self._waiting:
            self._begin(*self._waiting.popleft())
            self.resume()
        else:
            self._idle = self._shared.idle.begin(self._close)
            self.resume()

    def _head_is_late(self) -> None:
        self._head_late = 0
        if self._serving is not None:  # a stray byte behind a request is no reason to break its answer off
            self._head_late = self._shared.heads.begin(self._head_is_late)
        elif self._reader.head_begun:
            self._refuse(TOO_SLOW)
        else:
            self._close()

    def _refuse(self, bad: BadHead) -> None:
        """What cannot be read ends the connection, once the request before it is answered."""
        serving, transport = self._serving, self._transport
        if transport is None:
            return
        if serving is not None and self._coming is not serving:
            serving.keep_alive = False
            self._waiting.clear()
            self._pause()
        elif serving is not None and serving.started:
            self.give_up()
        else:
            client = Client(self, "GET", is_1_1=True, keep_alive=False, expects=False)
            client.answer(bad.status, *_error(bad.message, bad.error_type))
            self._shared.refused(bad.status)
            transport.close()
            self._lost()

    def _pause(self) -> None:
        if not self._read_paused and self._transport is not None:
            self._read_paused = True
            self._transport.pause_reading()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _lost(self) -> None:
        self._transport = None
        self.write = _to_nobody
        self._shared.fronts.discard(self)
        self._shared.idle.end(self._idle)
        self._shared.heads.end(self._head_late)
        self._waiting.clear()
        if self._serving is not None:
            self._serving.lost()


def _to_nobody(data: bytes) -> None:
    pass


def _error(message: str, kind: str) -> tuple[Headers, bytes]:
    body = msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})
    return [(b"content-type", b"application/json")], body
