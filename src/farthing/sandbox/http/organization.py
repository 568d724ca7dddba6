"""
The Admin API over HTTP: who there is, and what the books say.

Reports are made in a thread, for over long books they take seconds.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from farthing.sandbox import admin
from farthing.sandbox.analytics import BETA, analytics_cost, analytics_usage
from farthing.sandbox.claude_code import claude_code_report
from farthing.sandbox.problems import invalid
from farthing.sandbox.reports import cost_report, usage_report

if TYPE_CHECKING:
    from starlette.responses import Response

    from farthing.sandbox.http.visit import Visit
    from farthing.sandbox.reports import View


async def me(visit: Visit) -> Response:
    """``GET /v1/organizations/me``."""
    return visit.answer(admin.me(visit.state.world.accounts, visit.key.organization_id))


async def workspaces(visit: Visit) -> Response:
    """``GET /v1/organizations/workspaces``."""
    return visit.answer(admin.list_workspaces(visit.state.world.accounts, visit.key.organization_id, visit.query))


async def workspace(visit: Visit) -> Response:
    """``GET /v1/organizations/workspaces/{id}``."""
    wanted = visit.request.path_params["workspace_id"]
    return visit.answer(admin.get_workspace(visit.state.world.accounts, visit.key.organization_id, wanted))


async def api_keys(visit: Visit) -> Response:
    """``GET /v1/organizations/api_keys``."""
    accounts, organization_id = visit.state.world.accounts, visit.key.organization_id
    return visit.answer(admin.list_keys(accounts, organization_id, visit.query, visit.version))


async def api_key(visit: Visit) -> Response:
    """``GET /v1/organizations/api_keys/{id}``."""
    wanted, accounts = visit.request.path_params["key_id"], visit.state.world.accounts
    return visit.answer(admin.get_key(accounts, visit.key.organization_id, wanted, visit.version))


async def usage_messages(visit: Visit) -> Response:
    """``GET /v1/organizations/usage_report/messages``."""
    return visit.answer(await asyncio.to_thread(usage_report, _view(visit), visit.query, visit.betas))


async def usage_claude_code(visit: Visit) -> Response:
    """``GET /v1/organizations/usage_report/claude_code``."""
    accounts = visit.state.world.accounts
    return visit.answer(await asyncio.to_thread(claude_code_report, _view(visit), visit.query, accounts))


async def cost(visit: Visit) -> Response:
    """``GET /v1/organizations/cost_report``."""
    return visit.answer(await asyncio.to_thread(cost_report, _view(visit), visit.query))


async def usage_analytics(visit: Visit) -> Response:
    """``GET /v1/organizations/analytics/usage``."""
    _check_beta(visit)
    return visit.answer(await asyncio.to_thread(analytics_usage, _view(visit), visit.query))


async def cost_analytics(visit: Visit) -> Response:
    """``GET /v1/organizations/analytics/cost``."""
    _check_beta(visit)
    return visit.answer(await asyncio.to_thread(analytics_cost, _view(visit), visit.query))


def _view(visit: Visit) -> View:
    return visit.state.view(visit.key.organization_id)


def _check_beta(visit: Visit) -> None:
    if BETA not in visit.betas:
        raise invalid(f"anthropic-beta: this endpoint needs {BETA}")
