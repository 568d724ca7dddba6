"""
Why the bill moved, from a ledger's sums: :mod:`farthing.reports.movement` without going through the calls.

A row of sums holds calls that share a segment, whatever decides a rate, and a stretch of days without a change of
price. Prices are linear in tokens but for a few rules, so the row's counts are priced as one call's would be. Where
that is what the calls were posted at, to the picodollar, the row says all that its calls would have said. Where it is
not:

- calls in a long-prompt band or at a regional endpoint, beside others: what they cost more goes to that bar, for its
  amount is known, and how much of it was prompts and how much answers is taken from the whole row's counts;
- calls without an exact price among others: the counts are taken to be in proportion to what was posted;
- anything else (refusals that were free, extra passes on another model, postings at other prices): the difference goes
  into the bar ``other``.

Bars then still sum to the change; the movement is *assumed*, and a note says of how many calls.
"""

from __future__ import annotations

from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from farthing.prices.card import Card, Facts
from farthing.prices.names import PARTNER_CHANNELS
from farthing.reports.movement import Movement, compare
from farthing.reports.movement_rates import STEPS, Ladder
from farthing.reports.movement_sums import Key, Period, Segment, UnpricedCalls, checked_dimensions, model_of, tokens_of
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import date

    from farthing.ledger.interface import Row
    from farthing.prices.book import PriceBook
    from farthing.prices.card import Band

FACTS = ("model", "channel", "service_tier", "speed", "inference_geo")
"""What decides a rate, as a query names it."""
OTHER = "other"
OTHER_LABEL = "extra passes, free refusals and what sums cannot tell apart"

_PROMPT = 4
_ENDPOINTS = ("global", "regional")
"""Rows do not say where calls went; any place but ``global`` is a regional endpoint."""


class Sums(NamedTuple):
    """
    One period of a ledger, summed.

    Attributes:
        stretches: Rows of reports by :func:`dimensions_of`, without buckets, each report with its first UTC day; no
            price changes within one (:attr:`farthing.prices.book.PriceBook.change_days`).
        days: Priced calls per UTC day.

    """

    stretches: tuple[tuple[date, Sequence[Row]], ...]
    days: Counter[date]


def dimensions_of(by: Iterable[str]) -> tuple[str, ...]:
    """
    What to group by so that rows can be taken apart.

    Raises:
        BadInput: A dimension does not exist, or is ``kind``.

    """
    return tuple(dict.fromkeys((*checked_dimensions(by), *FACTS)))


def movement_of_sums(
    before: Sums, after: Sums, book: PriceBook, *, by: Sequence[str], under_contract: bool, values_max: int
) -> Movement:
    """
    Take the change from one period's posted bill to another's apart.

    Args:
        before: The first period.
        after: The second.
        book: Prices of both.
        by: Dimensions that tell segments apart.
        under_contract: Whether the bill is what was posted under the contract; else at list.
        values_max: This many of the dearest values of *by* are told apart, the others are one segment per model.

    Raises:
        BadInput: A dimension does not exist, or is ``kind``.

    """
    names = checked_dimensions(by)
    kept, left_out = _dearest((before, after), len(names), values_max)
    readings = [_Reading(book, names, kept, under_contract=under_contract) for _ in range(2)]
    found = compare(readings[0].period(before), readings[1].period(after), book, names)
    notes = list(found.notes)
    inexact, calls = sum(one.inexact for one in readings), found.before.calls + found.after.calls
    if inexact:
        notes.append(
            f"{inexact:,} of {calls:,} calls are in sums that one price does not explain (long prompts, regional "
            "endpoints, free refusals, extra passes, another price book): their total is exact, its causes assumed"
        )
    if left_out:
        notes.append(f"the {len(kept):,} dearest of {len(kept) + left_out:,} groups are told apart, the others are one")
    found = found._replace(notes=tuple(notes))
    bars = tuple(bar._replace(label=OTHER_LABEL) if bar.name == OTHER else bar for bar in found.bars)
    return found._replace(bars=bars)


def _dearest(periods: Iterable[Sums], names: int, values_max: int) -> tuple[Collection[Key], int]:
    """The values that are dearest in either period, and how many others there are."""
    dearest: dict[Key, int] = {}
    for period in periods:
        spent: Counter[Key] = Counter()
        for _, rows in period.stretches:
            for row in rows:
                spent[row.key[:names]] += row.list_pusd
        for key, pusd in spent.items():
            dearest[key] = max(pusd, dearest.get(key, 0))
    ordered = sorted(dearest, key=lambda key: (-dearest[key], *(part or "" for part in key)))
    return frozenset(ordered[:values_max]), max(0, len(ordered) - values_max)


class _Choice(NamedTuple):
    """One way to price rows: facts, and a band of their card."""

    facts: Facts
    card: Card
    band: Band

    def pusd(self, row: Row) -> int | None:
        """What a row comes to so; None where a part of it has no rate."""
        tokens = _at(self.band, tokens_of(row.usage))
        return None if tokens is None else tokens + row.usage.web_search_requests * self.card.web_search_pusd


class _Alike(NamedTuple):
    """What all rows of the same facts have in common: those, the model's canonical id, and how they may be priced."""

    facts: Facts
    model: str
    choices: tuple[_Choice, ...]


