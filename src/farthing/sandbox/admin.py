"""
Workspaces, keys and spend limits as the Admin API shows them, in the shape of either API version.

Source: the official SDK's types (2.11) and facts: claude-api 11.6, checked 2026-11-20. UNCONFIRMED and chosen here: ids
of spend limits, and their dates, which are the workspace's own or the sandbox's first day.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.sandbox.paging import cursor, list_json, offset_of, rfc3339
from farthing.sandbox.problems import ApiError, invalid
from farthing.sandbox.validate import NEW_VERSION

if TYPE_CHECKING:
    from farthing.sandbox.accounts import Accounts, Key, Organization, Workspace
    from farthing.sandbox.paging import Query

PUSD_PER_CENT = 10**10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def me(accounts: Accounts, organization_id: str) -> dict[str, Any]:
    """``GET /v1/organizations/me``."""
    organization = accounts.organizations[organization_id]
    return {"id": organization.id, "type": "organization", "name": organization.name}


def list_workspaces(accounts: Accounts, organization_id: str, query: Query) -> dict[str, Any]:
    """``GET /v1/organizations/workspaces``: all but the default one, unless ``include_default`` asks for it."""
    include_default = query.one("include_default") == "true"
    include_archived = query.one("include_archived") == "true"
    shown = [
        workspace_json(one)
        for one in accounts.workspaces_of(organization_id)
        if (include_default or not one.is_default) and (include_archived or one.archived_at is None)
    ]
    return list_json(shown, query)


def get_workspace(accounts: Accounts, organization_id: str, workspace_id: str) -> dict[str, Any]:
    """
    One workspace.

    Raises:
        ApiError: The organisation has none of that id.

    """
    return workspace_json(_workspace(accounts, organization_id, workspace_id))


def workspace_json(workspace: Workspace) -> dict[str, Any]:
    """The API's object."""
    return {
        "id": workspace.id,
        "type": "workspace",
        "name": workspace.name,
        "created_at": rfc3339(workspace.created_at or _EPOCH),
        "archived_at": rfc3339(workspace.archived_at) if workspace.archived_at else None,
        "display_color": "#6C5BB9",
        "tags": {},
        "data_residency": {
            "workspace_geo": "us",
            "default_inference_geo": workspace.default_inference_geo,
            "allowed_inference_geos": list(workspace.allowed_inference_geos),
        },
    }


def list_keys(accounts: Accounts, organization_id: str, query: Query, version: str) -> dict[str, Any]:
    """``GET /v1/organizations/api_keys``, by ``status`` and ``workspace_id``."""
    status, workspace_id = query.one("status"), query.one("workspace_id")
    shown = [
        key_json(accounts, key, version)
        for key in accounts.keys.values()
        if key.organization_id == organization_id
        and key.kind == "api"
        and status in (None, key.status)
        and workspace_id in (None, key.workspace_id)
    ]
    return list_json(shown, query)


def get_key(accounts: Accounts, organization_id: str, key_id: str, version: str) -> dict[str, Any]:
    """
    One key, without its secret.

    Raises:
        ApiError: The organisation has none of that id.

    """
    key = accounts.keys.get(key_id)
    if key is None or key.organization_id != organization_id or key.kind != "api":
        raise ApiError("not_found_error", "API key not found")
    return key_json(accounts, key, version)


def key_json(accounts: Accounts, key: Key, version: str) -> dict[str, Any]:
    """The API's object: ``workspace_id`` (null for the default one) in the old version, ``scope`` in the new."""
    own = accounts.workspaces.get(key.workspace_id or "")
    if version == NEW_VERSION:
        where: dict[str, Any] = {
            "scope": {"type": "workspace", "workspace_id": own.id} if own else {"type": "organization"},
            "principal": None,
        }
    else:
        where = {"workspace_id": None if own is None or own.is_default else own.id}
    return {
        "id": key.id,
        "type": "api_key",
        "name": key.name,
        "status": key.status,
        "partial_key_hint": key.hint,
        "created_at": rfc3339(key.created_at or _EPOCH),
        "created_by": None,
        "expires_at": rfc3339(key.expires_at) if key.expires_at else None,
        **where,
    }


