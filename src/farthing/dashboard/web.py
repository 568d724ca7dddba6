"""The dashboard as a web application: who asks, what, and how the answer looks. Holds no rule about money."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from farthing.dashboard import formats, security
from farthing.dashboard.access import HERE
from farthing.dashboard.asked import Asked, read_asked
from farthing.dashboard.blocks import Note, Page
from farthing.dashboard.guard import Guard
from farthing.dashboard.nav import CHOICES, PAGES, PageRoute, filters_of
from farthing.dashboard.scope import Reader
from farthing.dashboard.spans import PRESETS
from farthing.dashboard.visit import Visit
from farthing.errors import BadInput, FarthingError, LedgerFault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from starlette.requests import Request

    from farthing.dashboard.access import Access, User
    from farthing.dashboard.books import Books
    from farthing.dashboard.visit import Desk

_BODY_BYTES_MAX = 65_536
"""Room for the longest address to go back to: its letters are written as %25xx."""
_THEMES = ("light", "dark", "auto")
_NOT_OURS = ("That form is not ours", "It came from elsewhere, or is too old. Open the page anew.")
_FAULTS: tuple[tuple[type[FarthingError], tuple[str, int]], ...] = (
    (BadInput, ("That question cannot be read", 400)),
    (LedgerFault, ("Something cannot be read now", 503)),
    (FarthingError, ("Something is wrong", 500)),
)


class Site(NamedTuple):
    """
    What the application serves.

    Attributes:
        books: The ledger. desk: prices, settings and files.
        access: Who may come in. hosts: names we go by besides addresses.
        now: The time; aware.

    """

    books: Books
    desk: Desk
    access: Access
    now: Callable[[], datetime]
    hosts: frozenset[str] = frozenset()


def create_app(site: Site) -> Starlette:
    """The application."""
    served = _Served(site)
    routes: list[Route | Mount] = [
        Route(route.path, served.page(route), methods=["GET"], name=route.path) for route in PAGES
    ]
    routes += [Route(route.path, served.act(route), methods=["POST"]) for route in PAGES if route.act is not None]
    routes += [
        Route("/sign-in", served.sign_in, methods=["GET", "POST"]),
        Route("/sign-out", served.sign_out, methods=["POST"]),
        Route("/theme", served.theme, methods=["POST"]),
        Mount("/static", StaticFiles(packages=[("farthing.dashboard", "static")]), name="static"),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, site.hosts)], exception_handlers={404: served.lost})


class _Served:
    """The pages, and the few forms."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._sessions = security.Sessions()
        self._templates = Environment(
            loader=PackageLoader("farthing.dashboard"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, route: PageRoute) -> Callable[[Request], Awaitable[Response]]:
        """The handler of a page."""

        async def handler(request: Request) -> Response:
            user = self._user(request)
            if user is None:
                if request.query_params.get("format") in ("csv", "json"):
                    return PlainTextResponse("Sign in first.\n", 401)
                back = quote(security.local_path(str(request.url.path) + _query(request)), safe="")
                return RedirectResponse(f"/sign-in?next={back}", 303)
            return await run_in_threadpool(self._answer, request, route, user)

        return handler

    def act(self, route: PageRoute) -> Callable[[Request], Awaitable[Response]]:
        """The handler of a page's buttons: what is done shows on the page that it leads back to."""

        async def handler(request: Request) -> Response:
            user = self._user(request)
            fields = None if user is None else await self._form(request)
            if user is None or fields is None:
                return self._said(request, user, *_NOT_OURS, 403)
            return await run_in_threadpool(self._done, request, route, user, fields)

        return handler

    def _done(self, request: Request, route: PageRoute, user: User, fields: dict[str, str]) -> Response:
        """What one button does, whatever goes wrong with it."""
        assert route.act is not None
        if not self._reaches(user, route) or not user.may(route.act_least):
            told = f"It takes the role of {route.act_least}."
            return self._said(request, user, "That is not yours to change", told, 403)
        try:
            with self._site.books.shelf() as shelf:
                visit = Visit(Asked(route.path), Reader(shelf, user.scope), self._site.desk, user, self._site.now())
                route.act(visit, fields.get("act", ""), fields)
        except FarthingError as error:
            title = "That cannot be done" if isinstance(error, BadInput) else ""
            return self._fault(request, user, error, title)
        back = security.local_path(fields.get("next", route.path))
        return RedirectResponse(back, 303)

    def _fault(self, request: Request, user: User, error: FarthingError, title: str = "") -> Response:
        usual, status = next(told for kind, told in _FAULTS if isinstance(error, kind))
        return self._said(request, user, title or usual, str(error), status)

    def _answer(self, request: Request, route: PageRoute, user: User) -> Response:
        """One page, whatever goes wrong with it."""
        if not self._reaches(user, route):
            return self._said(request, user, "This page is not for you", "Your sign-in does not reach it.", 403)
        try:
            asked = read_asked(route.path, request.query_params.multi_items(), route.own)
            with self._site.books.shelf() as shelf:
                visit = Visit(asked, Reader(shelf, user.scope), self._site.desk, user, self._site.now())
                return self._formatted(request, route, visit, route.page(visit))
        except FarthingError as error:
            return self._fault(request, user, error)

    def _formatted(self, request: Request, route: PageRoute, visit: Visit, page: Page) -> Response:
        if visit.asked.format == "json":
            text = json.dumps(formats.page_json(page, visit), ensure_ascii=False, indent=1)
            return Response(text, page.status, media_type="application/json")
        if visit.asked.format == "csv":
            return _csv(formats.page_csv(page), route, page.status)
        return self._html(request, self._page_html(request, route, visit, page), page.status)

    def _page_html(self, request: Request, route: PageRoute, visit: Visit, page: Page) -> str:
        return self._templates.get_template("page.html").render(
            **self._around(request, visit.user),
            page=page,
            route=route,
            visit=visit,
            asked=visit.asked,
            presets=PRESETS,
            choices=CHOICES,
            may_act=route.act is not None and visit.user.may(route.act_least),
            options=filters_of(visit) if route.has_filters else {},
            note=self._site.desk.note,
        )

    def _said(self, request: Request, user: User | None, title: str, text: str, status: int) -> Response:
        """A page that says one thing."""
        if request.query_params.get("format") in ("csv", "json"):
            return PlainTextResponse(f"{text}\n", status)
        is_act = request.method == "POST" and any(route.path == request.url.path for route in PAGES)
        back = [("Back", request.url.path)] if is_act else []
        page = Page(title, (Note(text, tone="warn", links=(*back, ("Overview", "/"))),), status=status)
        html = self._templates.get_template("said.html").render(**self._around(request, user), page=page)
        return self._html(request, html, status)

    def _around(self, request: Request, user: User | None) -> dict[str, object]:
        theme = request.cookies.get(security.THEME_COOKIE, "auto")
        pages = [route for route in PAGES if route.label and user is not None and self._reaches(user, route)]
        return {
            "groups": [(group, list(members)) for group, members in groupby(pages, key=lambda route: route.group)],
            "user": user,
            "theme": theme if theme in _THEMES else "auto",
            "form_token": self._sessions.form_token(self._session(request)),
            "here": security.local_path(str(request.url.path) + _query(request)),
            "is_open": self._site.access.is_open,
        }

    @staticmethod
    def _reaches(user: User, route: PageRoute) -> bool:
        return user.may(route.least) and (user.scope.is_whole or not route.is_whole)

    def _html(self, request: Request, html: str, status: int = 200) -> Response:
        response = Response(html, status, media_type="text/html")
        self._remember(request, response)
        return response

    # -- who asks -----------------------------------------------------------------------------------------------------

    def _user(self, request: Request) -> User | None:
        access = self._site.access
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

    def _remember(self, request: Request, response: Response) -> None:
        if hasattr(request.state, "new_session"):
            _set_cookie(response, security.COOKIE, request.state.new_session)

    async def _form(self, request: Request) -> dict[str, str] | None:
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

    # -- forms --------------------------------------------------------------------------------------------------------

    async def sign_in(self, request: Request) -> Response:
        """A form for the token, and what it sends."""
        back = security.local_path(request.query_params.get("next", "/"))
        wrong = ""
        if request.method == "POST":
            fields = await self._form(request)
            if fields is None:
                return self._said(request, None, *_NOT_OURS, 403)
            back = security.local_path(fields.get("next", "/"))
            user = self._site.access.by_token(fields.get("token", "").strip())
            if user is not None:
                response: Response = RedirectResponse(back, 303)
                _set_cookie(response, security.COOKIE, self._sessions.sign_in(user))
                return response
            wrong = "No user has that token."
        html = self._templates.get_template("sign_in.html").render(
            **self._around(request, None), back=back, wrong=wrong, page=Page("Sign in", ())
        )
        return self._html(request, html, 401 if wrong else 200)

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        if await self._form(request) is None:
            return self._said(request, None, *_NOT_OURS, 403)
        self._sessions.sign_out(request.cookies.get(security.COOKIE, ""))
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(security.COOKIE)
        return response

    async def theme(self, request: Request) -> Response:
        """Light, dark, or as the machine has it; remembered in a cookie."""
        fields = await self._form(request)
        if fields is None or fields.get("theme") not in _THEMES:
            return self._said(request, None, *_NOT_OURS, 403)
        response = RedirectResponse(security.local_path(fields.get("next", "/")), 303)
        _set_cookie(response, security.THEME_COOKIE, fields["theme"], 365 * 86_400)
        return response

    async def lost(self, request: Request, _error: Exception) -> Response:
        """No such page."""
        user = self._user(request)
        return self._said(request, user, "There is no such page", "The menu has all there are.", 404)


def _set_cookie(response: Response, name: str, value: str, age_s: int = security.SESSION_S) -> None:
    response.set_cookie(name, value, max_age=age_s, path="/", httponly=True, samesite="strict")


def _csv(text: str, route: PageRoute, status: int) -> Response:
    name = route.path.strip("/").replace("/", "-") or "overview"
    headers = {"content-disposition": f'attachment; filename="farthing-{name}.csv"'}
    return Response(text, status, media_type="text/csv", headers=headers)


def _query(request: Request) -> str:
    return f"?{request.url.query}" if request.url.query else ""
