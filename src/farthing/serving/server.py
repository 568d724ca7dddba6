"""One server: a port that is bound at once, and uvicorn behind it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import uvicorn

from farthing.errors import FarthingError
from farthing.serving.address import listen

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_STARTUP_S = 10.0


class Server:
    """
    An app that listens. The port is bound at once; requests are answered from :meth:`run` or :meth:`start` on.

    Attributes:
        base_url: Where it is, with the port that it got.

    Args:
        app: What it serves; it needs no lifespan events.
        name: What it is called where it does not come up.
        host: An address of this machine.
        port: 0: any free one.
        config: What else ``uvicorn.Config`` takes.

    Raises:
        BadInput: The address cannot be had.

    """

    def __init__(self, app: ASGIApp, *, name: str, host: str, port: int, **config: Any) -> None:
        self._name = name
        self._socket = listen(host, port)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                interface="asgi3",
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                **config,
            )
        )
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
        self._thread = threading.Thread(target=self.run, name=f"farthing {self._name}", daemon=True)
        self._thread.start()
        waiting = threading.Event()
        for _ in range(int(_STARTUP_S / 0.01)):
            if self._server.started:
                return
            waiting.wait(0.01)
        raise FarthingError(f"the {self._name} at {self.base_url} did not come up within {_STARTUP_S:.0f} s")

    def end_soon(self) -> None:
        """Let :meth:`run` return, as on SIGTERM."""
        self._server.should_exit = True

    def stop(self) -> None:
        """End the thread. Answers that are still under way are broken off after a few seconds."""
        self.end_soon()
        if self._thread is not None:
            self._thread.join()
        self._socket.close()