def list_spend_limits(accounts: Accounts, organization_id: str, query: Query) -> dict[str, Any]:
    """``GET /v1/organizations/spend_limits``: the organisation's own, and each workspace's that has one."""
    organization = accounts.organizations[organization_id]
    shown = [_organization_limit(organization)] if organization.spend_limit_pusd is not None else []
    shown += [
        _workspace_limit(one) for one in accounts.workspaces_of(organization_id) if one.spend_limit_pusd is not None
    ]
    types, workspace_id = query.many("scope_type"), query.one("workspace_id")
    kept = [
        one
        for one in shown
        if (not types or one["scope"]["type"] in types) and workspace_id in (None, one["scope"].get("workspace_id"))
    ]
    limit, first = query.count("limit", 20, 1000), offset_of(query.one("page"))
    has_more = first + limit < len(kept)
    return {
        "data": kept[first : first + limit],
        "has_more": has_more,
        "next_page": cursor(first + limit) if has_more else None,
    }


def set_spend_limit(accounts: Accounts, organization_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """
    ``POST /v1/organizations/spend_limits``: requests are refused from then on as if it had always been there.

    Raises:
        ApiError: The amount is no whole number of cents, or the scope is not an organisation or workspace.

    """
    if body.get("period", "monthly") != "monthly":
        raise invalid("period: the sandbox has monthly limits only")
    scope = body.get("scope")
    kind = scope.get("type") if isinstance(scope, dict) else None
    pusd = _amount(body.get("amount"))
    if kind == "organization":
        organization = accounts.organizations[organization_id]
        return _organization_limit(
            accounts.put_organization(msgspec.structs.replace(organization, spend_limit_pusd=pusd))
        )
    if kind == "workspace" and isinstance(scope, dict):
        workspace = _workspace(accounts, organization_id, str(scope.get("workspace_id")))
        changed = msgspec.structs.replace(workspace, spend_limit_pusd=pusd)
        return _workspace_limit(accounts.put_workspace(changed, organization_id))
    raise invalid("scope.type: Input should be 'organization' or 'workspace'")


def _organization_limit(organization: Organization) -> dict[str, Any]:
    return _limit_json(organization.id, organization.spend_limit_pusd, {"type": "organization"}, _EPOCH)


def _workspace_limit(workspace: Workspace) -> dict[str, Any]:
    scope = {"type": "workspace", "workspace_id": workspace.id}
    return _limit_json(workspace.id, workspace.spend_limit_pusd, scope, workspace.created_at or _EPOCH)


def _limit_json(owner: str, pusd: int | None, scope: dict[str, str], since: datetime) -> dict[str, Any]:
    return {
        "id": f"spl_01{hashlib.blake2b(owner.encode(), digest_size=11).hexdigest()}",
        "type": "spend_limit",
        "amount": None if pusd is None else str(pusd // PUSD_PER_CENT),
        "currency": "USD",
        "is_enabled": True,
        "period": "monthly",
        "scope": scope,
        "created_at": rfc3339(since),
        "updated_at": rfc3339(since),
    }


def _amount(text: Any) -> int | None:
    """Picodollars of a whole number of cents; None for no limit."""
    if text is None:
        return None
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 15:
        raise invalid("amount: Input should be a whole number of cents as a string, or null")
    return int(text) * PUSD_PER_CENT


def _workspace(accounts: Accounts, organization_id: str, workspace_id: str) -> Workspace:
    for workspace in accounts.workspaces_of(organization_id):
        if workspace.id == workspace_id:
            return workspace
    raise ApiError("not_found_error", "Workspace not found")
