"""Listening: an event loop, a socket, and an end that lets open requests come to theirs."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from typing import TYPE_CHECKING

from farthing.gateway.deadlines import Deadlines
from farthing.gateway.front import Front, Shared

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from farthing.gateway.front import Serve

_BACKLOG = 2048
_COMING_S = 0.25
"""At the end, how long a connection without a request so far may take to send one."""
_LOOK_S = 0.01
_IDLE_S = 65.0
"""Longer than clients keep an idle connection, so that they never send into one that is being closed."""


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's, which is quicker, where there is one for this platform; else asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 - not there on every platform
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class Serving:
    """
    One server on one socket.

    Args:
        bound: The socket, listening.
        serve: Serves one request.
        head_timeout_s: How long a head may take, from its first byte.
        client_timeout_s: Longest silence of a client that sends, and longest wait for one that takes.
        shutdown_s: How long open requests may take to end.
        refused: Gets the status of each request that is answered before it could be served.
        failed: Gets one line where something failed in a way that nobody foresaw.

    """

    def __init__(
        self,
        bound: socket.socket,
        serve: Serve,
        *,
        head_timeout_s: float,
        client_timeout_s: float,
        shutdown_s: float,
        refused: Callable[[int], None],
        failed: Callable[[str], None],
    ) -> None:
        self._bound = bound
        self._serve = serve
        self._head_timeout_s = head_timeout_s
        self._client_timeout_s = client_timeout_s
        self._shutdown_s = shutdown_s
        self._refused = refused
        self._failed = failed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._end_asked = False

    async def run(self, listening: Callable[[], None]) -> None:
        """Serve until :meth:`end_soon`; *listening* is called once connections are taken."""
        loop = self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        if self._end_asked:
            self._end.set()
        deadlines, idle = Deadlines(self._client_timeout_s, loop), Deadlines(_IDLE_S, loop)
        heads = Deadlines(self._head_timeout_s, loop)
        shared = Shared(
            self._serve,
            loop,
            deadlines=deadlines,
            idle=idle,
            heads=heads,
            refused=self._refused,
            failed=self._failed,
        )
        server = await loop.create_server(lambda: Front(shared), sock=self._bound, backlog=_BACKLOG)
        try:
            listening()
            await self._end.wait()
            server.close()
            await self._end_requests(shared)
        finally:
            shared.closed = True
            server.close()
            deadlines.close()
            idle.close()
            heads.close()
            for front in tuple(shared.fronts):
                front.give_up()

    def end_soon(self) -> None:
        """Let :meth:`run` return; from any thread, or a handler of a signal."""
        self._end_asked = True
        if self._loop is not None and self._end is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended already
                self._loop.call_soon_threadsafe(self._end.set)

    async def _end_requests(self, shared: Shared) -> None:
        """
        Wait for requests that are under way or just coming in, then let none begin.

        What a request begun later would need is closed by then: it would fail, or its record would be lost.
        """
        loop = asyncio.get_running_loop()
        shared.closing, now_s = True, loop.time()
        for front in tuple(shared.fronts):
            front.end_soon()
        coming_s, until_s = now_s + min(_COMING_S, self._shutdown_s), now_s + self._shutdown_s
        while any(front.is_coming for front in shared.fronts) and loop.time() < coming_s:  # noqa: ASYNC110 - many may
            await asyncio.sleep(_LOOK_S)
        while shared.tasks and (left_s := until_s - loop.time()) > 0:
            await asyncio.wait(tuple(shared.tasks), timeout=left_s)
        shared.closed = True
        for task in (late := tuple(shared.tasks)):
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=self._shutdown_s)

    @contextlib.contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """Within, SIGTERM and Ctrl-C mean :meth:`end_soon`, where this is the main thread."""
        loop = asyncio.get_running_loop()
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heeded = []
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # Windows: whoever called us has handlers of its own
                loop.add_signal_handler(number, self.end_soon)
                heeded.append(number)
        try:
            yield
        finally:
            for number in heeded:
                loop.remove_signal_handler(number)
