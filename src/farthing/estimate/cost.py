"""
The expected cost of a workload, exact.

Every turn of the average conversation is priced through the price book in the band of its own prompt, so a growing
history crosses a price cliff at the turn where it does. Amounts are fractions of picodollars; nothing is rounded before
:func:`farthing.money.nearest`, when somebody reads.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from farthing.estimate.conversation import turns_of
from farthing.estimate.layout import Step, steps_of
from farthing.estimate.point import Point, averages
from farthing.estimate.tokenizer import FactorAt, factor_for
from farthing.estimate.workload import is_measured, sizes_of
from farthing.prices.card import Band, Card, Facts, Unpriced
from farthing.units import TOKEN_UNITS, Kind, Unit, weakest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from farthing.estimate.conversation import Split, Turn
    from farthing.estimate.workload import Workload
    from farthing.prices.book import PriceBook


class CostLine(NamedTuple):
    """
    One unit of one turn on one model, over the first month.

    ``units`` and ``pusd`` (picodollars) are expected values; ``pusd_per_unit`` is the composed rate of the band that
    starts above ``prompt_tokens_over``.
    """

    model: str
    turn: int
    service_tier: str
    unit: Unit
    units: Fraction
    pusd_per_unit: int
    pusd: Fraction
    prompt_tokens_over: int


class UnpricedPart(NamedTuple):
    """A share of the calls that has no price, and why."""

    model: str
    share: Fraction
    reason: str


class Month(NamedTuple):
    """Calls and expected picodollars of one month, the first being 1; None where a part has no price."""

    number: int
    calls: Fraction
    pusd: Fraction | None


class Expected(NamedTuple):
    """
    What a workload is expected to cost.

    Attributes:
        workload: The plan; on: the day whose prices were used; point: the values it was computed at.
        lines: The first month, by model, turn and unit; they sum exactly to ``priced_pusd``.
        unpriced: Parts without a price; empty where all has one.
        months: Every month planned.
        kind: ``derived`` where every input was measured, ``assumed`` otherwise.
        notes: What a reader should know: prefixes too short to cache, shares derived from gaps, factors believed.
        book_version: Version of the price book.

    """

    workload: Workload
    on: date
    point: Point
    lines: tuple[CostLine, ...]
    unpriced: tuple[UnpricedPart, ...]
    months: tuple[Month, ...]
    kind: Kind
    notes: tuple[str, ...]
    book_version: str

    @property
    def priced_pusd(self) -> Fraction:
        """Expected picodollars of the first month for the parts that have a price."""
        return sum((line.pusd for line in self.lines), Fraction(0))

    @property
    def pusd(self) -> Fraction | None:
        """Expected picodollars of the first month; None where a part has no price."""
        return None if self.unpriced else self.priced_pusd

    @property
    def total_pusd(self) -> Fraction | None:
        """Expected picodollars of all months planned; None where a part has no price."""
        return None if self.unpriced else sum((month.pusd or Fraction(0) for month in self.months), Fraction(0))

    def by(self, key: Callable[[CostLine], str]) -> dict[str, Fraction]:
        """Expected picodollars of the first month, by anything a line says."""
        sums: dict[str, Fraction] = {}
        for line in self.lines:
            sums[key(line)] = sums.get(key(line), Fraction(0)) + line.pusd
        return sums

    def units(self, unit: Unit, model: str | None = None) -> Fraction:
        """Expected count of a unit in the first month, on one model or on all."""
        return sum((one.units for one in self.lines if one.unit == unit and model in {None, one.model}), Fraction(0))


def expect(workload: Workload, on: date, book: PriceBook, point: Point | None = None) -> Expected:
    """
    The expected cost of a workload at the list prices of a day.

    Args:
        workload: The plan, checked.
        on: The day whose prices apply.
        book: The price book.
        point: Where to compute it; None: at the averages.

    """
    at = averages(workload) if point is None else point
    notes: dict[str, Kind] = {}
    lines, unpriced = _month(workload, on, book, at, notes)
    months = tuple(_months(workload, on, book, at, (lines, unpriced)))
    kind = _kind(workload, notes)
    return Expected(workload, on, at, tuple(lines), tuple(unpriced), months, kind, tuple(notes), book.version)


def month_pusd(
    workload: Workload, on: date, book: PriceBook, point: Point, *, factor_at: FactorAt = "typical"
) -> Fraction | None:
    """Expected picodollars of the first month at a point, or None; *factor_at* chooses the tokenizer factor."""
    lines, unpriced = _month(workload, on, book, point, {}, factor_at=factor_at)
    return None if unpriced else sum((line.pusd for line in lines), Fraction(0))


def _months(
    workload: Workload,
    on: date,
    book: PriceBook,
    point: Point,
    first: tuple[list[CostLine], list[UnpricedPart]],
) -> Iterator[Month]:
    """Growth multiplies the calls; hit shares that come from gaps are derived anew."""
    lines, unpriced = first
    first_pusd = sum((line.pusd for line in lines), Fraction(0))
    gaps_matter = workload.cache.ttl != "none" and point.stated_hit_share is None and point.arrival_gap_seconds is None
    for number in range(1, workload.volume.months + 1):
        grown = (1 + point.growth) ** (number - 1)
        calls = point.calls_per_month * grown
        if unpriced:
            yield Month(number, calls, None)
        elif gaps_matter and grown not in {0, 1} and point.gap_seconds is not None:
            then = point._replace(calls_per_month=calls, gap_seconds=point.gap_seconds / grown)
            yield Month(number, calls, month_pusd(workload, on, book, then))
        else:
            yield Month(number, calls, first_pusd * grown)


def _month(
    workload: Workload,
    on: date,
    book: PriceBook,
    point: Point,
    notes: dict[str, Kind],
    *,
    factor_at: FactorAt = "typical",
) -> tuple[list[CostLine], list[UnpricedPart]]:
    lines: list[CostLine] = []
    unpriced: list[UnpricedPart] = []
    turns: dict[Fraction, list[Turn]] = {}
    for model, decimal_share in workload.models.items():
        share = Fraction(decimal_share)
        for tier, tier_share in (("standard", 1 - point.batch_share), ("batch", point.batch_share)):
            if not share * tier_share:
                continue
            card = book.card(facts_of(workload, model, on, tier))
            if isinstance(card, Unpriced):
                unpriced.append(UnpricedPart(model, share * tier_share, card.reason))
                continue
            notes.update(dict.fromkeys((f"{model}: {note}" for note in card.notes), card.kind))
            factor = factor_for(workload, card.model, book, notes, factor_at)
            if factor not in turns:
                turns[factor] = list(turns_of(workload, point, factor))
            steps = steps_of(workload, card, point, share, turns[factor], in_batch=tier == "batch", notes=notes)
            part = _Part(workload, model, card, tier, share * tier_share, point)
            try:
                lines += _lines(part, steps)
            except _NoPriceError as why:
                unpriced.append(UnpricedPart(model, part.share, str(why)))
    return lines, unpriced


def facts_of(workload: Workload, model: str, on: date, tier: str = "standard") -> Facts:
    """The facts that decide a model's rates in this workload."""
    return Facts(model, workload.channel, workload.location, tier, workload.speed, workload.geo, on)


