"""The dashboard on a socket, in the foreground or in a thread."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import uvicorn

from farthing.errors import BadInput, FarthingError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_STARTUP_S, _SHUTDOWN_S = 10.0, 3


class DashboardServer:
    """
    A dashboard that listens. The port is bound at once; requests are answered from :meth:`run` or :meth:`start` on.

    Args:
        app: What it serves.
        host: An address of this machine.
        port: 0: any free one.
        idle_s: End once nobody has asked for anything for so long; None: never.

    Raises:
        BadInput: The address cannot be had.

    """

    def __init__(self, app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0, idle_s: float | None = None) -> None:
        try:
            self._socket = socket.create_server((host, port), family=_family(host))
        except OSError as error:
            told = f"tried to listen on {host} port {port}: {error.strerror}"
            raise BadInput(told, "an address that is free", "--port 0 takes any") from error
        self._idle_s = idle_s
        self._asked_at_s = time.monotonic()
        self._app = app
        config = uvicorn.Config(
            self._heard,
            interface="asgi3",
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,  # who is behind a proxy is our own decision
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None
        shown = f"[{host}]" if ":" in host else host
        self.base_url = f"http://{shown}:{self._socket.getsockname()[1]}"

    def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C, or until nobody looks any more."""
        if self._idle_s is not None:
            threading.Thread(target=self._end_when_idle, args=(self._idle_s,), daemon=True).start()
        self._server.run(sockets=[self._socket])

    def start(self) -> None:
        """
        Serve from a thread until :meth:`stop`.

        Raises:
            FarthingError: It did not come up.

        """
        self._thread = threading.Thread(target=self.run, name="farthing dashboard", daemon=True)
        self._thread.start()
        waiting = threading.Event()
        for _ in range(int(_STARTUP_S / 0.01)):
            if self._server.started:
                return
            waiting.wait(0.01)
        raise FarthingError(f"the dashboard at {self.base_url} did not come up within {_STARTUP_S:.0f} s")

    async def _heard(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._asked_at_s = time.monotonic()
        await self._app(scope, receive, send)

    def _end_when_idle(self, idle_s: float) -> None:
        while (left_s := self._asked_at_s + idle_s - time.monotonic()) > 0:
            time.sleep(left_s)
        self.end_soon()

    def end_soon(self) -> None:
        """Let :meth:`run` return, as on SIGTERM."""
        self._server.should_exit = True

    def stop(self) -> None:
        """End the thread."""
        self.end_soon()
        if self._thread is not None:
            self._thread.join()
        self._socket.close()


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
