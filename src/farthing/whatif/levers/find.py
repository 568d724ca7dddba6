"""All finders over one measurement of the calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

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
from farthing.whatif.playbook.advice import Finding, Guide, Proposal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.call import Call
    from farthing.ledger.interface import Stored
    from farthing.prices.book import PriceBook
    from farthing.whatif.levers.traffic import Traffic


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
    found = [
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
    return [_told_apart(one, traffic) for one in found]


def _told_apart(one: Proposal | Finding, traffic: Traffic) -> Proposal | Finding:
    """The same with its model in the title where another model has a route of that name; moves of models say theirs."""
    where = one.about if isinstance(one, Finding) else one.choice.rules[0].where
    if one.guide is Guide.ROUTING:
        return one
    for route in traffic.routes:
        if route.by and route.where == where:
            is_shared = sum((other.by, other.value) == (route.by, route.value) for other in traffic.routes) > 1
            title = one.title.replace(route.label, f"{route.label} on {route.model}", 1)
            return msgspec.structs.replace(one, title=title) if is_shared else one
    return one
