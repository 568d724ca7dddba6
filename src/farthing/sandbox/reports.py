"""
The usage and cost reports of the Admin API: the sandbox's books in buckets of time, exact to the picodollar.

A bucket's row adds up the passes of requests *sent* in it. Two things can be scripted that real reports do: rows that
come late, and groups beyond a cap that are silently missing.

Source: facts: claude-api 11.2 to 11.4, checked 2026-11-20. UNCONFIRMED and chosen here: a range that ends inside a
bucket includes that bucket; tokens of an unbilled refusal are in the usage report; wording of ``description``.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import msgspec

from farthing import money
from farthing.sandbox.paging import cursor, offset_of, rfc3339
from farthing.sandbox.pieces import DIMENSIONS, Amount, Counts, amounts, counts
from farthing.sandbox.problems import invalid
from farthing.sandbox.replies import Count, Seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from farthing.sandbox.books import Books, Entry
    from farthing.sandbox.paging import Query


T = TypeVar("T", Counts, Amount)


class Lateness(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    How reports lag behind the books and what they leave out.

    Attributes:
        visible_after_s: A request shows this long after it was booked.
        late_percent: So many of a hundred requests, picked by their ids, show later than that.
        late_after_s: They show this long after they were booked: a revision of figures that looked final.
        groups_max: Rows per bucket; the smallest beyond are missing, with no row for the rest. None: no cap.

    """

    visible_after_s: Seconds = 0.0
    late_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    late_after_s: Seconds = 0.0
    groups_max: Count | None = None

    def shows(self, entry: Entry, now: datetime) -> bool:
        """Whether a report made now has that request."""
        late = hashlib.blake2b(entry.call.call_id.encode(), digest_size=2).digest()
        is_late = int.from_bytes(late) % 100 < self.late_percent
        return entry.booked_at + timedelta(seconds=self.late_after_s if is_late else self.visible_after_s) <= now


class Width(NamedTuple):
    """One ``bucket_width``: its length, and how many a page has."""

    length: timedelta
    default: int
    most: int


WIDTHS = {
    "1m": Width(timedelta(minutes=1), 60, 1440),
    "1h": Width(timedelta(hours=1), 24, 168),
    "1d": Width(timedelta(days=1), 7, 31),
}
USAGE_GROUPS = (*DIMENSIONS, "account_id", "service_account_id")
_FILTERS = {
    "account_ids": "account_id",
    "api_key_ids": "api_key_id",
    "context_window": "context_window",
    "inference_geos": "inference_geo",
    "models": "model",
    "service_account_ids": "service_account_id",
    "service_tiers": "service_tier",
    "speeds": "speed",
    "workspace_ids": "workspace_id",
}
"""Query parameter by the dimension that it filters."""


class View(NamedTuple):
    """
    Who looks at the books, when.

    Attributes:
        organization_id: Whose requests are shown.
        default_workspace_id: Shown as null by the older reports.

    """

    books: Books
    organization_id: str
    default_workspace_id: str | None
    now: datetime
    lateness: Lateness

    def entries(self, start: datetime, end: datetime) -> Iterator[Entry]:
        """Requests sent in that time that show already."""
        for entry in self.books.between(start, end):
            if entry.call.dims["organization"] == self.organization_id and self.lateness.shows(entry, self.now):
                yield entry


def usage_report(view: View, query: Query, betas: frozenset[str]) -> dict[str, Any]:
    """
    ``GET /v1/organizations/usage_report/messages``.

    Raises:
        ApiError: A parameter is wrong.

    """
    groups = group_by(query, USAGE_GROUPS)
    has_speed = any(beta.startswith("fast-mode-") for beta in betas)
    if ("speed" in groups or query.many("speeds")) and not has_speed:
        raise invalid("speed: needs the beta header fast-mode-2026-02-01")
    wanted = filters(query, _FILTERS)
    shown = [name for name in USAGE_GROUPS if has_speed or name != "speed"]

    def rows(entries: Iterable[Entry]) -> list[dict[str, Any]]:
        sums = add_up((piece for entry in entries for piece in counts(entry)), groups, wanted)
        largest = sorted(sums.items(), key=lambda row: (-row[1].total_tokens, row[0]))[: view.lateness.groups_max]
        return [{**usage_json(total), **_named(view, groups, key, shown)} for key, total in largest]

    return _paged(view, query, query.one("bucket_width") or "1d", rows)


