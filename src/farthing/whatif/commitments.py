"""
How much to commit to, what it would save, and how likely it is to lose. Pure.

A commitment is paid whether it is used or not, at a discount. By the hour, its last unit pays where demand reaches it
in at least ``1 - discount`` of the hours: the *break-even size* is a quantile of hourly demand. A sum that is drawn
down over the whole term pays by the same rule on what the term comes to.

That rule knows only the past, and loses money when demand falls. So a size is also judged

- by a **block bootstrap**: terms drawn from whole weeks, which keeps days and nights together. A thousand are drawn,
  each at a level of its own: how far demand may drift until the middle of the term is as uncertain as the trend of so
  many weeks is, so a short history or a long term widens it. The loss probability is the share of them that lose;
- **out of time**: the same share, where the size is fixed on the first two thirds and weeks are drawn from the rest.
  The worse of the two counts;
- by **drift** (:mod:`farthing.whatif.drift`): a test for a trend, and the last third against the rest.

It refuses, with every reason, where history is short, demand falls, nothing can be bought so small, the saving is too
small to matter or the risk of loss too large. Discounts are the user's, so every result is *assumed*. Statistics are
floats; money is whole picodollars.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from random import Random
from statistics import mean
from typing import TYPE_CHECKING, NamedTuple

from farthing.errors import BadInput
from farthing.money import PUSD_PER_USD, nearest
from farthing.whatif.drift import WHOLE_LEVEL, Drift, drift_of, drifted_levels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from farthing.whatif.commitment_units import Draw

WEEK_H = 168
WEEKS_MIN = 4
LOSS_MAX = 0.05
SAVING_MIN = 0.005
"""Of the on-demand bill; less is not worth a contract."""
_DRAWS = 1000
_STEPS = (Fraction(1), Fraction(4, 5), Fraction(3, 5), Fraction(2, 5), Fraction(1, 5))


class Demand(NamedTuple):
    """
    Hourly demand without gaps.

    Attributes:
        starts_at: The first hour; aware, UTC.
        amounts: Per hour what draws on a commitment: weighted tokens, or picodollars.
        worth_pusd: Per hour what that cost on demand.

    """

    starts_at: datetime
    amounts: tuple[int, ...]
    worth_pusd: tuple[int, ...]

    def part(self, begin: int, end: int) -> Demand:
        """Hours *begin* to *end*; the start stays as it is."""
        return Demand(self.starts_at, self.amounts[begin:end], self.worth_pusd[begin:end])


class Offer(NamedTuple):
    """
    What can be committed to.

    Attributes:
        draw: How use is counted.
        discount: Off the on-demand price of what one unit covers, 0 to 1: the user's.
        term_weeks: How long it binds.

    """

    draw: Draw
    discount: Fraction
    term_weeks: int


class Size(NamedTuple):
    """
    One size, judged. Amounts are picodollars over the term.

    Attributes:
        units: How many.
        cost_pusd: What it costs, used or not.
        saving_pusd: Expected saving; negative: it loses.
        low_pusd: A twentieth of drawn terms save less; high_pusd: as many save more.
        loss_probability: The worse of all weeks and of the held-out ones.
        used: Share of it that past demand would have used.

    """

    units: int
    cost_pusd: int
    saving_pusd: int
    low_pusd: int
    high_pusd: int
    loss_probability: float
    used: float


class Verdict(NamedTuple):
    """
    What to do.

    Attributes:
        offer: What was judged.
        hours: How many hours of history; on_demand_pusd: what a term like them costs without a commitment.
        break_even_units: The size by the quantile rule alone, before increments and minimum.
        sizes: Candidates, the largest first.
        recommended: The one that saves most among those that may be recommended; None: refused.
        refusals: Why nothing is recommended; empty where something is.
        drift: Where demand is going.

    """

    offer: Offer
    hours: int
    on_demand_pusd: int
    break_even_units: float
    sizes: tuple[Size, ...]
    recommended: Size | None
    refusals: tuple[str, ...]
    drift: Drift


def break_even(amounts: Sequence[int], discount: Fraction) -> int:
    """
    The largest amount that demand reaches in at least ``1 - discount`` of the hours: where the last unit still pays.

    >>> break_even([1, 2, 3, 4], Fraction(1, 4)), break_even([1, 2, 3, 4], Fraction(1, 2))
    (2, 3)
    """
    if not amounts:
        return 0
    needed = max(1, ceil((1 - discount) * len(amounts)))
    return sorted(amounts, reverse=True)[needed - 1]


def discount_of(demand: Demand, draw: Draw, pusd_per_unit_hour: int) -> Fraction:
    """
    What a quoted price of one unit for an hour is off its on-demand price; negative: it is dearer.

    Raises:
        BadInput: There is no demand to compare it with, or the unit is drawn down over a term.

    """
    if draw.unit_per_hour is None or not sum(demand.worth_pusd):
        raise BadInput("read a price for a unit", "--discount: there is nothing on demand to compare it with")
    on_demand = Fraction(sum(demand.worth_pusd), sum(demand.amounts)) * draw.unit_per_hour
    return 1 - pusd_per_unit_hour / on_demand


def quantiles(amounts: Sequence[int], levels: Sequence[float]) -> list[int]:
    """Hourly demand at each level: the least amount that this share of the hours does not exceed."""
    ordered = sorted(amounts) or [0]
    return [ordered[min(len(ordered) - 1, max(0, ceil(level * len(ordered)) - 1))] for level in levels]


def break_even_units(demand: Demand, offer: Offer, *, block_h: int = WEEK_H) -> float:
    """The break-even size in units, before increments and minimum: by the hour, or over drawn terms for a sum."""
    return _Terms(demand.part(len(demand.amounts) % block_h, len(demand.amounts)), offer, block_h, 0).break_even_units()


def judge(
    demand: Demand,
    offer: Offer,
    *,
    units: int | None = None,
    loss_max: float = LOSS_MAX,
    weeks_min: int = WEEKS_MIN,
    block_h: int = WEEK_H,
    seed: int = 0,
) -> Verdict:
    """
    Judge sizes of a commitment on past demand.

    Args:
        demand: As long as possible; the oldest hours that fill no whole block are left out.
        offer: What can be bought.
        units: Judge this size alone, such as one that is bound already; None: sizes up to break-even.
        loss_max: The greatest loss probability of a size that is recommended.
        weeks_min: Refuse below so much history.
        block_h: Hours that are drawn together.
        seed: Of the draws; the same seed gives the same result.

    """
    hours = len(demand.amounts)
    whole = demand.part(hours % block_h, hours)
    drift = drift_of(whole.amounts)
    terms = _Terms(whole, offer, block_h, seed)
    cut = 2 * len(terms.blocks) // 3 * block_h
    later = _Terms(whole.part(cut, hours), offer, block_h, seed, terms.levels) if cut else None
    sizes = tuple(terms.size(n, later) for n in ([units] if units is not None else terms.candidates()) if n > 0)
    refusals = _history(hours, weeks_min) + drift.reasons() + _no_size(terms, sizes, loss_max)
    allowed = [size for size in sizes if _worth_it(size, terms) and size.loss_probability <= loss_max]
    best = max(allowed, key=lambda size: size.saving_pusd, default=None)
    return Verdict(
        offer,
        hours,
        terms.on_demand_pusd,
        terms.break_even_units(),
        sizes,
        None if refusals else best,
        tuple(refusals),
        drift,
    )


def _worth_it(size: Size, terms: _Terms) -> bool:
    return size.saving_pusd > SAVING_MIN * terms.on_demand_pusd


def _history(hours: int, weeks_min: int) -> list[str]:
    if hours >= weeks_min * WEEK_H:
        return []
    return [f"{hours / WEEK_H:.1f} weeks of history; at least {weeks_min} are needed to see a week repeat"]


def _no_size(terms: _Terms, sizes: Sequence[Size], loss_max: float) -> list[str]:
    """Why none of the sizes may be recommended; empty where one may."""
    draw = terms.offer.draw
    if not draw.still_sold:
        return [f"{draw.name} is no longer sold: only what is bound already can be judged, with its size"]
    if not sizes:
        reached = int(100 * terms.break_even_units()) / 100
        says = (
            f"break-even is {reached:,} and the least that can be bought is {draw.units_min:,}: "
            f"demand must reach it in {1 - float(terms.offer.discount):.0%} of the hours"
        )
        return [says]
    worth = [size.loss_probability for size in sizes if _worth_it(size, terms)]
    if not worth:
        return [f"no size saves {SAVING_MIN:.1%} of what a term costs on demand: that is below the noise"]
    if min(worth) > loss_max:
        return [f"every size that saves something loses with a probability of {min(worth):.0%} or more"]
    return []


class _Terms:
    """Terms that could have been: whole blocks of the past, drawn again and again."""

    def __init__(
        self, demand: Demand, offer: Offer, block_h: int, seed: int, levels: Sequence[int] | None = None
    ) -> None:
        self.offer = offer
        starts = range(0, len(demand.amounts), block_h)
        self.blocks = [demand.part(start, start + block_h) for start in starts]
        self.per_term = max(1, round(offer.term_weeks * WEEK_H / block_h))
        self._amounts = demand.amounts
        self._worth = [sum(block.worth_pusd) for block in self.blocks]
        self._block_h = block_h
        self._seed = seed
        counted = sum(demand.amounts)
        self._rate = Fraction(sum(demand.worth_pusd), counted) if counted else Fraction(0)
        self.levels = drifted_levels(self._worth, self.per_term, _DRAWS, seed) if levels is None else levels

    @property
    def on_demand_pusd(self) -> int:
        """An average term without a commitment."""
        return nearest(Fraction(sum(self._worth) * self.per_term, len(self._worth))) if self._worth else 0

    def break_even_units(self) -> float:
        """By the quantile rule, in units."""
        if not self.blocks:
            return 0.0
        covered = self.offer.draw.unit_per_hour
        if covered is None:
            return break_even(self._drawn(lambda total: total), self.offer.discount) / PUSD_PER_USD
        return break_even(self._amounts, self.offer.discount) / covered

    def candidates(self) -> list[int]:
        """Sizes that can be bought, up to break-even; the largest first."""
        draw, top = self.offer.draw, Fraction(self.break_even_units())
        rounded = ((top * step) // draw.increment * draw.increment for step in _STEPS)
        least = [draw.units_min] if top >= draw.units_min > 1 else []
        return sorted({int(size) for size in rounded if size >= draw.units_min} | set(least), reverse=True)

    def size(self, units: int, later: _Terms | None) -> Size:
        """Judge one size on all blocks, and its loss probability on the later ones as well."""
        savings = self.savings(units, self._rate)
        losses = [_share_below_zero(savings)]
        if later is not None and later.blocks:
            losses.append(_share_below_zero(later.savings(units, self._rate)))
        low, high = quantiles(savings, (0.05, 0.95))
        cost = self._cost(units, self._rate)
        return Size(
            units, cost, nearest(Fraction(sum(savings), len(savings))), low, high, max(losses), self._used(units)
        )

    def savings(self, units: int, rate: Fraction) -> list[int]:
        """What each drawn term saves, at that price of what is counted."""
        cost = self._cost(units, rate)
        covered = self.offer.draw.unit_per_hour
        if covered is None:
            return self._drawn(lambda total: min(total, units * PUSD_PER_USD) - cost)
        at_level = {
            level: [_covered(block, units * covered, level) for block in self.blocks] for level in set(self.levels)
        }
        rng = Random(self._seed)  # noqa: S311  a simulation
        return [sum(rng.choices(at_level[level], k=self.per_term)) - cost for level in self.levels]

    def _cost(self, units: int, rate: Fraction) -> int:
        covered = self.offer.draw.unit_per_hour
        price = 1 - self.offer.discount
        if covered is None:
            return nearest(units * PUSD_PER_USD * price)
        return nearest(units * covered * self._block_h * self.per_term * rate * price)

    def _drawn(self, of_total: Callable[[int], int]) -> list[int]:
        rng = Random(self._seed)  # noqa: S311  a simulation
        return [
            of_total(sum(rng.choices(self._worth, k=self.per_term)) * level // WHOLE_LEVEL) for level in self.levels
        ]

    def _used(self, units: int) -> float:
        covered = self.offer.draw.unit_per_hour
        if covered is None:
            return mean(min(1.0, total / (units * PUSD_PER_USD)) for total in self._drawn(lambda total: total))
        size = units * covered
        return mean(min(amount, size) for amount in self._amounts) / size


def _covered(block: Demand, size: int, level: int) -> int:
    """What a size saves in a block at a level, before its own cost: the on-demand worth of the demand that it takes."""
    top = size * WHOLE_LEVEL
    return sum(
        worth * level // WHOLE_LEVEL if amount * level <= top else worth * size // amount
        for amount, worth in zip(block.amounts, block.worth_pusd, strict=True)
    )


def _share_below_zero(savings: Sequence[int]) -> float:
    return sum(saving < 0 for saving in savings) / len(savings)
