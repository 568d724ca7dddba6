"""
The Rate Limits API: the limits that the sandbox holds its callers to, and a workspace's own below them.

An entry is a group: a published class of models, Message Batches, or token counting. An organisation without a tier has
no limits, and so no entries; numbers of other groups (files, skills, web search) and of fast mode are not published.

Source: facts: claude-api 8 and 11.6, and the official SDK's descriptions (2.8), checked 2026-11-20. UNCONFIRMED and
chosen here: ids; that a limit of 0 or below is a 400; that the old version shows workspaces in its own shape too; that
the name is ``input_tokens_per_minute_cache_aware`` wherever cache reads do not count. The real API takes up to an hour
to enforce a change, the sandbox none.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from farthing.limits.published import published_limits
from farthing.sandbox.accounts import RateLimits
from farthing.sandbox.limits import COUNT_TOKENS_PER_MINUTE
from farthing.sandbox.model_rules import NEW_VERSION
from farthing.sandbox.models import is_released
from farthing.sandbox.paging import cursor, offset_of
from farthing.sandbox.problems import ApiError, invalid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from farthing.prices.book import PriceBook
    from farthing.sandbox.accounts import Accounts, Organization, Workspace
    from farthing.sandbox.paging import Query

GROUP_TYPES = ("batch", "files", "model_group", "skills", "token_count", "web_search")
_REQUESTS, _OUTPUT = "requests_per_minute", "output_tokens_per_minute"
_INPUT, _INPUT_CACHE_AWARE = "input_tokens_per_minute", "input_tokens_per_minute_cache_aware"
_FIELDS = {_REQUESTS: "requests", _INPUT: "input_tokens", _INPUT_CACHE_AWARE: "input_tokens", _OUTPUT: "output_tokens"}
"""Which of a workspace's own limits a limiter is; the other limiters have none."""


class Group(NamedTuple):
    """
    One group with its limits in the organisation's tier.

    Attributes:
        kind: One of :data:`GROUP_TYPES`.
        name: For people; of a class of models its published name.
        models: Canonical ids; None where the group is not of models.
        limits: Value by limiter.

    """

    kind: str
    name: str
    models: tuple[str, ...] | None
    limits: dict[str, int]

    def id_in(self, organization_id: str) -> str:
        """Id of the entry: another one in each organisation."""
        return _id("rl", f"{organization_id}:{self.kind}:{self.name}")


def groups(organization: Organization) -> list[Group]:
    """Every group that the organisation has limits for."""
    published = published_limits()
    names = [tier.name for tier in published.tier]
    if organization.tier not in names:
        return []
    at = names.index(organization.tier)
    tier = published.tier[at]
    found = [
        Group(
            "model_group",
            f"Claude {one.name}",
            one.models,
            {
                _REQUESTS: one.requests[at],
                _INPUT if one.cache_reads_count else _INPUT_CACHE_AWARE: one.input[at],
                _OUTPUT: one.output[at],
            },
        )
        for one in published.bucket
    ]
    batches = {_REQUESTS: tier.batch_requests_per_minute, "enqueued_batch_requests": tier.batch_requests_queued}
    found.append(Group("batch", "Message Batches", None, batches))
    found.append(Group("token_count", "Token counting", None, {_REQUESTS: COUNT_TOKENS_PER_MINUTE[tier.name]}))
    return found


