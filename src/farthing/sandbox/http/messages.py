"""
``/v1/messages`` and ``/v1/messages/count_tokens`` on the wire: framing, delays, scripted cuts, clients that leave.

Source: facts: claude-api 4, checked 2026-11-20.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.messages import Refused, begin, count_tokens

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from farthing.sandbox.begun import Begun
    from farthing.sandbox.http.visit import Visit
    from farthing.sandbox.stream import Event
    from farthing.sandbox.world import World

_log = logging.getLogger("farthing.sandbox")
_LAST = frozenset({"message_stop", "error"})
_JSON, _SSE = "application/json", "text/event-stream; charset=utf-8"


async def post_message(visit: Visit) -> Response:
    """``POST /v1/messages``."""
    begun = begin(visit.state.world, visit.caller, visit.headers, await visit.body())
    if isinstance(begun, Refused):
        return Response(begun.body, begun.status, dict(begun.headers), _JSON)
    return Played(visit.state.world, begun)


async def post_count(visit: Visit) -> Response:
    """``POST /v1/messages/count_tokens``."""
    status, headers, body = count_tokens(visit.state.world, visit.caller, visit.headers, await visit.body())
    return Response(body, status, dict(headers), _JSON)


def frame(event: Event) -> bytes:
    """One server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (event.name.encode(), msgspec.json.encode(event.payload))


class Played(Response):
    """
    An accepted request as it plays out on the wire, booked exactly once, whatever happens to the connection.

    A scripted cut leaves the response unfinished: the server then breaks the connection.
    """

    def __init__(self, world: World, begun: Begun) -> None:
        super().__init__()
        self._world = world
        self._begun = begun

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        del scope
        wire = _Wire(self._world, self._begun, receive, send)
        try:
            await (wire.stream() if self._begun.is_stream else wire.message())
        except Exception:
            _log.exception("request %s failed while it was answered", self._begun.request_id)
            raise
        finally:
            self._begun.settle(wire.events_sent)  # does nothing where it is booked already
            wire.close()


class _Wire:
    """
    One response on one connection.

    Attributes:
        events_sent: How many whole events were handed to the connection.

    """

    def __init__(self, world: World, begun: Begun, receive: Receive, send: Send) -> None:
        self.events_sent = 0
        self._world = world
        self._begun = begun
        self._send = send
        self._bytes_left = begun.cut_after_bytes
        self._gone = asyncio.create_task(_disconnected(receive), name="sandbox: watch for the client to leave")

    def close(self) -> None:
        self._gone.cancel()

    async def stream(self) -> None:
        begun = self._begun
        if not await self._wait(begun.first_byte_delay_s):
            return
        begun.first_byte()
        await self._start([(b"content-type", _SSE.encode()), (b"cache-control", b"no-cache")])
        for event in begun.events():
            if not await self._wait(event.delay_s):
                return
            if event.name in _LAST:
                begun.settle()  # the client may look at the books as soon as it sees the end
            if not await self._body(frame(event)):
                return
            self.events_sent += 1
        if not begun.broken_off:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def message(self) -> None:
        begun = self._begun
        if not await self._wait(begun.first_byte_delay_s):
            return
        begun.first_byte()
        body = msgspec.json.encode(begun.message())
        begun.settle()
        await self._start([(b"content-type", _JSON.encode()), (b"content-length", str(len(body)).encode())])
        if await self._body(body):
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _start(self, more: list[tuple[bytes, bytes]]) -> None:
        headers = [(name.encode(), value.encode()) for name, value in self._begun.headers()]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers + more})

    async def _body(self, piece: bytes) -> bool:
        """Send a piece of the body; False where a scripted cut falls into it."""
        left = self._bytes_left
        if left is not None:
            self._bytes_left = left - len(piece)
            piece = piece[: max(0, left)]
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        return self._bytes_left is None or self._bytes_left >= 0

    async def _wait(self, delay_s: float) -> bool:
        """Let time pass, on whichever clock it is; False where the client has left."""
        clock = self._world.clock
        if delay_s and isinstance(clock, VirtualClock):
            clock.advance(delay_s)
            delay_s = 0
        if delay_s:
            await asyncio.wait({self._gone}, timeout=delay_s)
        else:
            await asyncio.sleep(0)
        return not self._gone.done()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
