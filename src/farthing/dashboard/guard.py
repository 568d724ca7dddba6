"""What stands before every page: only names of ours are answered to, and every answer carries the headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

from farthing.dashboard import security

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Guard:
    """
    Refuses names that are not ours, and puts the headers on every answer.

    Args:
        app: What it stands before.
        hosts: Names we go by besides addresses.

    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(name.encode(), value.encode()) for name, value in security.HEADERS.items()]
                names = {name for name, _ in message["headers"]}
                if b"cache-control" not in names:
                    headers.append((b"cache-control", b"no-cache" if _is_static(scope) else b"no-store"))
                message = {**message, "headers": [*message["headers"], *headers]}
            await send(message)

        if len(found) != 1 or not security.is_our_name(found[0], self._hosts):
            told = "This name is not one of the dashboard's. The setting dashboard.hosts lists them.\n"
            await PlainTextResponse(told, 421)(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)


def _is_static(scope: Scope) -> bool:
    return str(scope["path"]).startswith("/static/")
