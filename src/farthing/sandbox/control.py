"""
The sandbox's own controls, as functions from JSON to JSON; ``/sandbox/...`` over HTTP. Not part of the Claude API.

Unknown fields are refused: a misspelt order that silently does nothing would be a wrong test.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from farthing import money
from farthing.errors import BadInput
from farthing.sandbox.accounts import RateLimits
from farthing.sandbox.batches import Pace
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.faults import Fault
from farthing.sandbox.paging import rfc3339
from farthing.sandbox.replies import Case, Reply
from farthing.sandbox.reports import Lateness

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.sandbox.books import Entry
    from farthing.sandbox.paging import Query
    from farthing.sandbox.replies import Ask
    from farthing.sandbox.state import State

_T = TypeVar("_T")
_TIERS = ("Start", "Build", "Scale")
_ENTRIES_DEFAULT, _ENTRIES_MAX = 1000, 100_000


def show_state(state: State) -> dict[str, Any]:
    """What there is: clock, accounts without secrets, and how much was booked."""
    books, world = state.books, state.world
    organization = world.accounts.organizations[world.organization.id]
    return {
        "clock": {"now": rfc3339(world.clock.now()), "is_virtual": isinstance(world.clock, VirtualClock)},
        "seed": world.seed,
        "tier": organization.tier,
        "organization_id": organization.id,
        "workspaces": [one.id for one in world.accounts.workspaces_of(organization.id)],
        "keys": [{"id": key.id, "kind": key.kind, "hint": key.hint} for key in world.accounts.keys.values()],
        "requests_booked": len(books) + books.forgotten,
        "requests_forgotten": books.forgotten,
        "total_usd": money.usd_text(books.total_pusd),
        "price_book": world.book.version,
    }


def show_books(state: State, query: Query) -> dict[str, Any]:
    """The booked requests, oldest first, with exact amounts in USD; ``starting_at``, ``ending_at`` and ``limit``."""
    start = query.moment("starting_at") or datetime.min.replace(tzinfo=UTC)
    end = query.moment("ending_at") or datetime.max.replace(tzinfo=UTC)
    entries = state.books.between(start, end)
    limit = query.count("limit", _ENTRIES_DEFAULT, _ENTRIES_MAX)
    return {
        "requests": len(entries),
        "total_usd": money.usd_text(sum(entry.pusd for entry in entries)),
        "entries": [entry_json(entry) for entry in entries[:limit]],
        "has_more": len(entries) > limit,
    }


def entry_json(entry: Entry) -> dict[str, Any]:
    """One booked request."""
    served = entry.call.served
    return {
        "call_id": entry.call.call_id,
        "message_id": served.message_id,
        "request_id": served.request_id,
        "sent_at": rfc3339(entry.call.sent_at),
        "booked_at": rfc3339(entry.booked_at),
        "model": served.model,
        "service_tier": served.service_tier,
        "workspace_id": entry.call.dims["workspace"],
        "api_key_id": entry.call.dims["api_key"],
        "usage": msgspec.to_builtins(served.usage),
        "extra_passes": msgspec.to_builtins(served.extra_passes),
        "usd": money.usd_text(entry.pusd),
        "unpriced": list(entry.bill.unpriced),
        "aborted": entry.aborted,
    }


class _Move(msgspec.Struct, forbid_unknown_fields=True):
    set: datetime | None = None
    advance_s: float | None = None


def move_clock(state: State, body: Any) -> dict[str, Any]:
    """``{"set": "2026-11-20T09:00:00Z"}`` or ``{"advance_s": 60}``. Batches catch up when they are looked at next."""
    order = _read(body, _Move)
    clock = state.virtual_clock()
    if (order.set is None) == (order.advance_s is None):
        raise BadInput("read an order to move the clock", "set or advance_s")
    if order.set is not None:
        clock.set(order.set)
    if order.advance_s is not None:
        clock.advance(order.advance_s)
    return {"now": rfc3339(clock.now())}


def add_replies(state: State, body: Any) -> dict[str, Any]:
    """A list of replies for the next requests, or ``{"cases": {...}}`` with recorded answers."""
    if isinstance(body, dict) and "cases" in body:
        state.answer_cases(_read(body, _Cases).cases)
        return {"cases": len(body["cases"])}
    replies = read_replies(body)
    state.answer_with(*replies)
    return {"replies": len(replies)}


def read_replies(body: Any) -> list[Reply]:
    """
    Replies from JSON: a list of them, or one.

    Raises:
        BadInput: One has an unknown field or a wrong value.

    """
    return [_strict(one, Reply) for one in (body if isinstance(body, list) else [body])]


class _Cases(msgspec.Struct, forbid_unknown_fields=True):
    cases: dict[str, Case]


def add_faults(state: State, body: Any) -> dict[str, Any]:
    """A list of faults, each with the fields of a Fault, and ``model`` or ``service_tier`` to pick requests."""
    faults = [_fault(state, one) for one in (body if isinstance(body, list) else [body])]
    state.world.faults.add(*faults)
    return {"faults": len(faults)}


def clear_faults(state: State) -> dict[str, Any]:
    """Disarm all."""
    state.world.faults.clear()
    return {"faults": 0}


class _Reset(msgspec.Struct, forbid_unknown_fields=True):
    seed: int | None = None
    tier: str | None = ""
    start: datetime | None = None


def reset(state: State, body: Any) -> dict[str, Any]:
    """Begin anew. What is not given stays: ``seed``, ``tier`` (null: no limits), ``start`` of a virtual clock."""
    order = _read(body, _Reset)
    if order.tier:
        _check_tier(order.tier)
    state.reset(seed=order.seed, tier=order.tier, start=order.start)
    return show_state(state)


class _Limits(msgspec.Struct, forbid_unknown_fields=True):
    tier: str | None = ""
    workspace_id: str | None = None
    limits: RateLimits | None = None
    spend_limit_usd: str | None = ""


def set_limits(state: State, body: Any) -> dict[str, Any]:
    """``tier`` of the organisation, or ``limits`` of a workspace; ``spend_limit_usd`` of whichever is named."""
    order = _read(body, _Limits)
    accounts, organization_id = state.world.accounts, state.world.organization.id
    organization = accounts.organizations[organization_id]
    changes: dict[str, Any] = {}
    if order.spend_limit_usd != "":
        changes["spend_limit_pusd"] = _spend_limit(order.spend_limit_usd)
    if order.workspace_id is None:
        if order.limits is not None:
            raise BadInput("read limits without workspace_id", "tier for the organisation; limits are a workspace's")
        if order.tier != "":
            changes["tier"] = _check_tier(order.tier)
        accounts.put_organization(msgspec.structs.replace(organization, **changes))
        return show_state(state)
    workspace = accounts.workspaces.get(order.workspace_id)
    if workspace is None:
        raise BadInput(f"read workspace_id {order.workspace_id!r}", "a workspace of this sandbox")
    if order.tier != "":
        raise BadInput("read tier with workspace_id", "limits for a workspace; a tier is the organisation's")
    if order.limits is not None:
        changes["limits"] = order.limits
    accounts.put_workspace(msgspec.structs.replace(workspace, **changes), organization_id)
    return show_state(state)


class _NewWorkspace(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    secret: str


def add_workspace(state: State, body: Any) -> dict[str, Any]:
    """A workspace called ``name`` with a key whose text is ``secret``."""
    order = _read(body, _NewWorkspace)
    if not order.secret or state.world.accounts.find_key(order.secret) is not None:
        raise BadInput("read a secret that is empty or somebody's already", "a text of its own for each workspace")
    workspace = state.world.add_workspace(order.name)
    key = state.world.add_key(order.secret, workspace_id=workspace.id, name=order.name)
    return {"workspace_id": workspace.id, "api_key_id": key.id}


def set_fallbacks(state: State, body: Any) -> dict[str, Any]:
    """What ``fallbacks: "default"`` stands for, by model: ``{"claude-fable-5-2": ["claude-opus-5-5"]}``."""
    order = _read(body, dict[str, list[str]])
    world, known = state.world, state.model_id
    world.default_fallbacks = {known(model): tuple(map(known, others)) for model, others in order.items()}
    return {"default": {model: list(others) for model, others in world.default_fallbacks.items()}}


def set_pace(state: State, body: Any) -> dict[str, Any]:
    """How fast batches go: ``processing_s``, ``cancel_s``."""
    state.batches.pace = _read(body, Pace)
    return _plain(state.batches.pace)


def set_lateness(state: State, body: Any) -> dict[str, Any]:
    """How reports lag: ``visible_after_s``, ``late_percent``, ``late_after_s``, ``groups_max``."""
    state.lateness = _read(body, Lateness)
    return _plain(state.lateness)


ORDERS: dict[str, Callable[[State, Any], dict[str, Any]]] = {
    "clock": move_clock,
    "replies": add_replies,
    "faults": add_faults,
    "reset": reset,
    "limits": set_limits,
    "workspaces": add_workspace,
    "fallbacks": set_fallbacks,
    "batches": set_pace,
    "reports": set_lateness,
}
"""What can be ordered by ``POST /sandbox/NAME``."""


def _fault(state: State, value: Any) -> Fault:
    if not isinstance(value, dict):
        raise BadInput("read a fault", "an object")
    picks = {name: value[name] for name in ("model", "service_tier") if name in value}
    fields = {name: each for name, each in value.items() if name not in picks}
    if "model" in picks:
        picks["model"] = state.model_id(str(picks["model"]))
    if picks.get("service_tier", "batch") not in ("batch", "standard"):
        raise BadInput(f"read service_tier {picks['service_tier']!r}", "standard or batch")
    fault = _strict(fields, Fault)
    return msgspec.structs.replace(fault, when=_picker(picks)) if picks else fault


def _picker(picks: dict[str, Any]) -> Callable[[Ask], bool]:
    return lambda ask: all(getattr(ask, name) == wanted for name, wanted in picks.items())


def _spend_limit(text: str | None) -> int | None:
    pusd = None if text is None else money.parse_usd(text)
    if pusd is not None and pusd < 0:
        raise BadInput(f"read spend_limit_usd {text!r}", "0 or more, or null for no limit")
    return pusd


def _check_tier(tier: str | None) -> str | None:
    if tier is not None and tier not in _TIERS:
        raise BadInput(f"read tier {tier!r}", f"{', '.join(_TIERS)}, or null for no limits")
    return tier


def _strict(value: Any, shape: type[_T]) -> _T:
    """Decode one object of a shape that would otherwise overlook unknown fields."""
    known = [field.name for field in msgspec.structs.fields(shape) if field.name != "when"]  # type: ignore[arg-type]
    unknown = sorted(set(value) - set(known)) if isinstance(value, dict) else []
    if unknown:
        raise BadInput(f"read the field {unknown[0]!r}", f"one of {', '.join(known)}")
    return _read(value, shape)


def _read(value: Any, shape: type[_T]) -> _T:
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise BadInput(f"read an order: {error}", "the fields that docs/sandbox.md lists") from None


def _plain(value: Any) -> dict[str, Any]:
    return dict(msgspec.structs.asdict(value))
