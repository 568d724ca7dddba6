"""
Terms that could have been: what a size of a commitment comes to in blocks of the past, drawn again and again. Pure.

:mod:`farthing.whatif.commitments` judges sizes by them. Statistics are floats; money is whole picodollars.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from random import Random
from statistics import mean
from typing import TYPE_CHECKING, NamedTuple

from farthing.money import PUSD_PER_USD, nearest
from farthing.whatif.drift import WHOLE_LEVEL, drifted_levels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from farthing.whatif.commitment_units import Draw

WEEK_H = 168
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


def quantiles(amounts: Sequence[int], levels: Sequence[float]) -> list[int]:
    """Hourly demand at each level: the least amount that this share of the hours does not exceed."""
    ordered = sorted(amounts) or [0]
    return [ordered[min(len(ordered) - 1, max(0, ceil(level * len(ordered)) - 1))] for level in levels]


class Terms:
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

    def size(self, units: int, later: Terms | None) -> Size:
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