class RateLimitsApi:
    """
    The endpoints, for one organisation.

    Args:
        accounts: Whose limits.
        organization_id: Which organisation.
        book: Names of models.
        on: A model shows from its release on.
        version: Of the API: it decides the shape of a row.

    """

    def __init__(self, accounts: Accounts, organization_id: str, book: PriceBook, on: date, version: str) -> None:
        self._accounts = accounts
        self._organization = accounts.organizations[organization_id]
        self._book = book
        self._on = on
        self._version = version

    def list_all(self, query: Query) -> dict[str, Any]:
        """
        ``GET /v1/organizations/rate_limits``.

        Raises:
            ApiError: A parameter is wrong, or the model that it names has no limits.

        """
        shown = self._shown(query)
        wanted = query.one("model")
        if wanted is not None:
            named = self._book.names.find(wanted) if len(wanted) <= 256 else None
            shown = [one for one in shown if named is not None and named.model.id in (one.models or ())]
            if not shown:
                raise ApiError("not_found_error", "No rate limits for this model")
        rows = [{"type": "rate_limit", **self._named(one, own_id=True), "limits": _values(one.limits)} for one in shown]
        return _page(rows, query)

    def list_of_workspace(self, workspace: Workspace, query: Query) -> dict[str, Any]:
        """
        ``GET /v1/organizations/workspaces/{id}/rate_limits``: its own limits; with ``include_inherited`` all.

        Raises:
            ApiError: A parameter is wrong.

        """
        inherited = query.one("include_inherited") == "true"
        rows = [self._workspace_row(workspace, one, inherited=inherited) for one in self._shown(query)]
        return _page([row for row in rows if row["limits"]], query)

    def set_of_workspace(self, workspace: Workspace, rate_limit_id: str, body: Any) -> dict[str, Any]:
        """
        ``POST /v1/organizations/workspaces/{id}/rate_limits/{id}``: one group's own limits; null clears one.

        Raises:
            ApiError: There is no such group, or a limiter or value that it cannot have.

        """
        group = next((one for one in self._groups() if one.id_in(self._organization.id) == rate_limit_id), None)
        if group is None:
            raise ApiError("not_found_error", "Rate limit not found")
        if workspace.is_default:
            raise invalid("The default workspace cannot have rate limits of its own")
        listed = body.get("limits") if isinstance(body, dict) else None
        if not isinstance(listed, list):
            raise invalid("limits: Input should be a valid list")
        changes = dict(_change(group, at, one) for at, one in enumerate(listed))
        name = _class_of(group)
        own = msgspec.structs.replace(workspace.limits_by_class.get(name, RateLimits()), **changes)
        by_class = {**workspace.limits_by_class, name: own}
        changed = msgspec.structs.replace(workspace, limits_by_class=by_class)
        self._accounts.put_workspace(changed, self._organization.id)
        return self._workspace_row(changed, group, inherited=False)

    def _groups(self) -> Sequence[Group]:
        return groups(self._organization)

    def _shown(self, query: Query) -> list[Group]:
        kind = query.one("group_type")
        if kind is not None and kind not in GROUP_TYPES:
            raise invalid(f"group_type: Input should be one of {', '.join(GROUP_TYPES)}")
        return [one for one in self._groups() if kind in (None, one.kind) and self._names(one) != []]

    def _names(self, group: Group) -> list[str] | None:
        """Ids and aliases of the models that are out; None where the group is not of models."""
        if group.models is None:
            return None
        known = [model for model in self._book.models if model.ids.claude_api and model.id in group.models]
        return [name for model in known if is_released(self._book, model, self._on) for name in model.ids.claude_api]

    def _named(self, group: Group, *, own_id: bool) -> dict[str, Any]:
        """What a row says of its group, in the shape of either version."""
        names = self._names(group)
        entry_id = group.id_in(self._organization.id)
        if self._version != NEW_VERSION:
            return {"group_type": group.kind, "models": names} | ({} if own_id else {"rate_limit_id": entry_id})
        shape = {"id": _id("rlg", f"{group.kind}:{group.name}"), "type": group.kind}
        if group.kind == "model_group":
            shape["display_name"] = group.name
        return {"id" if own_id else "rate_limit_id": entry_id, "group": shape, "models": names}

    def _workspace_row(self, workspace: Workspace, group: Group, *, inherited: bool) -> dict[str, Any]:
        own = _own(workspace, group)
        values = [
            {
                "type": name,
                "value": own.get(name, value),
                "org_limit": value,
                "source": {"type": "workspace" if name in own else "organization"},
            }
            for name, value in group.limits.items()
            if inherited or name in own
        ]
        named = self._named(group, own_id=False)
        return {"type": "workspace_rate_limit", "workspace_id": workspace.id, **named, "limits": values}


def _own(workspace: Workspace, group: Group) -> dict[str, int]:
    """The workspace's own values by limiter."""
    if group.kind != "model_group":
        return {}
    limits = workspace.limits_of(_class_of(group))
    named = {name: getattr(limits, _FIELDS[name]) for name in group.limits if name in _FIELDS}
    return {name: value for name, value in named.items() if value is not None}


def _class_of(group: Group) -> str:
    return group.name.removeprefix("Claude ")


def _change(group: Group, at: int, wanted: Any) -> tuple[str, int | None]:
    name = wanted.get("type") if isinstance(wanted, dict) else None
    if group.kind != "model_group" or name not in group.limits:
        known = ", ".join(group.limits) if group.kind == "model_group" else "none: workspaces share these limits"
        raise invalid(f"limits.{at}.type: the sandbox has for this group: {known}")
    value = wanted.get("value")
    if value is not None and (type(value) is not int or value < 1):
        raise invalid(f"limits.{at}.value: Input should be a whole number of at least 1, or null")
    return _FIELDS[name], value


def _values(limits: dict[str, int]) -> list[dict[str, Any]]:
    return [{"type": name, "value": value} for name, value in limits.items()]


def _page(rows: list[dict[str, Any]], query: Query) -> dict[str, Any]:
    """All that is left where no ``limit`` is given."""
    first = offset_of(query.one("page"))
    limit = query.count("limit", max(1, len(rows)), 1000)
    more = first + limit < len(rows)
    return {"data": rows[first : first + limit], "next_page": cursor(first + limit) if more else None}


def _id(prefix: str, text: str) -> str:
    return f"{prefix}_01{hashlib.blake2b(text.encode(), digest_size=11).hexdigest()}"
