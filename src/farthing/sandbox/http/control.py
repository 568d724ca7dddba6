"""``/sandbox/...``: the sandbox's own controls over HTTP. No key, and no place on an address that others can reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from farthing.errors import BadInput
from farthing.sandbox import control
from farthing.sandbox.http.visit import decode_json
from farthing.sandbox.paging import Query
from farthing.sandbox.problems import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from farthing.sandbox.state import State


def routes() -> list[Route]:
    """Every control route."""
    orders = [Route(f"/sandbox/{name}", _ordered(order), methods=["POST"]) for name, order in control.ORDERS.items()]
    return [
        Route("/sandbox/state", _asked(lambda state, _: control.show_state(state)), methods=["GET"]),
        Route("/sandbox/books", _asked(control.show_books), methods=["GET"]),
        Route("/sandbox/faults", _asked(lambda state, _: control.clear_faults(state)), methods=["DELETE"]),
        *orders,
    ]


def _asked(show: Callable[[State, Query], dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def answered(request: Request) -> Response:
        state: State = request.app.state.sandbox
        await request.app.state.catching_up.catch_up(state, wholly=True)
        query = Query(request.query_params.multi_items())
        return _answer(lambda: show(state, query))

    return answered


def _ordered(order: Callable[[State, Any], dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def answered(request: Request) -> Response:
        state: State = request.app.state.sandbox
        body = await request.body()
        answer = _answer(lambda: order(state, decode_json(body)))
        await request.app.state.catching_up.catch_up(state, wholly=True)  # the order may have moved the clock
        return answer

    return answered


def _answer(work: Callable[[], dict[str, Any]]) -> Response:
    try:
        return Response(msgspec.json.encode(work()), media_type="application/json")
    except (BadInput, ApiError) as error:
        return Response(msgspec.json.encode({"error": str(error)}), 400, media_type="application/json")
