"""Rate and spend limits over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.sandbox import spend_limits
from farthing.sandbox.admin import find_workspace
from farthing.sandbox.problems import invalid
from farthing.sandbox.rate_limits import RateLimitsApi

if TYPE_CHECKING:
    from starlette.responses import Response

    from farthing.sandbox.accounts import Workspace
    from farthing.sandbox.http.visit import Visit


async def listed(visit: Visit) -> Response:
    """``GET /v1/organizations/spend_limits``."""
    return visit.answer(
        spend_limits.list_spend_limits(visit.state.world.accounts, visit.key.organization_id, visit.query)
    )


async def got(visit: Visit) -> Response:
    """``GET /v1/organizations/spend_limits/{id}``."""
    wanted = visit.request.path_params["spend_limit_id"]
    return visit.answer(spend_limits.get_spend_limit(visit.state.world.accounts, visit.key.organization_id, wanted))


async def put(visit: Visit) -> Response:
    """``POST /v1/organizations/spend_limits``."""
    body = await visit.json()
    if not isinstance(body, dict):
        raise invalid("The request body must be a JSON object")
    return visit.answer(spend_limits.set_spend_limit(visit.state.world.accounts, visit.key.organization_id, body))


async def deleted(visit: Visit) -> Response:
    """``DELETE /v1/organizations/spend_limits/{id}``."""
    wanted = visit.request.path_params["spend_limit_id"]
    return visit.answer(spend_limits.delete_spend_limit(visit.state.world.accounts, visit.key.organization_id, wanted))


async def effective(visit: Visit) -> Response:
    """``GET /v1/organizations/spend_limits/effective``."""
    del visit
    raise spend_limits.enterprise_only()


async def increase_requests(visit: Visit) -> Response:
    """``GET /v1/organizations/spend_limit_increase_requests``."""
    return visit.answer(spend_limits.list_increase_requests())


async def increase_request(visit: Visit) -> Response:
    """``/v1/organizations/spend_limit_increase_requests/{id}``, and its ``approve`` and ``deny``."""
    del visit
    raise spend_limits.no_increase_request()


async def rate_limits(visit: Visit) -> Response:
    """``GET /v1/organizations/rate_limits``."""
    return visit.answer(_rates(visit).list_all(visit.query))


async def workspace_rate_limits(visit: Visit) -> Response:
    """``GET /v1/organizations/workspaces/{id}/rate_limits``."""
    return visit.answer(_rates(visit).list_of_workspace(_workspace(visit), visit.query))


async def set_workspace_rate_limits(visit: Visit) -> Response:
    """``POST /v1/organizations/workspaces/{id}/rate_limits/{id}``."""
    body, wanted = await visit.json(), visit.request.path_params["rate_limit_id"]
    return visit.answer(_rates(visit).set_of_workspace(_workspace(visit), wanted, body))


def _rates(visit: Visit) -> RateLimitsApi:
    world = visit.state.world
    on = world.clock.now().date()
    return RateLimitsApi(world.accounts, visit.key.organization_id, world.book, on, visit.version)


def _workspace(visit: Visit) -> Workspace:
    wanted = visit.request.path_params["workspace_id"]
    return find_workspace(visit.state.world.accounts, visit.key.organization_id, wanted)
