"""The sandbox as an ASGI application: every route, and the error answers of paths that are none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from farthing.sandbox.http import control, limits, messages, organization, resources
from farthing.sandbox.http.catching_up import CatchingUp
from farthing.sandbox.http.visit import ADMIN_KEYS, API_KEYS, REPORT_KEYS, endpoint, refusal
from farthing.sandbox.problems import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from farthing.sandbox.http.visit import Visit
    from farthing.sandbox.state import State

_METHOD_NOT_ALLOWED = 405

API: tuple[tuple[str, str, Callable[[Visit], Awaitable[Response]]], ...] = (
    ("POST", "/v1/messages", messages.post_message),
    ("POST", "/v1/messages/count_tokens", messages.post_count),
    ("GET", "/v1/models", resources.models),
    ("GET", "/v1/models/{model_id}", resources.model),
    ("POST", "/v1/files", resources.upload_file),
    ("GET", "/v1/files", resources.list_files),
    ("GET", "/v1/files/{file_id}", resources.get_file),
    ("DELETE", "/v1/files/{file_id}", resources.delete_file),
)
"""For keys of a workspace."""

BATCHES: tuple[tuple[str, str, Callable[[Visit], Awaitable[Response]]], ...] = (
    ("POST", "/v1/messages/batches", resources.create_batch),
    ("GET", "/v1/messages/batches", resources.list_batches),
    ("GET", "/v1/messages/batches/{batch_id}", resources.get_batch),
    ("DELETE", "/v1/messages/batches/{batch_id}", resources.delete_batch),
    ("POST", "/v1/messages/batches/{batch_id}/cancel", resources.cancel_batch),
    ("GET", "/v1/messages/batches/{batch_id}/results", resources.batch_results),
)
"""For keys of a workspace too; what is due by the clock has happened before they are answered."""

ADMIN: tuple[tuple[str, str, Callable[[Visit], Awaitable[Response]]], ...] = (
    ("GET", "/v1/organizations/me", organization.me),
    ("GET", "/v1/organizations/workspaces", organization.workspaces),
    ("GET", "/v1/organizations/workspaces/{workspace_id}", organization.workspace),
    ("GET", "/v1/organizations/api_keys", organization.api_keys),
    ("GET", "/v1/organizations/api_keys/{key_id}", organization.api_key),
    ("GET", "/v1/organizations/spend_limits", limits.listed),
    ("POST", "/v1/organizations/spend_limits", limits.put),
    ("GET", "/v1/organizations/spend_limits/effective", limits.effective),
    ("GET", "/v1/organizations/spend_limits/{spend_limit_id}", limits.got),
    ("DELETE", "/v1/organizations/spend_limits/{spend_limit_id}", limits.deleted),
    ("GET", "/v1/organizations/spend_limit_increase_requests", limits.increase_requests),
    ("GET", "/v1/organizations/spend_limit_increase_requests/{request_id}", limits.increase_request),
    ("POST", "/v1/organizations/spend_limit_increase_requests/{request_id}/approve", limits.increase_request),
    ("POST", "/v1/organizations/spend_limit_increase_requests/{request_id}/deny", limits.increase_request),
    ("GET", "/v1/organizations/rate_limits", limits.rate_limits),
    ("GET", "/v1/organizations/workspaces/{workspace_id}/rate_limits", limits.workspace_rate_limits),
    (
        "POST",
        "/v1/organizations/workspaces/{workspace_id}/rate_limits/{rate_limit_id}",
        limits.set_workspace_rate_limits,
    ),
)
"""For admin keys."""

ADMIN_REPORTS: tuple[tuple[str, str, Callable[[Visit], Awaitable[Response]]], ...] = (
    ("GET", "/v1/organizations/usage_report/messages", organization.usage_messages),
    ("GET", "/v1/organizations/usage_report/claude_code", organization.usage_claude_code),
    ("GET", "/v1/organizations/cost_report", organization.cost),
)
"""For admin keys too, from the books."""

REPORTS: tuple[tuple[str, str, Callable[[Visit], Awaitable[Response]]], ...] = (
    ("GET", "/v1/organizations/analytics/usage", organization.usage_analytics),
    ("GET", "/v1/organizations/analytics/cost", organization.cost_analytics),
)
"""For admin and analytics keys."""


def create_app(state: State, *, controls: bool = True, log: Callable[[str], None] | None = None) -> ASGIApp:
    """
    The application.

    Args:
        state: What it serves.
        controls: Whether ``/sandbox/...`` is there and ``x-sandbox-time`` heeded: neither needs a key, so only where
            nobody else can reach it.
        log: Gets one line per request, without its query, body or key.

    """
    routes = [
        *_routes(BATCHES, API_KEYS, wholly=True),
        *_routes(API, API_KEYS),
        *_routes(ADMIN, ADMIN_KEYS),
        *_routes(ADMIN_REPORTS, ADMIN_KEYS, wholly=True),
        *_routes(REPORTS, REPORT_KEYS, wholly=True),
        *(control.routes() if controls else []),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _no_route})
    app.router.redirect_slashes = False
    app.state.sandbox = state
    app.state.controls = controls
    app.state.catching_up = CatchingUp()
    return app if log is None else Logged(app, log)


class Logged:
    """Writes one line per request: method, path, status, milliseconds."""

    def __init__(self, app: ASGIApp, log: Callable[[str], None]) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, start = 0, time.monotonic()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            path = scope["path"].encode("unicode_escape").decode()[:200]
            self._log(f"{scope['method']} {path} {status or '-'} {(time.monotonic() - start) * 1000:.0f} ms")


def _routes(
    listed: tuple[tuple[str, str, Callable[[Visit], Awaitable[Response]]], ...],
    kinds: frozenset[str],
    *,
    wholly: bool = False,
) -> list[Route]:
    """One route per path, for a path that is there but not for this method is a 405."""
    by_path: dict[str, dict[str, Callable[[Request], Awaitable[Response]]]] = {}
    for method, path, handler in listed:
        by_path.setdefault(path, {})[method] = endpoint(handler, kinds, wholly=wholly)
    return [Route(path, _dispatch(methods), methods=list(methods)) for path, methods in by_path.items()]


def _dispatch(
    methods: dict[str, Callable[[Request], Awaitable[Response]]],
) -> Callable[[Request], Awaitable[Response]]:
    async def answered(request: Request) -> Response:
        handler = methods.get(request.method)
        if handler is None:  # HEAD, which Starlette lets in wherever there is a GET
            raise HTTPException(_METHOD_NOT_ALLOWED)
        return await handler(request)

    return answered


async def _no_route(request: Request, error: Exception) -> Response:
    state: State = request.app.state.sandbox
    if isinstance(error, HTTPException) and error.status_code == _METHOD_NOT_ALLOWED:
        return refusal(state, ApiError("invalid_request_error", "Method Not Allowed", status=_METHOD_NOT_ALLOWED))
    return refusal(state, ApiError("not_found_error", "Not Found"))
