"""The dashboard on a socket, in the foreground or in a thread, until nobody looks any more."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from farthing.serving.server import Server

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_SHUTDOWN_S = 3


class DashboardServer(Server):
    """
    A dashboard that listens.

    Args:
        app: What it serves.
        host: An address of this machine.
        port: 0: any free one.
        idle_s: End once nobody has asked for anything for so long; None: never.

    Raises:
        BadInput: The address cannot be had.

    """

    def __init__(self, app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0, idle_s: float | None = None) -> None:
        self._app = app
        self._idle_s = idle_s
        self._asked_at_s = time.monotonic()
        super().__init__(
            self._heard,
            name="dashboard",
            host=host,
            port=port,
            log_level="warning",
            proxy_headers=False,  # who is behind a proxy is our own decision
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )

    def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C, or until nobody looks any more."""
        if self._idle_s is not None:
            threading.Thread(target=self._end_when_idle, args=(self._idle_s,), daemon=True).start()
        super().run()

    async def _heard(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._asked_at_s = time.monotonic()
        await self._app(scope, receive, send)

    def _end_when_idle(self, idle_s: float) -> None:
        while (left_s := self._asked_at_s + idle_s - time.monotonic()) > 0:
            time.sleep(left_s)
        self.end_soon()
