"""The sandbox on a socket, in the foreground or in a thread."""

from __future__ import annotations

import ipaddress
import socket
import threading
from typing import TYPE_CHECKING

import uvicorn

from farthing.errors import BadInput, FarthingError
from farthing.sandbox.http.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.sandbox.state import State

_STARTUP_S, _SHUTDOWN_S = 10.0, 5


class SandboxServer:
    """
    One sandbox that listens. The port is bound at once; requests are answered from :meth:`run` or :meth:`start` on.

    Args:
        state: What it serves.
        host: An address of this machine.
        port: 0: any free one.
        controls: Whether ``/sandbox/...`` is served; None: on loopback only.
        log: Gets one line per request.

    Raises:
        BadInput: The address cannot be had.

    """

    def __init__(
        self,
        state: State,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        controls: bool | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self._socket = _bind(host, port)
        self.controls = is_loopback(host) if controls is None else controls
        app = create_app(state, controls=self.controls, log=log)
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="critical",  # a scripted cut is an error to uvicorn
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None
        shown = f"[{host}]" if ":" in host else host
        self.base_url = f"http://{shown}:{self._socket.getsockname()[1]}"

    def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C, then let open requests end."""
        self._server.run(sockets=[self._socket])

    def start(self) -> None:
        """
        Serve from a thread until :meth:`stop`.

        Raises:
            FarthingError: It did not come up.

        """
        self._thread = threading.Thread(target=self.run, name="farthing sandbox", daemon=True)
        self._thread.start()
        waiting = threading.Event()
        for _ in range(int(_STARTUP_S / 0.01)):
            if self._server.started:
                return
            waiting.wait(0.01)
        raise FarthingError(f"the sandbox at {self.base_url} did not come up within {_STARTUP_S:.0f} s; see the log")

    def end_soon(self) -> None:
        """Let :meth:`run` return, as on SIGTERM."""
        self._server.should_exit = True

    def stop(self) -> None:
        """End the thread. Streams that are still open are broken off after a few seconds."""
        self.end_soon()
        if self._thread is not None:
            self._thread.join()
        self._socket.close()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bind(host: str, port: int) -> socket.socket:
    """Listen, so that nobody is refused between now and the first answer."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # asyncio sends small packets at once only on sockets that name their protocol; otherwise an answer of several
        # packets waits for the client's delayed acknowledgement, 40 ms.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise _unavailable(host, port, error) from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen()
    except OSError as error:
        bound.close()
        raise _unavailable(host, port, error) from error
    return bound


def _unavailable(host: str, port: int, error: OSError) -> BadInput:
    return BadInput(f"tried to listen on {host} port {port}: {error.strerror}", "an address that is free")
