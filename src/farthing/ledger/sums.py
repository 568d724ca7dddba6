"""
From sums per group to the rows of a report: folding kinds, the dearest and the others, order. Pure.

Engines sum by key, kind and time; everything that needs no engine happens here, once.
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING, NamedTuple

from farthing.call import Usage
from farthing.ledger.corrections import contract_or_list_pusd
from farthing.ledger.interface import Row
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from farthing.ledger.interface import Posting, Query

COUNTS = Usage.__struct_fields__
MEASURES = (
    "calls",
    "unpriced_calls",
    "unbounded_calls",
    *COUNTS,
    "list_pusd",
    "low_pusd",
    "high_pusd",
    "contract_pusd",
)
"""What is summed, in the order of :attr:`Group.sums`. All of it can be taken away again, so corrections are exact."""

_CALLS = 0
_LIST = MEASURES.index("list_pusd")
_NOTHING = (0,) * len(MEASURES)
OTHER = "other"

Key = tuple[str | None, ...]


class Group(NamedTuple):
    """The sums over the calls of one kind with one key in one time bucket (its start in UTC, or None)."""

    start: datetime | None
    key: Key
    kind: Kind
    sums: tuple[int, ...]


def measures(usages: Iterable[Usage], posting: Posting) -> tuple[int, ...]:
    """What one call adds to the sums, in the order of :data:`MEASURES`."""
    counts = [0] * len(COUNTS)
    for usage in usages:
        counts = [total + getattr(usage, name) for total, name in zip(counts, COUNTS, strict=True)]
    return (
        1,
        int(posting.list_pusd is None),
        int(posting.high_pusd is None),
        *counts,
        posting.list_pusd or 0,
        posting.low_pusd or 0,
        posting.high_pusd or 0,
        contract_or_list_pusd(posting),
    )


def rows(groups: Iterable[Group], query: Query, zone: ZoneInfo) -> list[Row]:
    """The rows of a report, in the order that :meth:`farthing.ledger.interface.Ledger.report` promises."""
    folded = [group for group in _fold(groups) if group.sums[_CALLS]]
    if query.limit is not None:
        kept = _dearest(folded, query.limit)
        other = (OTHER,) * len(query.by)
        if not query.others:
            folded = [group for group in folded if group.key in kept]
        folded = _fold(group if group.key in kept else group._replace(key=other) for group in folded)
    by_key: dict[tuple[datetime | None, Key], list[Group]] = {}
    for group in folded:
        by_key.setdefault((group.start, group.key), []).append(group)
    if not by_key and not query.by and query.bucket is None:
        by_key[None, ()] = []
    ordered = [_row(start, key, parts, zone) for (start, key), parts in by_key.items()]
    return sorted(ordered, key=_order)


def _fold(groups: Iterable[Group]) -> list[Group]:
    totals: dict[tuple[datetime | None, Key, Kind], tuple[int, ...]] = {}
    for start, key, kind, sums in groups:
        known = totals.get((start, key, kind))
        totals[start, key, kind] = sums if known is None else _plus(known, sums)
    return [Group(*identity, sums) for identity, sums in totals.items()]


def _dearest(groups: list[Group], limit: int) -> set[Key]:
    totals: dict[Key, int] = {}
    for group in groups:
        totals[group.key] = totals.get(group.key, 0) + group.sums[_LIST]
    dearest = sorted(totals, key=lambda key: (-totals[key], _text(key)))
    return set(dearest if len(dearest) <= limit else dearest[:limit])


def _row(start: datetime | None, key: Key, parts: list[Group], zone: ZoneInfo) -> Row:
    sums = reduce(_plus, (part.sums for part in parts)) if parts else _NOTHING
    calls, unpriced, unbounded, *counts = sums[:_LIST]
    list_pusd, low_pusd, high_pusd, contract_pusd = sums[_LIST:]
    return Row(
        key=key,
        start=None if start is None else start.astimezone(zone),
        calls=calls,
        unpriced_calls=unpriced,
        usage=Usage(*counts),
        list_pusd=list_pusd,
        low_pusd=low_pusd,
        high_pusd=None if unbounded else high_pusd,
        contract_pusd=contract_pusd,
        kind=weakest(*(part.kind for part in parts)),
    )


def _order(row: Row) -> tuple[float, int, tuple[str, ...]]:
    return 0.0 if row.start is None else row.start.timestamp(), -row.list_pusd, _text(row.key)


def _text(key: Key) -> tuple[str, ...]:
    return tuple(part or "" for part in key)


def _plus(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(add, one, other))