class _Reading:
    """A period while its rows are read; ``inexact``: calls of rows that one price does not explain."""

    def __init__(self, book: PriceBook, by: tuple[str, ...], kept: Collection[Key], *, under_contract: bool) -> None:
        self._book, self._by, self._kept, self._under_contract = book, by, kept, under_contract
        names = dimensions_of(by)
        self._places = [names.index(name) for name in FACTS]
        self._segments: dict[Key, Segment] = {}
        self._unpriced: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._kinds: set[Kind] = set()
        self._ladder = Ladder(book)
        self._known: dict[tuple[str | date | None, ...], _Alike] = {}
        self.inexact = 0

    def period(self, sums: Sums) -> Period:
        """Everything of it."""
        for first, rows in sums.stretches:
            for row in rows:
                self._read(row, first)
        for segment in self._segments.values():
            segment.settle(self._ladder)
        calls = sum(segment.calls for segment in self._segments.values())
        unpriced = tuple(UnpricedCalls(model, self._reasons[model], n) for model, n in self._unpriced.most_common())
        kind = weakest(*self._kinds, Kind.ASSUMED if self.inexact else Kind.MEASURED)
        return Period(self._segments, calls, sums.days, unpriced, kind)

    def _read(self, row: Row, first: date) -> None:
        alike = self._alike(tuple(row.key[place] for place in self._places), first)
        facts = alike.facts
        if row.unpriced_calls:
            card = self._book.card(facts)
            self._unpriced[facts.model_id] += row.unpriced_calls
            reason = "a part of these calls has no exact price" if isinstance(card, Card) else card.reason
            self._reasons.setdefault(facts.model_id, reason)
        priced = row.calls - row.unpriced_calls
        if not priced:
            return
        self._kinds.add(row.kind)
        values = row.key[: len(self._by)]
        values = values if values in self._kept else (OTHER,) * len(self._by)
        key = (*values, alike.model)
        segment = self._segments.get(key)
        if segment is None:
            segment = self._segments[key] = Segment()
        segment.calls += priced
        segment.list_pusd += row.list_pusd
        segment.charged_pusd += row.contract_pusd if self._under_contract else row.list_pusd
        segment.asked[facts.model_id, facts.channel] += priced
        exact = next((choice for choice in alike.choices if choice.pusd(row) == row.list_pusd), None)
        if exact is not None and not row.unpriced_calls:
            self._add(segment, exact, priced, tokens_of(row.usage), row.usage.web_search_requests)
        else:
            self.inexact += priced
            priced_so = ((choice, choice.pusd(row)) for choice in alike.choices)
            self._share(segment, row, [(choice, pusd) for choice, pusd in priced_so if pusd is not None])

    def _alike(self, rates: tuple[str | None, ...], first: date) -> _Alike:
        found = self._known.get((*rates, first))
        if found is None:
            model, channel, tier, speed, geo = rates
            facts = Facts(
                model or "", channel or "claude_api", None, tier or "standard", speed or "standard", geo, first
            )
            name = model_of(self._book, facts.model_id, facts.channel)
            found = self._known[*rates, first] = _Alike(facts, name, tuple(self._choices(facts)))
        return found

    def _choices(self, facts: Facts) -> Iterator[_Choice]:
        """The usual price first, then those of other bands, then those of another endpoint than the usual one."""
        known: list[tuple[Band, ...]] = []
        named = self._book.names.find(facts.model_id, facts.channel)
        places = _ENDPOINTS if named and named.channel in PARTNER_CHANNELS else ()
        for one in (facts, *(facts._replace(location=place) for place in places)):
            card = self._book.card(one)
            if not isinstance(card, Card) or card.bands in known:
                continue
            known.append(card.bands)
            for band in card.bands:
                yield _Choice(one, card, band)

    def _add(self, segment: Segment, choice: _Choice, calls: int, tokens: Iterable[int], searches: int) -> None:
        segment.count(self._ladder.number(choice.facts, choice.band), calls, tokens)
        segment.searches += searches
        segment.search_pusd += searches * choice.card.web_search_pusd

    def _share(self, segment: Segment, row: Row, choices: list[tuple[_Choice, int]]) -> None:
        """A row that one price for all of it does not explain, and what each price comes to."""
        posted, priced = row.list_pusd, row.calls - row.unpriced_calls
        tokens, searches = tokens_of(row.usage), row.usage.web_search_requests
        if not choices:
            segment.extra_pusd += posted
            return
        usual, usual_pusd = choices[0]
        if row.unpriced_calls and posted < usual_pusd:
            tokens = tuple(count * posted // usual_pusd for count in tokens)
            searches = searches * posted // usual_pusd
            counted = (_at(usual.band, tokens) or 0) + searches * usual.card.web_search_pusd
            self._add(segment, usual, priced, tokens, searches)
            segment.extra_pusd += posted - counted
            return
        less, less_pusd = max((one for one in choices if one[1] <= posted), key=itemgetter(1), default=choices[0])
        dearer, dearer_pusd = min(
            (one for one in choices if one[1] > posted), key=itemgetter(1), default=(less, less_pusd)
        )
        self._add(segment, less, priced, tokens, searches)
        has_rates = all(rate for rate, count in zip(less.band.rates, tokens, strict=True) if count)
        if not less_pusd <= posted < dearer_pusd or not has_rates:
            segment.extra_pusd += posted - less_pusd
            return
        prompts = [_at(one.band, (*tokens[:_PROMPT], 0)) or 0 for one in (less, dearer)]
        more, whole = posted - less_pusd, dearer_pusd - less_pusd
        of_prompts = more * (prompts[1] - prompts[0]) // whole
        for step in range(STEPS.index("band" if dearer.facts is less.facts else "geo") + 1, len(STEPS) + 1):
            segment.prompt[step] += of_prompts
            segment.output[step] += more - of_prompts


def _at(band: Band, tokens: Iterable[int]) -> int | None:
    """Counts at a band's rates; None where one has none."""
    pusd = 0
    for count, rate in zip(tokens, band.rates, strict=True):
        if count:
            if rate is None:
                return None
            pusd += count * rate
    return pusd
