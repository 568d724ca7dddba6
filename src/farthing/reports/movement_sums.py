"""
One period of calls, summed for :mod:`farthing.reports.movement`: per segment what was counted and what each step cost.

A segment is one value of the chosen dimensions and one model. Its tokens are kept by their rates
(:mod:`farthing.reports.movement_rates`) while the period is read, and multiplied once at its end.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from farthing.errors import BadInput
from farthing.ledger.interface import Posting, Query, Stored
from farthing.ledger.question import check, value
from farthing.prices.card import Facts
from farthing.prices.engine import price_served, utc_day
from farthing.reports.movement_rates import STEPS, Ladder
from farthing.units import TOKEN_UNITS, Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date
    from zoneinfo import ZoneInfo

    from farthing.call import Call, Usage
    from farthing.prices.bill import Bill, Component
    from farthing.prices.book import PriceBook

    Contract = Callable[[Call, Bill], int | None]

Key = tuple[str | None, ...]
"""Values of the chosen dimensions, and last the model's canonical id."""

_NO_POSTING = Posting(list_pusd=None, low_pusd=None, high_pusd=None)
_PROMPT = len(TOKEN_UNITS) - 1
_CALLS = len(TOKEN_UNITS)
"""Where a cell has its calls, behind its tokens."""


class Segment:
    """
    Sums over the priced calls of one segment in one period. Amounts are picodollars.

    Attributes:
        calls: How many; unbilled refusals count, without tokens.
        counts: Billed tokens per unit, in the order of :data:`farthing.units.TOKEN_UNITS`.
        base: Per unit, what they come to at standard rates.
        rate_sums: Per unit, the sum over billed calls of the standard rate: a mean price where nothing was counted.
        rated_calls: How many calls those are.
        prompt: What the prompts come to at standard rates and after each of :data:`STEPS`; output: likewise.
        searches: Web searches; search_pusd: their fees.
        extra_pusd: Extra passes (compaction, advisor, declined attempts).
        list_pusd: At list; charged_pusd: under the contract, at list where there is none.
        step_calls: How many calls each of :data:`STEPS` changed.
        cells: Calls that are not priced yet, while the period is being read.
        asked: How many calls each id and channel had, to find the segment's price on another day.

    """

    __slots__ = (
        "asked",
        "base",
        "calls",
        "cells",
        "charged_pusd",
        "counts",
        "extra_pusd",
        "list_pusd",
        "output",
        "prompt",
        "rate_sums",
        "rated_calls",
        "search_pusd",
        "searches",
        "step_calls",
    )

    def __init__(self) -> None:
        self.calls = 0
        self.counts = [0] * len(TOKEN_UNITS)
        self.base = [0] * len(TOKEN_UNITS)
        self.rate_sums = [0] * len(TOKEN_UNITS)
        self.rated_calls = 0
        self.prompt = [0] * (len(STEPS) + 1)
        self.output = [0] * (len(STEPS) + 1)
        self.searches = 0
        self.search_pusd = 0
        self.extra_pusd = 0
        self.list_pusd = 0
        self.charged_pusd = 0
        self.step_calls = dict.fromkeys(STEPS, 0)
        self.asked: Counter[tuple[str, str]] = Counter()
        self.cells: dict[int, list[int]] = {}

    def count(self, number: int, calls: int, tokens: Iterable[int]) -> None:
        """Add calls and their tokens at the rates of that number of the ladder."""
        cell = self.cells.setdefault(number, [0] * (len(TOKEN_UNITS) + 1))
        cell[_CALLS] += calls
        for n, tokens_of_unit in enumerate(tokens):
            cell[n] += tokens_of_unit

    def settle(self, ladder: Ladder) -> None:
        """Price the cells: tokens, and last calls, by the number of their rates."""
        for number, cell in self.cells.items():
            tokens, calls, rungs = cell[:_CALLS], cell[_CALLS], ladder.rungs[number]
            self.rated_calls += calls
            for n, (count, rate) in enumerate(zip(tokens, rungs[0], strict=True)):
                self.counts[n] += count
                self.base[n] += count * rate
                self.rate_sums[n] += rate * calls
            for step, rates in enumerate(rungs):
                self.prompt[step] += sum(n * rate for n, rate in zip(tokens[:_PROMPT], rates, strict=False))
                self.output[step] += tokens[_PROMPT] * rates[_PROMPT]
            for name, (low, high) in zip(STEPS, pairwise(rungs), strict=True):
                self.step_calls[name] += calls if low != high else 0
        self.cells.clear()

    def add(self, other: Segment) -> None:
        """Add another segment's sums to this one's."""
        for name in ("calls", "rated_calls", "searches", "search_pusd", "extra_pusd", "list_pusd", "charged_pusd"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("counts", "base", "rate_sums", "prompt", "output"):
            both = zip(getattr(self, name), getattr(other, name), strict=True)
            setattr(self, name, [mine + more for mine, more in both])
        for step in STEPS:
            self.step_calls[step] += other.step_calls[step]
        self.asked.update(other.asked)

    @property
    def prompt_tokens(self) -> int:
        """All billed prompt tokens."""
        return sum(self.counts[:_PROMPT])

    @property
    def output_tokens(self) -> int:
        """All billed output tokens."""
        return self.counts[_PROMPT]


class UnpricedCalls(NamedTuple):
    """Calls of one model without an exact price, left out of every bar: why the first of them, and how many."""

    model: str
    reason: str
    calls: int


class Period(NamedTuple):
    """
    One period, summed.

    Attributes:
        segments: By key.
        calls: Priced calls; days: UTC days on which there were some, with how many.
        unpriced: Calls left out, most first.
        kind: The weakest kind among the bills.

    """

    segments: dict[Key, Segment]
    calls: int
    days: Counter[date]
    unpriced: tuple[UnpricedCalls, ...]
    kind: Kind

    @property
    def list_pusd(self) -> int:
        """What it comes to at list."""
        return sum(segment.list_pusd for segment in self.segments.values())

    @property
    def charged_pusd(self) -> int:
        """What it comes to under the contract, at list where there is none."""
        return sum(segment.charged_pusd for segment in self.segments.values())

    @property
    def middle_day(self) -> date | None:
        """The day on which half of its calls had been sent; None: no calls."""
        sent = 0
        for day in sorted(self.days):
            sent += self.days[day]
            if 2 * sent >= self.calls:
                return day
        return None


def checked_dimensions(by: Iterable[str]) -> tuple[str, ...]:
    """
    The dimensions that tell segments apart, without ``model``, which always does.

    Raises:
        BadInput: One does not exist, or is ``kind``, which no call has before it is priced.

    """
    names = tuple(name for name in dict.fromkeys(by) if name != "model")
    check(Query(by=names))
    if "kind" in names:
        raise BadInput("read dimension 'kind'", "one of a call: tenant, feature, project, channel, tag:NAME, ...")
    return names


def key_of(call: Call, by: tuple[str, ...], model_id: str, zone: ZoneInfo) -> Key:
    """The segment of a call."""
    if not by:
        return (model_id,)
    stored = Stored(call, _NO_POSTING)
    return (*(value(stored, name, zone) for name in by), model_id)


def sum_period(
    calls: Iterable[Call], book: PriceBook, by: tuple[str, ...], zone: ZoneInfo, contract: Contract | None = None
) -> Period:
    """Price every call and sum it into its segment."""
    segments: dict[Key, Segment] = {}
    days: Counter[date] = Counter()
    unpriced: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    kinds: set[Kind] = set()
    ladder = Ladder(book)
    total = 0
    for call in calls:
        bill = price_served(book, call.served, call.sent_at)
        count = call.served.calls_in_total or 1
        if bill.list_pusd is None:
            unpriced[call.served.model] += count
            reasons.setdefault(call.served.model, "; ".join(bill.unpriced))
            continue
        kinds.add(bill.kind)
        total += count
        days[utc_day(call.sent_at)] += count
        key = key_of(call, by, model_of(book, call.served.model, call.served.channel), zone)
        segment = segments.get(key)
        if segment is None:
            segment = segments[key] = Segment()
        segment.calls += count
        segment.list_pusd += bill.list_pusd
        charged = None if contract is None else contract(call, bill)
        segment.charged_pusd += bill.list_pusd if charged is None else charged
        segment.asked[call.served.model, call.served.channel] += count
        _add(segment, call, bill, ladder, count)
    for segment in segments.values():
        segment.settle(ladder)
    told = tuple(UnpricedCalls(model, reasons[model], n) for model, n in unpriced.most_common())
    return Period(segments, total, days, told, weakest(*kinds))


def model_of(book: PriceBook, model_id: str, channel: str) -> str:
    """The canonical id of a model that served; the id as reported where the book has none."""
    named = book.names.find(model_id, channel)
    return named.model.id if named else model_id


def _add(segment: Segment, call: Call, bill: Bill, ladder: Ladder, count: int) -> None:
    for component in bill.components:
        if not component.billed:
            continue
        if component.part != "request":
            segment.extra_pusd += _component_pusd(component)
            continue
        usage = component.usage
        number = ladder.number(_facts(call), component.band)
        segment.count(number, count, tokens_of(usage))
        segment.searches += usage.web_search_requests
        segment.search_pusd += usage.web_search_requests * component.card.web_search_pusd


def _facts(call: Call) -> Facts:
    served = call.served
    return Facts(
        served.model,
        served.channel,
        served.location,
        served.service_tier,
        served.speed,
        served.inference_geo,
        utc_day(call.sent_at),
    )


def tokens_of(usage: Usage) -> tuple[int, ...]:
    """Counts in the order of :data:`farthing.units.TOKEN_UNITS`."""
    return (
        usage.input_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        usage.cache_read_tokens,
        usage.output_tokens,
    )


def _component_pusd(component: Component) -> int:
    rated = zip(tokens_of(component.usage), component.band.rates, strict=True)
    tokens = sum(count * rate for count, rate in rated if rate is not None)
    return tokens + component.usage.web_search_requests * component.card.web_search_pusd
