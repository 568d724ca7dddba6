"""
Spend limits as the Admin API shows and sets them. Amounts are whole cents as strings.

The sandbox is a Claude Console organisation: it has limits of the organisation and of workspaces, which may be set, and
the cap of its usage tier, which may not. What only Claude Enterprise has, limits of members, is refused as documented;
so there is nobody who could ask for an increase.

Source: the official SDK's types and descriptions (2.8) and facts: claude-api 11.6, checked 2026-11-20. UNCONFIRMED and
chosen here: ids; dates, which are the workspace's own or the sandbox's first day; that the list of increase requests of
a Console organisation is empty; the message where a limit may not be deleted.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.limits.published import published_limits
from farthing.sandbox.admin import find_workspace
from farthing.sandbox.paging import cursor, offset_of, rfc3339
from farthing.sandbox.problems import ApiError, invalid

if TYPE_CHECKING:
    from farthing.sandbox.accounts import Accounts, Organization, Workspace
    from farthing.sandbox.paging import Query

PUSD_PER_CENT = 10**10
_CENTS_PER_USD = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCOPES = ("organization", "usage_tier", "workspace")


def list_spend_limits(accounts: Accounts, organization_id: str, query: Query) -> dict[str, Any]:
    """
    ``GET /v1/organizations/spend_limits``, the newest first.

    Raises:
        ApiError: A parameter is wrong.

    """
    types, workspace_id = query.many("scope_type"), query.one("workspace_id")
    if any(one not in _SCOPES for one in types):
        raise invalid(f"scope_type: Input should be {', '.join(_SCOPES)}: those of a Claude Console organization")
    kept = [
        one
        for one in _limits(accounts, organization_id)
        if (not types or one["scope"]["type"] in types) and workspace_id in (None, one["scope"].get("workspace_id"))
    ]
    limit, first = query.count("limit", 20, 1000), offset_of(query.one("page"))
    has_more = first + limit < len(kept)
    return {
        "data": kept[first : first + limit],
        "has_more": has_more,
        "next_page": cursor(first + limit) if has_more else None,
    }


def get_spend_limit(accounts: Accounts, organization_id: str, limit_id: str) -> dict[str, Any]:
    """
    One limit.

    Raises:
        ApiError: There is none of that id.

    """
    for one in _limits(accounts, organization_id):
        if one["id"] == limit_id:
            return one
    raise ApiError("not_found_error", "Spend limit not found")


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
        return _set_on_organization(accounts, organization_id, pusd)
    if kind == "workspace" and isinstance(scope, dict):
        return _set_on_workspace(accounts, organization_id, str(scope.get("workspace_id")), pusd)
    raise invalid("scope.type: Input should be 'organization' or 'workspace'")


def delete_spend_limit(accounts: Accounts, organization_id: str, limit_id: str) -> dict[str, Any]:
    """
    ``DELETE /v1/organizations/spend_limits/{id}``: no limit there from now on.

    Raises:
        ApiError: There is none of that id, or it is the tier's.

    """
    scope = get_spend_limit(accounts, organization_id, limit_id)["scope"]
    if scope["type"] == "usage_tier":
        raise invalid("The spend limit of the usage tier cannot be deleted")
    if scope["type"] == "organization":
        _set_on_organization(accounts, organization_id, None)
    else:
        _set_on_workspace(accounts, organization_id, scope["workspace_id"], None)
    return {"id": limit_id, "type": "spend_limit_deleted"}


def enterprise_only() -> ApiError:
    """The documented refusal of ``/spend_limits/effective`` to a Claude Console organisation."""
    return ApiError(
        "invalid_request_error",
        "This endpoint supports Claude Enterprise organizations only, not Claude Console organizations",
        error_code="organization_type_not_supported",
    )


def list_increase_requests() -> dict[str, Any]:
    """``GET /v1/organizations/spend_limit_increase_requests``: there are no members with limits to ask for more."""
    return {"data": [], "next_page": None}


def no_increase_request() -> ApiError:
    """The answer to any id of an increase request."""
    return ApiError("not_found_error", "Spend limit increase request not found")


def _limits(accounts: Accounts, organization_id: str) -> list[dict[str, Any]]:
    organization = accounts.organizations[organization_id]
    shown = [_workspace_limit(w) for w in accounts.workspaces_of(organization_id) if w.spend_limit_pusd is not None]
    shown.sort(key=lambda one: str(one["created_at"]), reverse=True)
    if organization.spend_limit_pusd is not None:
        shown.append(_organization_limit(organization))
    cap_usd = next((one.spend_cap_usd for one in published_limits().tier if one.name == organization.tier), None)
    if cap_usd is not None:
        owner = f"{organization.id} usage tier"
        shown.append(_limit_json(owner, cap_usd * _CENTS_PER_USD * PUSD_PER_CENT, {"type": "usage_tier"}, _EPOCH))
    return shown


def _set_on_organization(accounts: Accounts, organization_id: str, pusd: int | None) -> dict[str, Any]:
    organization = accounts.organizations[organization_id]
    return _organization_limit(accounts.put_organization(msgspec.structs.replace(organization, spend_limit_pusd=pusd)))


def _set_on_workspace(accounts: Accounts, organization_id: str, workspace_id: str, pusd: int | None) -> dict[str, Any]:
    workspace = find_workspace(accounts, organization_id, workspace_id)
    changed = msgspec.structs.replace(workspace, spend_limit_pusd=pusd)
    return _workspace_limit(accounts.put_workspace(changed, organization_id))


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
