"""The client's side of an exchange: its body coming in, and whether it is still there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]


class ClientGone(Exception):
    """The client left before its request was whole, or sends or takes nothing any more."""


class Client:
    """
    One request's client.

    Args:
        receive: ASGI's. send: likewise.
        timeout_s: Longest silence while its body is awaited, and longest wait for it to take what it is sent.

    Attributes:
        gone: Whether it has left.
        body_complete: Whether its whole body came.

    """

    def __init__(self, receive: Receive, send: Send, timeout_s: float) -> None:
        self.gone = False
        self.body_complete = False
        self._receive = receive
        self._send = send
        self._timeout_s = timeout_s
        self._watch: asyncio.Task[None] | None = None

    async def body(self) -> bytes:
        """
        The next piece of its body, perhaps empty; look at ``body_complete``.

        Raises:
            ClientGone: It left, or sent nothing for too long.

        """
        try:
            async with asyncio.timeout(self._timeout_s):
                message = await self._receive()
        except TimeoutError:
            message = {"type": "http.disconnect"}
        if message["type"] != "http.request":
            self.gone = True
            raise ClientGone
        self.body_complete = not message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return piece

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
        self._watch = asyncio.get_running_loop().create_task(self._watching(left), name="gateway: watch a client")

    def unwatch(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.cancel()

    async def send(self, message: Message) -> bool:
        """Send something; False where it has left or does not take it."""
        if self.gone:
            return False
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._send(message)
        except TimeoutError:
            self.gone = True
        return not self.gone

    async def _watching(self, left: Callable[[], None]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        left()
