"""The sandbox on a socket, in the foreground or in a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.sandbox.http.app import create_app
from farthing.serving.address import is_loopback
from farthing.serving.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.sandbox.state import State

_SHUTDOWN_S = 5


class SandboxServer(Server):
    """
    One sandbox that listens.

    Attributes:
        controls: Whether ``/sandbox/...`` is served.

    Args:
        state: What it serves.
        host: An address of this machine.
        port: 0: any free one.
        controls: As above; None: on loopback only.
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
        self.controls = is_loopback(host) if controls is None else controls
        super().__init__(
            create_app(state, controls=self.controls, log=log),
            name="sandbox",
            host=host,
            port=port,
            log_level="critical",  # a scripted cut is an error to uvicorn
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
