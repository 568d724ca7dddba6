"""
One HTTP request to the sandbox: who sends it, what may be read of it, and how errors are answered.

Source: facts: claude-api 8.4, 9 and 10, checked 2026-11-20.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from farthing.errors import BadInput
from farthing.sandbox.auth import authenticate
from farthing.sandbox.messages import identity_headers, refused
from farthing.sandbox.model_rules import NEW_VERSION, OLD_VERSION
from farthing.sandbox.paging import Query
from farthing.sandbox.problems import ApiError, invalid
from farthing.sandbox.validate import BODY_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from farthing.sandbox.accounts import Caller, Key
    from farthing.sandbox.state import State

TIME_HEADER = "x-sandbox-time"
"""Sets a virtual clock before the request is looked at."""

API_KEYS, ADMIN_KEYS, REPORT_KEYS = frozenset({"api"}), frozenset({"admin"}), frozenset({"admin", "analytics"})
_CLIENT_GONE = 499
_log = logging.getLogger("farthing.sandbox")


class Visit(NamedTuple):
    """
    A request whose key is good.

    Attributes:
        headers: By lower-case name; repeated ones joined by commas.
        request_id: For the answer; the messages endpoints have their own.

    """

    request: Request
    state: State
    headers: dict[str, str]
    key: Key
    request_id: str

    @property
    def caller(self) -> Caller:
        """Who is billed."""
        return self.state.world.accounts.caller(self.key)

    @property
    def version(self) -> str:
        """API version."""
        return self.headers["anthropic-version"]

    @property
    def betas(self) -> frozenset[str]:
        """Beta features that were asked for."""
        return frozenset(name.strip() for name in self.headers.get("anthropic-beta", "").split(","))

    @property
    def query(self) -> Query:
        """The URL's parameters."""
        return Query(self.request.query_params.multi_items())

    @property
    def base_url(self) -> str:
        """The server as the client calls it."""
        return str(self.request.base_url).rstrip("/")

    async def body(self, most: int = BODY_BYTES_MAX) -> bytes:
        """
        The whole body.

        Raises:
            ApiError: It is longer than *most* bytes, of which no more are kept.

        """
        parts: list[bytes] = []
        size = 0
        async for chunk in self.request.stream():
            size += len(chunk)
            if size <= most:
                parts.append(chunk)
            else:
                parts.clear()  # the rest is read and dropped, so that the client hears the answer
        if size > most:
            raise ApiError("request_too_large", "Request exceeds the maximum size")
        return b"".join(parts)

    async def json(self) -> Any:
        """
        The body as JSON values.

        Raises:
            ApiError: It is none.

        """
        return decode_json(await self.body())

    def answer(self, value: Any) -> Response:
        """A JSON answer with the headers that every answer has."""
        headers = dict(identity_headers(self.key, self.request_id))
        return Response(msgspec.json.encode(value), headers=headers, media_type="application/json")


def decode_json(body: bytes) -> Any:
    """
    JSON values; an empty body is an empty object.

    Raises:
        ApiError: It is not JSON.

    """
    try:
        return msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("The request body is not valid JSON") from None


def endpoint(
    handler: Callable[[Visit], Awaitable[Response]], kinds: frozenset[str] = API_KEYS, *, wholly: bool = False
) -> Callable[[Request], Awaitable[Response]]:
    """
    A route of the API: its key is checked first, and whatever is raised becomes the API's own error.

    Args:
        handler: Answers.
        kinds: Of keys that it takes.
        wholly: It looks at batches or books, which must have caught up with the clock.

    """

    async def answered(request: Request) -> Response:
        state: State = request.app.state.sandbox
        visit = None
        try:
            headers = header_map(request)
            if request.app.state.controls:
                _set_time(state, headers)
            await request.app.state.catching_up.catch_up(state, wholly=wholly)
            visit = _visit(request, state, headers, kinds)
            return await handler(visit)
        except ApiError as error:
            return refusal(state, error, visit)
        except ClientDisconnect:
            return Response(status_code=_CLIENT_GONE)
        except Exception:  # noqa: BLE001 - the client is told in the API's own shape, the log has the rest
            _log.exception("%s %s failed", request.method, request.url.path)
            return refusal(state, ApiError("api_error", "Internal server error"), visit)

    return answered


def refusal(state: State, error: ApiError, visit: Visit | None = None) -> Response:
    """An error answer; *visit* is None where nobody is known."""
    known = (None, error) if visit is None else (visit.key, error, visit.request_id)
    answer = refused(state.world, *known)
    return Response(answer.body, answer.status, dict(answer.headers), "application/json")


def header_map(request: Request) -> dict[str, str]:
    """Headers by lower-case name; repeated ones joined by commas."""
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _visit(request: Request, state: State, headers: dict[str, str], kinds: frozenset[str]) -> Visit:
    world = state.world
    key = authenticate(world.accounts, headers, world.clock.now(), kinds)
    version = headers.get("anthropic-version")
    if version not in (OLD_VERSION, NEW_VERSION):
        expected = f"expected {OLD_VERSION} or {NEW_VERSION}" if version else "header is required"
        raise invalid(f"anthropic-version: {expected}")
    return Visit(request, state, headers, key, world.new_id("req_"))


def _set_time(state: State, headers: dict[str, str]) -> None:
    if TIME_HEADER not in headers:
        return
    at = Query([(TIME_HEADER, headers[TIME_HEADER])]).moment(TIME_HEADER)
    try:
        if at is not None:
            state.virtual_clock().set(at)
    except BadInput as error:
        raise invalid(str(error)) from None