def cost_report(view: View, query: Query) -> dict[str, Any]:
    """
    ``GET /v1/organizations/cost_report``. Amounts are decimal strings in cents.

    Raises:
        ApiError: A parameter is wrong.

    """
    groups = group_by(query, ("workspace_id", "description"))
    width = query.one("bucket_width") or "1d"
    if width != "1d":
        raise invalid("bucket_width: Input should be '1d'")
    parsed = ("description", "cost_type", "token_type", "model", "service_tier", "context_window", "inference_geo")
    by = [name for name in groups if name != "description"] + (list(parsed) if "description" in groups else [])

    def rows(entries: Iterable[Entry]) -> list[dict[str, Any]]:
        sums = add_up((amount for entry in entries for amount in amounts(entry)), by, {})
        largest = sorted(sums.items(), key=lambda row: (-row[1].pusd, row[0]))[: view.lateness.groups_max]
        return [
            {"amount": cents(total.pusd), "currency": "USD", **_named(view, by, key, ["workspace_id", *parsed])}
            for key, total in largest
        ]

    return _paged(view, query, width, rows)


def group_by(query: Query, known: Iterable[str]) -> list[str]:
    """
    What to break out by.

    Raises:
        ApiError: There is no such dimension.

    """
    groups = list(dict.fromkeys(query.many("group_by")))
    for name in groups:
        if name not in known:
            raise invalid(f"group_by: Input should be one of {', '.join(sorted(known))}")
    return groups


def filters(query: Query, known: Mapping[str, str]) -> dict[str, set[str]]:
    """What to keep, by dimension; an empty value stands for *none*."""
    return {dimension: set(values) for name, dimension in known.items() if (values := query.many(name))}


def add_up(pieces: Iterable[T], by: list[str], wanted: Mapping[str, set[str]]) -> dict[tuple[str, ...], T]:
    """Sums by the values of *by*, of what *wanted* lets through."""
    sums: dict[tuple[str, ...], T] = {}
    for piece in pieces:
        facts = piece.facts
        if all((facts.get(name) or "") in values for name, values in wanted.items()):
            key = tuple(facts.get(name) or "" for name in by)
            known = sums.get(key)
            sums[key] = piece if known is None else known.plus(piece)
    return sums


def usage_json(total: Counts) -> dict[str, Any]:
    """Token counts under the reports' names."""
    usage = total.usage
    return {
        "uncached_input_tokens": usage.input_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens": usage.output_tokens,
        "server_tool_use": {"web_search_requests": usage.web_search_requests},
    }


def cents(pusd: int) -> str:
    """Exact decimal cents: ``123.45`` is $1.2345."""
    return money.usd_text(pusd * 100)


def floor(at: datetime, length: timedelta) -> datetime:
    """The start of the bucket that *at* is in."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (at - epoch) // length * length


def ceiling(at: datetime, length: timedelta) -> datetime:
    """The end of the last bucket that begins before *at*."""
    start = floor(at, length)
    return start if start == at else start + length


def _named(view: View, groups: list[str], key: tuple[str, ...], shown: Iterable[str]) -> dict[str, Any]:
    """Every dimension that a row shows: those not grouped by are null, and so is the default workspace."""
    values = {name: value or None for name, value in zip(groups, key, strict=True)}
    if values.get("workspace_id") == view.default_workspace_id:
        values["workspace_id"] = None
    return {name: values.get(name) for name in shown}


def _paged(
    view: View, query: Query, width_name: str, rows: Callable[[Iterable[Entry]], list[dict[str, Any]]]
) -> dict[str, Any]:
    """One page of buckets, the oldest first, empty ones too."""
    width = WIDTHS.get(width_name)
    if width is None:
        raise invalid(f"bucket_width: Input should be one of {', '.join(WIDTHS)}")
    limit = query.count("limit", width.default, width.most)
    starting_at = query.moment("starting_at")
    if starting_at is None:
        raise invalid("starting_at: Field required")
    start = floor(starting_at, width.length)
    end = ceiling(query.moment("ending_at") or view.now, width.length)
    count = max(0, (end - start) // width.length)
    first = offset_of(query.one("page"))
    data = []
    for at in range(first, min(count, first + limit)):
        since = start + at * width.length
        until = since + width.length
        found = rows(view.entries(since, until))
        data.append({"starting_at": rfc3339(since), "ending_at": rfc3339(until), "results": found})
    has_more = first + limit < count
    return {"data": data, "has_more": has_more, "next_page": cursor(first + limit) if has_more else None}
