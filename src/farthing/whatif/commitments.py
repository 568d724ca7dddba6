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
from typing import TYPE_CHECKING, NamedTuple

from farthing.errors import BadInput
from farthing.whatif.commitment_draws import WEEK_H, Size, Terms
from farthing.whatif.drift import Drift, drift_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.whatif.commitment_draws import Demand, Offer
    from farthing.whatif.commitment_units import Draw

WEEKS_MIN = 4
LOSS_MAX = 0.05
SAVING_MIN = 0.005
"""Of the on-demand bill; less is not worth a contract."""


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


def break_even_units(demand: Demand, offer: Offer, *, block_h: int = WEEK_H) -> float:
    """The break-even size in units, before increments and minimum: by the hour, or over drawn terms for a sum."""
    return Terms(demand.part(len(demand.amounts) % block_h, len(demand.amounts)), offer, block_h, 0).break_even_units()


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
    terms = Terms(whole, offer, block_h, seed)
    cut = 2 * len(terms.blocks) // 3 * block_h
    later = Terms(whole.part(cut, hours), offer, block_h, seed, terms.levels) if cut else None
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


def _worth_it(size: Size, terms: Terms) -> bool:
    return size.saving_pusd > SAVING_MIN * terms.on_demand_pusd


def _history(hours: int, weeks_min: int) -> list[str]:
    if hours >= weeks_min * WEEK_H:
        return []
    return [f"{hours / WEEK_H:.1f} weeks of history; at least {weeks_min} are needed to see a week repeat"]


def _no_size(terms: Terms, sizes: Sequence[Size], loss_max: float) -> list[str]:
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