class _NoPriceError(Exception):
    """A turn that no published price covers; becomes an :class:`UnpricedPart`."""


class _Part(NamedTuple):
    """One model and service tier, and its share of all calls."""

    workload: Workload
    model: str
    card: Card
    tier: str
    share: Fraction
    point: Point


def _lines(part: _Part, steps: list[Step]) -> list[CostLine]:
    lines: list[CostLine] = []
    ttl = part.workload.cache.ttl
    for turn, tokens in steps:
        band = _band(part, turn)
        calls = part.point.calls_per_month * part.share * turn.weight
        for unit, per_call, rate in _counts(turn, tokens, ttl, band):
            if not per_call:
                continue
            if rate is None:
                raise _NoPriceError(f"{part.model} has no published {unit} rate on that day")
            units = per_call * calls
            lines.append(CostLine(part.model, turn.number, part.tier, unit, units, rate, units * rate, band.over))
        if part.point.searches:
            lines.append(_search_line(part, turn, part.point.searches * calls))
    return lines


def _search_line(part: _Part, turn: Turn, searches: Fraction) -> CostLine:
    if part.card.web_search is None:
        raise _NoPriceError("web search had no published fee on that day")
    rate = part.card.web_search_pusd
    return CostLine(part.model, turn.number, part.tier, Unit.WEB_SEARCH, searches, rate, searches * rate, 0)


def _band(part: _Part, turn: Turn) -> Band:
    model = part.card.model
    prompt = math.ceil(turn.prompt)
    band = part.card.band(prompt)
    # The windows counted input alone until models began to share them with output; the prompt must fit in any case.
    if band is None or prompt > model.context_window_tokens:
        raise _NoPriceError(
            f"turn {turn.number} sends {prompt:,} tokens, which is more than {model.id} takes "
            f"({model.context_window_tokens:,}): shorten the history or compact it"
        )
    return band


def _counts(turn: Turn, tokens: Split, ttl: str, band: Band) -> Iterator[tuple[Unit, Fraction, int | None]]:
    zero = Fraction(0)
    written_5m, written_1h = (tokens.written, zero) if ttl != "1h" else (zero, tokens.written)
    counts = (tokens.fresh, written_5m, written_1h, tokens.read, turn.output)
    return zip(TOKEN_UNITS, counts, band.rates, strict=True)


def _kind(workload: Workload, notes: dict[str, Kind]) -> Kind:
    """Derived only where every size that is not a plain zero was measured and no note tells of a belief."""
    measured = is_measured(workload, "models") and all(
        is_measured(workload, key) or size in _NEUTRAL.get(key, (0,)) for key, size in sizes_of(workload).items()
    )
    return weakest(Kind.DERIVED, *notes.values()) if measured else Kind.ASSUMED


_NEUTRAL = {
    "conversation.turns": (1,),
    "volume.sessions_per_user_per_day": (1,),
    "volume.calls_per_session": (1,),
    "cache.turn_gap_seconds": (60,),
}
"""Defaults that claim nothing: a reader need not have measured them."""
