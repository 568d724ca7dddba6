"""
Workspaces and keys as the Admin API shows them, in the shape of either API version.

Source: the official SDK's types (2.11) and facts: claude-api 11.6, checked 2026-11-20.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from farthing.sandbox.model_rules import NEW_VERSION
from farthing.sandbox.paging import list_json, rfc3339
from farthing.sandbox.problems import ApiError

if TYPE_CHECKING:
    from farthing.sandbox.accounts import Accounts, Key, Workspace
    from farthing.sandbox.paging import Query

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
    return workspace_json(find_workspace(accounts, organization_id, workspace_id))


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


def find_workspace(accounts: Accounts, organization_id: str, workspace_id: str) -> Workspace:
    """
    One workspace, as it is kept.

    Raises:
        ApiError: The organisation has none of that id.

    """
    for workspace in accounts.workspaces_of(organization_id):
        if workspace.id == workspace_id:
            return workspace
    raise ApiError("not_found_error", "Workspace not found")
