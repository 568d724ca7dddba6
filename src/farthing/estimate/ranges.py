"""
How sure a figure is: percentiles over draws of every uncertain size, and which size moves it most.

Draws are seeded, so the same workload gives the same range everywhere. All of it is assumed.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from farthing.estimate.cost import month_pusd
from farthing.estimate.point import averages, point_at
from farthing.estimate.sizes import Range, draw, ends, mean
from farthing.estimate.workload import SHARES, sizes_of

if TYPE_CHECKING:
    from datetime import date

    from farthing.estimate.workload import Workload
    from farthing.prices.book import PriceBook

RUNS = 200
SEED = 20_261_120
SWING = Fraction(1, 5)
"""How far a size without a range is moved either way, so that sensitivities can be compared."""


class Spread(NamedTuple):
    """
    Picodollars of the first month that 5, 50 and 95 per cent of draws stay at or below.

    ``runs`` is 0 where no size has a range: then all three are the expected cost.
    """

    p5: Fraction
    p50: Fraction
    p95: Fraction
    runs: int


class Swing(NamedTuple):
    """
    What one size alone does to the first month, the others at their averages.

    Attributes:
        key: The size.
        low, high: The values it was set to.
        low_pusd, high_pusd: The month at each; the second is not always the larger.
        is_stated: Whether the workload states that range, or it is our 20 per cent either way.

    """

    key: str
    low: Fraction
    high: Fraction
    low_pusd: Fraction
    high_pusd: Fraction
    is_stated: bool

    @property
    def width_pusd(self) -> Fraction:
        """How far the month moves: what swings are ranked by."""
        return abs(self.high_pusd - self.low_pusd)


def spread(workload: Workload, on: date, book: PriceBook, *, runs: int = RUNS, seed: int = SEED) -> Spread | None:
    """
    Percentiles of the first month over *runs* draws; None where a part has no price at the averages.

    A draw that no model can serve, such as a history beyond every window, is left out.
    """
    middle = month_pusd(workload, on, book, averages(workload))
    if middle is None:
        return None
    sizes = sizes_of(workload)
    if not runs or not any(isinstance(size, Range) for size in sizes.values()):
        return Spread(middle, middle, middle, 0)
    random = Random(seed)  # noqa: S311  # a seeded draw of beliefs, nothing to guard
    found = []
    for _ in range(runs):
        point = point_at(workload, {key: draw(size, random) for key, size in sizes.items()})
        cost = month_pusd(workload, on, book, point)
        if cost is not None:
            found.append(cost)
    found.sort()
    if not found:
        return None
    return Spread(_rank(found, 5), _rank(found, 50), _rank(found, 95), len(found))


def sensitivity(workload: Workload, on: date, book: PriceBook) -> list[Swing]:
    """Every size that moves the first month, the widest swing first; empty where a part has no price."""
    sizes = sizes_of(workload)
    middle = {key: mean(size) for key, size in sizes.items()}
    swings = []
    for key, size in sizes.items():
        low, high, is_stated = _bounds(key, size, middle[key])
        costs = [month_pusd(workload, on, book, point_at(workload, middle | {key: end})) for end in (low, high)]
        if costs[0] is None or costs[1] is None or costs[0] == costs[1]:
            continue
        swings.append(Swing(key, low, high, costs[0], costs[1], is_stated))
    factor = [month_pusd(workload, on, book, point_at(workload, middle), factor_at=end) for end in ("low", "high")]
    if factor[0] is not None and factor[1] is not None and factor[0] != factor[1]:
        swings.append(Swing("tokenizer factor", Fraction(0), Fraction(1), factor[0], factor[1], is_stated=False))
    return sorted(swings, key=lambda swing: swing.width_pusd, reverse=True)


def _bounds(key: str, size: Range | object, middle: Fraction) -> tuple[Fraction, Fraction, bool]:
    if isinstance(size, Range):
        low, high = ends(size)
        return low, high, True
    low, high = middle * (1 - SWING), middle * (1 + SWING)
    if key in SHARES:
        high = min(high, Fraction(1))
    if key == "conversation.turns":
        low = max(low, Fraction(1))
    return low, high, False


def _rank(ordered: list[Fraction], percentile: int) -> Fraction:
    """The nearest-rank percentile: the smallest value that at least this share of values does not exceed."""
    return ordered[max(0, -(-percentile * len(ordered) // 100) - 1)]
