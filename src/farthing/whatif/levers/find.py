"""All finders over one measurement of the calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.whatif.levers import (
    batch,
    caching,
    history,
    legacy,
    misses,
    output,
    premiums,
    retries,
    tiers,
    tools,
)
from farthing.whatif.levers.traffic import traffic_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.call import Call
    from farthing.ledger.interface import Stored
    from farthing.prices.book import PriceBook
    from farthing.whatif.levers.traffic import Traffic
    from farthing.whatif.playbook.advice import Finding, Proposal


def find_all(calls: Iterable[Call | Stored], book: PriceBook) -> list[Proposal | Finding]:
    """
    Everything that is found in calls, in no order of merit: a replay of the proposals decides what each is worth.

    Args:
        calls: In order of ``sent_at``; read once.
        book: Prices.

    Raises:
        BadInput: A call was sent before the one before it.

    """
    return find_in(traffic_of(calls, book))


def find_in(traffic: Traffic) -> list[Proposal | Finding]:
    """The same over calls that were measured already."""
    return [
        *caching.find(traffic),
        *batch.find(traffic),
        *legacy.find(traffic),
        *tiers.find(traffic),
        *premiums.find(traffic),
        *output.find(traffic),
        *misses.find(traffic),
        *tools.find(traffic),
        *retries.find(traffic),
        *history.find(traffic),
    ]
