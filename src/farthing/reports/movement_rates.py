"""
What a rate went through: standard, batch, fast mode, region, price band; for :mod:`farthing.reports.movement`.

Every rate is taken apart in one order. The last step is what the bill says, so sums over the steps are exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.prices.card import Facts, Unpriced
from farthing.units import TOKEN_UNITS

if TYPE_CHECKING:
    from datetime import date

    from farthing.prices.book import PriceBook
    from farthing.prices.card import Band, Card

STEPS = ("batch", "speed", "geo", "band")
"""What a standard rate goes through, in order."""

Rates = tuple[int, ...]


class Ladder:
    """
    The rates of calls at each step, numbered so that alike calls are summed before anything is multiplied.

    ``rungs[number]`` are standard rates, then those after each of :data:`STEPS`; the last are the bill's. A rate that
    was never published is 0.
    """

    def __init__(self, book: PriceBook) -> None:
        self.rungs: list[tuple[Rates, ...]] = []
        self._book = book
        self._known: dict[tuple[object, ...], int] = {}

    def number(self, facts: Facts, band: Band) -> int:
        """Where in ``rungs`` the rates of calls with these facts are, in this price band of theirs."""
        known = (*facts, band.over)
        found = self._known.get(known)
        if found is None:
            plain = facts._replace(service_tier="standard", speed="standard", inference_geo=None, location="global")
            batch = plain._replace(service_tier=facts.service_tier)
            fast = batch._replace(speed=facts.speed)
            cards = [self._book.card(one) for one in (plain, batch, fast, facts)]
            self.rungs.append(_carried([*map(_first_band, cards), band.rates]))
            found = self._known[known] = len(self.rungs) - 1
        return found


def standard_rates(book: PriceBook, model_id: str, channel: str, on: date) -> tuple[int | None, ...] | None:
    """Standard rates of the first price band on a day, or None where the book has none."""
    card = book.card(Facts(model_id, channel, "global", "standard", "standard", None, on))
    return None if isinstance(card, Unpriced) else card.bands[0].rates


def _first_band(card: Card | Unpriced) -> tuple[int | None, ...]:
    return (None,) * len(TOKEN_UNITS) if isinstance(card, Unpriced) else card.bands[0].rates


def _carried(rungs: list[tuple[int | None, ...]]) -> tuple[Rates, ...]:
    """A rate that a step lacks, or that is 0 where a later one is not, is the next step's: the step changes nothing."""
    later: Rates = (0,) * len(TOKEN_UNITS)
    carried = []
    for rates in reversed(rungs):
        later = tuple(rate or after for rate, after in zip(rates, later, strict=True))
        carried.append(later)
    return tuple(reversed(carried))
