"""The dashboard as a web application: what is asked, and how the answer looks. Holds no rule about money."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from farthing.dashboard import formats, security
from farthing.dashboard.asked import Asked, read_asked
from farthing.dashboard.blocks import Note, Page
from farthing.dashboard.guard import Guard
from farthing.dashboard.nav import CHOICES, PAGES, PageRoute, filters_of
from farthing.dashboard.scope import Reader
from farthing.dashboard.spans import PRESETS
from farthing.dashboard.visit import Visit
from farthing.dashboard.visitors import Visitors, set_cookie
from farthing.errors import BadInput, FarthingError, LedgerFault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from starlette.requests import Request

    from farthing.dashboard.access import Access, User
    from farthing.dashboard.books import Books
    from farthing.dashboard.visit import Desk

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
        self._visitors = Visitors(site.access)
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
            user = self._visitors.user(request)
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
            user = self._visitors.user(request)
            fields = None if user is None else await self._visitors.form(request)
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
            "form_token": self._visitors.form_token(request),
            "here": security.local_path(str(request.url.path) + _query(request)),
            "is_open": self._site.access.is_open,
        }

    @staticmethod
    def _reaches(user: User, route: PageRoute) -> bool:
        return user.may(route.least) and (user.scope.is_whole or not route.is_whole)

    def _html(self, request: Request, html: str, status: int = 200) -> Response:
        response = Response(html, status, media_type="text/html")
        self._visitors.remember(request, response)
        return response

    # -- forms --------------------------------------------------------------------------------------------------------

    async def sign_in(self, request: Request) -> Response:
        """A form for the token, and what it sends."""
        back = security.local_path(request.query_params.get("next", "/"))
        wrong = ""
        if request.method == "POST":
            fields = await self._visitors.form(request)
            if fields is None:
                return self._said(request, None, *_NOT_OURS, 403)
            back = security.local_path(fields.get("next", "/"))
            user = self._site.access.by_token(fields.get("token", "").strip())
            if user is not None:
                response: Response = RedirectResponse(back, 303)
                self._visitors.sign_in(user, response)
                return response
            wrong = "No user has that token."
        html = self._templates.get_template("sign_in.html").render(
            **self._around(request, None), back=back, wrong=wrong, page=Page("Sign in", ())
        )
        return self._html(request, html, 401 if wrong else 200)

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        if await self._visitors.form(request) is None:
            return self._said(request, None, *_NOT_OURS, 403)
        response = RedirectResponse("/sign-in", 303)
        self._visitors.sign_out(request, response)
        return response

    async def theme(self, request: Request) -> Response:
        """Light, dark, or as the machine has it; remembered in a cookie."""
        fields = await self._visitors.form(request)
        if fields is None or fields.get("theme") not in _THEMES:
            return self._said(request, None, *_NOT_OURS, 403)
        response = RedirectResponse(security.local_path(fields.get("next", "/")), 303)
        set_cookie(response, security.THEME_COOKIE, fields["theme"], 365 * 86_400)
        return response

    async def lost(self, request: Request, _error: Exception) -> Response:
        """No such page."""
        user = self._visitors.user(request)
        return self._said(request, user, "There is no such page", "The menu has all there are.", 404)


def _csv(text: str, route: PageRoute, status: int) -> Response:
    name = route.path.strip("/").replace("/", "-") or "overview"
    headers = {"content-disposition": f'attachment; filename="farthing-{name}.csv"'}
    return Response(text, status, media_type="text/csv", headers=headers)


def _query(request: Request) -> str:
    return f"?{request.url.query}" if request.url.query else ""
