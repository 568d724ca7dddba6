"""
Why the bill moved: the change between two periods, taken apart into bars that sum to it to the picodollar.

A period's bill is, per segment (a value of the chosen dimensions, and a model)::

    calls x share of the dimension's value x share of the model in it
          x (   prompt tokens per call x (split over fresh, written, read) x standard prices x batch x fast x geo x band
              + output tokens per call x standard price x batch x fast x geo x band
              + searches per call x fee + extra passes per call )
          x contract

Each bar is one of those factors. What one factor did depends on the others, so each gets its Shapley value, the mean
over all orders in which they could have changed (:mod:`farthing.reports.attribution`): a factor that did not change
gets exactly nothing, and no order is favoured. Parts finer than a picodollar are rounded inside each segment by largest
remainder, so bars sum to the change, and a bar's segments to the bar.

A segment of one period alone has no sizes and prices of its own in the other. There it takes the sizes of its value's
other models (a feature that moved to a new model kept its prompts), or, where the whole value is new or gone, those of
the period it has; and the book's prices on that period's middle day, where there are any. So a new route is *mix* and
not ten other things, a new model is *models*, and what its price did meanwhile is *price*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from farthing.reports.attribution import shapley, summed, whole_parts
from farthing.reports.movement_factors import View, sizes_of
from farthing.reports.movement_sums import (
    Key,
    Period,
    UnpricedCalls,
    checked_dimensions,
    sum_period,
)
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from fractions import Fraction

    from farthing.call import Call
    from farthing.prices.book import PriceBook
    from farthing.reports.movement_sums import Contract

BARS = {
    "volume": "more or fewer calls",
    "mix": "which of them",
    "models": "which models served",
    "input": "prompt tokens per call",
    "output": "output tokens per call",
    "cache": "share of prompts read and written",
    "batch": "share sent as batches",
    "tools": "web searches per call",
    "price": "list prices",
    "band": "prompts in a long-prompt price band",
    "speed": "fast mode",
    "geo": "US-only and regional endpoints",
    "contract": "terms of the contract",
    "other": "extra passes (compaction, advisor, declined)",
}
"""Every bar by its name, in the order in which they are shown."""


class Part(NamedTuple):
    """One segment's share of a bar: its key (values of the dimensions, then the model) and picodollars."""

    key: Key
    pusd: int


class Bar(NamedTuple):
    """
    One cause.

    Attributes:
        name: A key of :data:`BARS`; label: what it means.
        pusd: What it did to the bill, in picodollars.
        parts: Segments that it touched, the largest first; they sum to ``pusd``.

    """

    name: str
    label: str
    pusd: int
    parts: tuple[Part, ...]


class Movement(NamedTuple):
    """
    From one period to another.

    Attributes:
        by: The dimensions that tell segments apart, besides the model.
        before, after: The periods, summed.
        bars: One per key of :data:`BARS`; they sum exactly to ``moved_pusd``.
        kind: ``derived``, or ``assumed`` where a price is.
        notes: What a reader should know besides.
        book_version: The book that priced both periods.

    """

    by: tuple[str, ...]
    before: Period
    after: Period
    bars: tuple[Bar, ...]
    kind: Kind
    notes: tuple[str, ...]
    book_version: str

    @property
    def moved_pusd(self) -> int:
        """The second period less the first: under the contract where there is one, without unpriced calls."""
        return self.after.charged_pusd - self.before.charged_pusd

    def bar(self, name: str) -> Bar:
        """The bar of that name."""
        return next(bar for bar in self.bars if bar.name == name)

    @property
    def unpriced(self) -> tuple[tuple[UnpricedCalls, ...], tuple[UnpricedCalls, ...]]:
        """Calls left out of the first period and of the second."""
        return self.before.unpriced, self.after.unpriced


def movement(
    a_calls: Iterable[Call],
    b_calls: Iterable[Call],
    book: PriceBook,
    *,
    by: Sequence[str] = ("feature",),
    contract: Contract | None = None,
    zone: ZoneInfo | None = None,
) -> Movement:
    """
    Take the change from the bill of *a_calls* to that of *b_calls* apart.

    Args:
        a_calls: The first period; each call is read once, so this may be an iterator.
        b_calls: The second.
        book: Prices both, each call on its own day.
        by: Dimensions that tell segments apart, as :class:`farthing.ledger.interface.Query` takes them.
        contract: A call and its bill to its price under contract; None: list prices.
        zone: Of time-of-day dimensions; None: UTC.

    Raises:
        BadInput: A dimension does not exist.

    """
    names = checked_dimensions(by)
    zone = zone or ZoneInfo("UTC")
    before = sum_period(a_calls, book, names, zone, contract)
    after = sum_period(b_calls, book, names, zone, contract)
    return compare(before, after, book, names)


def compare(before: Period, after: Period, book: PriceBook, by: tuple[str, ...]) -> Movement:
    """Take the change between two summed periods apart."""
    moved: dict[str, dict[Key, int]] = {name: {} for name in BARS}
    sizes = [{key: sizes_of(segment) for key, segment in period.segments.items()} for period in (before, after)]
    olds, news = View(before, after, book, *sizes), View(after, before, book, *reversed(sizes))
    for key in sorted({*before.segments, *after.segments}, key=_sortable):
        change = _charged(after, key) - _charged(before, key)
        for name, pusd in _parts(olds.terms(key), news.terms(key), change).items():
            if pusd:
                moved[name][key] = pusd
    bars = tuple(
        Bar(name, label, sum(moved[name].values()), _largest_first(moved[name])) for name, label in BARS.items()
    )
    kind = weakest(Kind.DERIVED, before.kind, after.kind)
    found = Movement(by, before, after, bars, kind, (*olds.notes(), *news.notes()), book.version)
    assert sum(bar.pusd for bar in bars) == found.moved_pusd, "bars must sum to the change"
    return found


def _charged(period: Period, key: Key) -> int:
    segment = period.segments.get(key)
    return 0 if segment is None else segment.charged_pusd


def _sortable(key: Key) -> tuple[str, ...]:
    return tuple(part or "" for part in key)


def _largest_first(parts: dict[Key, int]) -> tuple[Part, ...]:
    ordered = sorted(parts.items(), key=lambda item: (-abs(item[1]), _sortable(item[0])))
    return tuple(Part(key, pusd) for key, pusd in ordered)


def _parts(
    olds: list[list[tuple[str, Fraction]]], news: list[list[tuple[str, Fraction]]], moved: int
) -> dict[str, int]:
    """One segment's change, by bar."""
    moves = (
        ([name for name, _ in old], shapley([factor for _, factor in old], [factor for _, factor in new]))
        for old, new in zip(olds, news, strict=True)
        # Where something is nothing in either period, nothing moved the product.
        if all(one or other for (_, one), (_, other) in zip(old, new, strict=True))
    )
    over, divisor = summed(moves)
    assert sum(over.values()) == moved * divisor, "a segment's parts must sum to its change"
    return whole_parts(over, divisor, moved)
