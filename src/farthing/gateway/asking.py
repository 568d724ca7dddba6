"""
The upstream's side of an exchange: the request goes out, on a second connection where the first turns out to be dead.

What was held of the request goes out at once, and the rest of a longer one as the client sends it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from farthing.gateway.client import ClientGone
from farthing.gateway.failures import Broken, UpstreamFault
from farthing.gateway.headers import first, for_upstream
from farthing.gateway.wire import LAST_CHUNK, chunk, request_head

if TYPE_CHECKING:
    from farthing.gateway.client import Client
    from farthing.gateway.connection import Connection
    from farthing.gateway.desk import Came
    from farthing.gateway.pool import Pool
    from farthing.gateway.wire import ResponseReader

_JOINED_BYTES_MAX = 64 * 2**10
"""Up to here head and body go out in one write; a longer body is not copied for that."""


class Steps(Protocol):
    """Hears how far a request is."""

    def sent(self) -> None:
        """What was held of it is sent; the upstream works now."""
        ...

    def all_came(self) -> None:
        """The rest of it has come, too."""
        ...


class Asking:
    """
    One request's way to the upstream.

    Args:
        pool: Connections to the upstream.
        client: Whose request it is, for what is not held of it.
        came: The request as it came.
        metered: Whether the answer's body has to be read.

    Attributes:
        connection: What carries it; None before that, and after :meth:`give_back`.
        waited_s: How long the last attempt had to wait for a connection.

    """

    def __init__(self, pool: Pool, client: Client, came: Came, *, metered: bool) -> None:
        self.connection: Connection | None = None
        self.waited_s = 0.0
        self._pool = pool
        self._client = client
        self._came = came
        self._metered = metered
        self._chunked = first(came.headers, b"transfer-encoding") is not None

    async def answer(self, held: bytes, steps: Steps) -> ResponseReader:
        """
        Send it, and wait for the head of the answer.

        Args:
            held: What is there of its body.
            steps: Who wants to know how far it is; not kept, for it is often who keeps us.

        Raises:
            UpstreamFault: There is none. ClientGone: the client left before anything was sent.

        """
        self.waited_s = 0.0
        connection = self._pool.take_idle()
        has_gone_out = connection is not None
        if connection is not None:
            try:
                return await self._ask(connection, held, steps)
            except Broken as fault:
                if fault.answered or self._client.gone or not self._client.body_complete:
                    raise
            self.give_back()
        waited_s = time.perf_counter()
        try:
            connection = await self._pool.connect()
        except UpstreamFault as fault:
            fault.sent = has_gone_out  # over the one that was dead, or died of it: who knows
            raise
        self.waited_s = time.perf_counter() - waited_s
        return await self._ask(connection, held, steps)

    def give_back(self) -> None:
        """Let the connection go, to be used again if it can be."""
        if self.connection is not None:
            self._pool.give_back(self.connection)
            self.connection = None

    def abort(self) -> None:
        """End it where it is; what was sent may be billed all the same."""
        if self.connection is not None:
            self.connection.abort()

    async def _ask(self, connection: Connection, held: bytes, steps: Steps) -> ResponseReader:
        if self._client.gone:
            self._pool.give_back(connection)
            raise ClientGone
        self.connection = connection
        response = connection.begin(to_head=self._came.method == "HEAD")
        self._send(connection, held)
        steps.sent()
        if not self._client.body_complete:
            await self._send_rest(connection, response, steps)
        return await connection.head()

    def _send(self, connection: Connection, held: bytes) -> None:
        came, to = self._came, self._pool.upstream
        headers = for_upstream(came.headers, to.authority, metered=self._metered)
        head = request_head(came.method.encode(), to.prefix + came.target, headers)
        body = chunk(held) if self._chunked and held else held
        end = LAST_CHUNK if self._chunked and self._client.body_complete else b""
        if len(body) < _JOINED_BYTES_MAX:
            connection.write(head + body + end)
        else:
            for piece in (head, body, end):
                connection.write(piece)

    async def _send_rest(self, connection: Connection, response: ResponseReader, steps: Steps) -> None:
        """Pass the body on as it comes, until the upstream has heard enough to answer."""
        while not self._client.body_complete and not response.status and not connection.closed:
            piece = await self._client.body()
            if piece:
                connection.write(chunk(piece) if self._chunked else piece)
                await connection.drain()
        if self._client.body_complete:
            if self._chunked:
                connection.write(LAST_CHUNK)
            steps.all_came()
