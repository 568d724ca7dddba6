"""Where the money went by what was counted: input, cache writes, reads, output, searches."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from farthing.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.prices.bill import Bill

CLASS_NAMES = {
    Unit.INPUT: "input",
    Unit.CACHE_WRITE_5M: "cache write, 5 minutes",
    Unit.CACHE_WRITE_1H: "cache write, 1 hour",
    Unit.CACHE_READ: "cache read",
    Unit.OUTPUT: "output",
    Unit.WEB_SEARCH: "web search",
}


def by_class(bills: Iterable[Bill]) -> dict[Unit, int]:
    """
    Picodollars per unit over the bills that have an exact price, in the order of every table.

    They sum exactly to the list price of those bills.
    """
    sums: Counter[Unit] = Counter()
    for bill in bills:
        if bill.list_pusd is not None:
            for line in bill.lines:
                sums[line.unit] += line.pusd or 0
    return {unit: sums[unit] for unit in Unit if sums[unit]}
