"""
The Analytics pair, ``/analytics/usage`` and ``/analytics/cost``: rows by any dimensions, ranked, with request counts.

Source: the official SDK's types (2.11) and facts: claude-api 11.5, checked 2026-11-20. Dimensions that only other
products have are accepted and null.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing.sandbox.paging import cursor, offset_of, rfc3339
from farthing.sandbox.pieces import Amount, Counts, amounts, counts
from farthing.sandbox.problems import invalid
from farthing.sandbox.reports import WIDTHS, add_up, cents, filters, floor, group_by, usage_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from farthing.sandbox.books import Entry
    from farthing.sandbox.paging import Query
    from farthing.sandbox.reports import View

BETA = "analytics-usage-cost-2026-08-24"
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
RANGE_MAX, RANGE_MAX_BY_MINUTE = timedelta(days=31), timedelta(hours=24)
GROUPS_MAX = 5
_OURS = (
    "api_key_id",
    "context_window",
    "inference_geo",
    "model",
    "organization_id",
    "product",
    "service_tier",
    "speed",
)
_OTHERS = (
    "actor",
    "agent_id",
    "claude_tag_category",
    "claude_tag_user_id",
    "deployment_id",
    "environment_id",
    "rbac_group_id",
    "session_id",
    "slack_channel_id",
    "user_profile_id",
)
DIMENSIONS = tuple(sorted((*_OURS, *_OTHERS, "actor_type", "workspace_id")))
FAN_OUT = ("cost_type", "token_type")
_FILTERS = {f"{name}s": name for name in DIMENSIONS}


class Row(NamedTuple):
    """One row before it is shown: its bucket, its values by dimension, and its sum."""

    start: datetime
    end: datetime
    key: tuple[str, ...]
    total: Any


def analytics_usage(view: View, query: Query) -> dict[str, Any]:
    """
    ``GET /v1/organizations/analytics/usage``.

    Raises:
        ApiError: A parameter is wrong.

    """
    metrics: dict[str, Callable[[Counts], int]] = {
        "total_tokens": lambda total: total.total_tokens,
        "output_tokens": lambda total: total.usage.output_tokens,
        "requests": lambda total: total.requests,
        "uncached_input_tokens": lambda total: total.usage.input_tokens,
    }
    groups = _groups(query, DIMENSIONS)
    metric = _metric(query, metrics, "total_tokens")
    rows = _ranked(view, query, groups, lambda entries: _tagged(view, entries, counts), metric)

    def shown(row: Row) -> dict[str, Any]:
        total: Counts = row.total
        usage = {**usage_json(total), "total_tokens": total.total_tokens, "requests": total.requests}
        return {**_bounds(row), "group": _group(groups, row.key, DIMENSIONS), "usage": usage}

    return _page(view, query, [[row] for row in rows], shown)


def analytics_cost(view: View, query: Query) -> dict[str, Any]:
    """
    ``GET /v1/organizations/analytics/cost``. Amounts are fractional cents as strings.

    Raises:
        ApiError: A parameter is wrong.

    """
    metrics: dict[str, Callable[[Amount], int]] = {"amount": lambda a: a.pusd, "list_amount": lambda a: a.pusd}
    groups = _groups(query, (*DIMENSIONS, *FAN_OUT))
    fanned = [name for name in groups if name in FAN_OUT]
    plain = [name for name in groups if name not in FAN_OUT]
    metric = _metric(query, metrics, "amount")
    rows = _ranked(view, query, plain, lambda entries: _tagged(view, entries, amounts), metric)
    fans = _fans(view, query, plain, fanned, rows) if fanned else [[row] for row in rows]

    def shown(row: Row) -> dict[str, Any]:
        amount = cents(row.total.pusd)
        cost: dict[str, Any] = {"amount": amount, "list_amount": amount, "currency": "USD"}
        cost["requests"] = None if fanned else row.total.requests
        names = [*plain, *FAN_OUT] if fanned else plain
        return {**_bounds(row), "group": _group(names, row.key, (*DIMENSIONS, *FAN_OUT)), "cost": cost}

    return _page(view, query, fans, shown)


def _tagged(view: View, entries: Iterable[Entry], pieces: Callable[[Entry], Iterator[Any]]) -> Iterator[Any]:
    """The pieces with the dimensions that only Analytics has."""
    for entry in entries:
        key = entry.call.dims["api_key"]
        product = "message_batches_api" if entry.call.served.service_tier == "batch" else "messages_api"
        more = {
            "organization_id": view.organization_id,
            "product": product,
            "actor": key,
            "actor_type": "api_actor",
        }
        for piece in pieces(entry):
            yield piece._replace(facts={**piece.facts, **more})


def _ranked(
    view: View,
    query: Query,
    by: list[str],
    pieces: Callable[[Iterable[Entry]], Iterator[Any]],
    metric: Callable[[Any], int],
) -> list[Row]:
    """Every row in the order that was asked for."""
    wanted = filters(query, _FILTERS)
    rows = []
    for start, end in _buckets(view, query):
        sums = add_up(pieces(view.entries(start, end)), by, wanted)
        rows += [Row(start, end, key, total) for key, total in sums.items()]
    up = _order(query) == "asc"
    rows.sort(key=lambda row: row.key)
    if query.one("order_by") == "time" and query.one("time_bucket_width"):
        rows.sort(key=lambda row: -metric(row.total))
        rows.sort(key=lambda row: row.start, reverse=not up)
    else:
        rows.sort(key=lambda row: metric(row.total), reverse=not up)
    return rows


def _fans(view: View, query: Query, plain: list[str], fanned: list[str], rows: list[Row]) -> list[list[Row]]:
    """Each row split by cost type, token type or both."""
    wanted = filters(query, _FILTERS)
    split = {}
    for start, end in dict.fromkeys((row.start, row.end) for row in rows):
        pieces = _tagged(view, view.entries(start, end), amounts)
        kept = (one for one in pieces if "cost_type" in fanned or one.facts["token_type"])
        cut = (one if "token_type" in fanned else one._replace(facts={**one.facts, "token_type": None}) for one in kept)
        split[start] = add_up(cut, [*plain, *FAN_OUT], wanted)
    return [
        [
            row._replace(key=key, total=total)
            for key, total in sorted(split[row.start].items())
            if key[: len(plain)] == row.key
        ]
        for row in rows
    ]


def _buckets(view: View, query: Query) -> list[tuple[datetime, datetime]]:
    start = query.moment("starting_at")
    if start is None:
        raise invalid("starting_at: Field required")
    if start < max(FIRST_DAY, view.now - timedelta(days=365)):
        raise invalid("starting_at: must be within the last 365 days and no earlier than 2026-01-01")
    name, end = query.one("time_bucket_width"), query.moment("ending_at")
    if name is None:
        hour = timedelta(hours=1)
        end = end or min(view.now, start + RANGE_MAX)
        _check_range(start, end, RANGE_MAX)
        return [(floor(start, hour), floor(end, hour))]
    width = WIDTHS.get(name)
    if width is None or end is None:
        raise invalid("time_bucket_width: Input should be 1m, 1h or 1d, with ending_at")
    _check_range(start, end, RANGE_MAX_BY_MINUTE if name == "1m" else RANGE_MAX)
    first, length = floor(start, width.length), width.length
    return [(first + length * at, first + length * (at + 1)) for at in range(-((first - end) // length))]


def _check_range(start: datetime, end: datetime, most: timedelta) -> None:
    if not start <= end <= start + most:
        raise invalid(f"ending_at: must be after starting_at by at most {most}")


def _groups(query: Query, known: Iterable[str]) -> list[str]:
    groups = group_by(query, known)
    if len([name for name in groups if name not in FAN_OUT]) > GROUPS_MAX:
        raise invalid(f"group_by: List should have at most {GROUPS_MAX} items")
    return groups


def _metric(query: Query, known: dict[str, Callable[[Any], int]], usual: str) -> Callable[[Any], int]:
    name = query.one("order_by") or usual
    if name != "time" and name not in known:
        raise invalid(f"order_by: Input should be one of {', '.join(sorted(known))}, time")
    return known[usual if name == "time" else name]


def _order(query: Query) -> str:
    order = query.one("order") or "desc"
    if order not in ("asc", "desc"):
        raise invalid("order: Input should be 'asc' or 'desc'")
    return order


def _bounds(row: Row) -> dict[str, str]:
    return {"starting_at": rfc3339(row.start), "ending_at": rfc3339(row.end)}


def _group(names: list[str], key: tuple[str, ...], shown: Iterable[str]) -> dict[str, Any]:
    values: dict[str, Any] = {name: value or None for name, value in zip(names, key, strict=True)}
    if values.get("inference_geo") == "not_available":
        values["inference_geo"] = None
    if values.get("actor"):
        values["actor"] = {"type": "api_actor", "api_key_id": values["actor"]}
    return {name: values.get(name) for name in shown}


def _page(view: View, query: Query, fans: list[list[Row]], shown: Callable[[Row], dict[str, Any]]) -> dict[str, Any]:
    """One page; the rows that one row fans out to count once."""
    limit, first = query.count("limit", 20, 1000), offset_of(query.one("page"))
    has_more = first + limit < len(fans)
    return {
        "data": [shown(row) for fan in fans[first : first + limit] for row in fan],
        "has_more": has_more,
        "next_page": cursor(first + limit) if has_more else None,
        "data_refreshed_at": rfc3339(view.now - timedelta(seconds=view.lateness.visible_after_s)),
    }
