"""Who asks: users by proxy or session, and forms that one of our own pages sent."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from farthing.dashboard import security
from farthing.dashboard.access import HERE

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from farthing.dashboard.access import Access, User

_BODY_BYTES_MAX = 65_536
"""Room for the longest address to go back to: its letters are written as %25xx."""


class Visitors:
    """Everybody who may come, and the sessions they have."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._sessions = security.Sessions()

    def user(self, request: Request) -> User | None:
        """Who it is; None: nobody we know."""
        access = self._access
        if access.is_open:
            return HERE
        if access.proxy_header and request.client is not None and access.believes(request.client.host):
            named = request.headers.getlist(access.proxy_header)
            if len(named) == 1:
                return access.by_name(named[0])
        return self._sessions.user(request.cookies.get(security.COOKIE, ""))

    def _session(self, request: Request) -> str:
        """The id of the visitor's session, signed in or not; a new one for a stranger."""
        brought = request.cookies.get(security.COOKIE, "")
        if security.is_session_id(brought):
            return brought
        if not hasattr(request.state, "new_session"):
            request.state.new_session = self._sessions.new_id()
        fresh: str = request.state.new_session
        return fresh

    def remember(self, request: Request, response: Response) -> None:
        """Give a stranger the session that was made for them."""
        if hasattr(request.state, "new_session"):
            set_cookie(response, security.COOKIE, request.state.new_session)

    async def form(self, request: Request) -> dict[str, str] | None:
        """The fields of a form that one of our own pages sent; None for anybody else's."""
        host = request.headers.get("host", "")
        if not security.is_from_here(request.headers.get("origin"), request.headers.get("sec-fetch-site"), host):
            return None
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _BODY_BYTES_MAX:
                return None
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        session = request.cookies.get(security.COOKIE, "")
        is_ours = security.is_session_id(session) and self._sessions.is_form_token(
            session, fields.get("form_token", "")
        )
        return fields if is_ours else None

    def form_token(self, request: Request) -> str:
        """What a form on a page for this visitor carries."""
        return self._sessions.form_token(self._session(request))

    def sign_in(self, user: User, response: Response) -> None:
        """Begin a session."""
        set_cookie(response, security.COOKIE, self._sessions.sign_in(user))

    def sign_out(self, request: Request, response: Response) -> None:
        """End it."""
        self._sessions.sign_out(request.cookies.get(security.COOKIE, ""))
        response.delete_cookie(security.COOKIE)


def set_cookie(response: Response, name: str, value: str, age_s: int = security.SESSION_S) -> None:
    """One that no script reads and no other site sends."""
    response.set_cookie(name, value, max_age=age_s, path="/", httponly=True, samesite="strict")
