"""The dashboard on a socket, in the foreground or in a thread."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import uvicorn

from farthing.errors import BadInput, FarthingError

if TYPE_CHECKING:
    from starlette.applications import Starlette

_STARTUP_S, _SHUTDOWN_S = 10.0, 3


class DashboardServer:
    """
    A dashboard that listens. The port is bound at once; requests are answered from :meth:`run` or :meth:`start` on.

    Args:
        app: What it serves.
        host: An address of this machine.
        port: 0: any free one.

    Raises:
        BadInput: The address cannot be had.

    """

    def __init__(self, app: Starlette, *, host: str = "127.0.0.1", port: int = 0) -> None:
        try:
            self._socket = socket.create_server((host, port), family=_family(host))
        except OSError as error:
            told = f"tried to listen on {host} port {port}: {error.strerror}"
            raise BadInput(told, "an address that is free", "--port 0 takes any") from error
        config = uvicorn.Config(
            app,
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
        """Serve until SIGTERM or Ctrl-C."""
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
