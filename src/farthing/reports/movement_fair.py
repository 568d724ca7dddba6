"""Fair shares of cache writes beside a bill's movement: per value of its dimensions, in both periods."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.reports.fair_shares import FairShares, fair_shares
from farthing.reports.movement_sums import Key, checked_dimensions, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from farthing.call import Call
    from farthing.prices.book import PriceBook


class FairInBoth(NamedTuple):
    """
    Fair shares in both periods.

    Attributes:
        by: The dimensions.
        before: Of the first period alone; after: of the second alone.
        before_by_value: Per values of the dimensions, the premium paid and the fair share; after_by_value: likewise.

    """

    by: tuple[str, ...]
    before: FairShares
    after: FairShares
    before_by_value: dict[Key, tuple[int, int]]
    after_by_value: dict[Key, tuple[int, int]]


def fair_in_both(
    a_calls: Sequence[Call], b_calls: Sequence[Call], book: PriceBook, by: Sequence[str], zone: ZoneInfo
) -> FairInBoth:
    """
    Share the cache writes of each period among its own calls.

    Raises:
        BadInput: A dimension does not exist.

    """
    names = checked_dimensions(by)
    before, after = fair_shares(a_calls, book), fair_shares(b_calls, book)
    old, new = (
        shares.by({call.call_id: key_of(call, names, "", zone)[:-1] for call in calls})
        for shares, calls in ((before, a_calls), (after, b_calls))
    )
    return FairInBoth(names, before, after, old, new)
