"""One outcome's calls, one by one: the same rule that sums them, told call by call."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from farthing.call import DIMENSIONS
from farthing.ledger.outcome_join import Finder
from farthing.ledger.question import TAG

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from farthing.ledger.interface import Query, Stored
    from farthing.ledger.outcome import JoinedBy, Outcome


class Calls(Protocol):
    """Calls to ask for, such as a ledger."""

    def calls(self, query: Query) -> Iterator[Stored]:
        """See :meth:`farthing.ledger.interface.Ledger.calls`."""
        ...

    def get(self, call_id: str) -> Stored | None:
        """See :meth:`farthing.ledger.interface.Ledger.get`."""
        ...


class Joined(NamedTuple):
    """A call of an outcome, and which name joined them."""

    stored: Stored
    by: JoinedBy


def calls_of(
    calls: Calls, outcome: Outcome, outcomes: Iterable[Outcome], query: Query, most: int
) -> tuple[Joined, ...] | None:
    """
    The calls that belong to an outcome, in order of time.

    Args:
        calls: Where they are.
        outcome: Whose.
        outcomes: Every outcome that may take one of them, this one included.
        query: Range and filters in which they are looked for.
        most: Give up at more calls of its names than so many.

    Returns:
        None: there are more.

    """
    named: dict[str, Stored] = {}
    for stored in islice(_named(calls, outcome, query), most + 1):
        named[stored.call.call_id] = stored
    if len(named) > most:
        return None
    finder = Finder(outcomes)
    found = ((stored, finder.find(stored.call)) for stored in named.values())
    mine = [
        Joined(stored, one[1]) for stored, one in found if one is not None and one[0].outcome_id == outcome.outcome_id
    ]
    return tuple(sorted(mine, key=lambda one: (one.stored.call.sent_at, one.stored.call.call_id)))


def _named(calls: Calls, outcome: Outcome, query: Query) -> Iterator[Stored]:
    """Every call that the outcome names, some of them more than once."""
    if outcome.request:
        stored = calls.get(outcome.request)
        if stored is not None and _is_in(query, stored):
            yield stored
    names = [("tag:gateway_call", outcome.request), ("session", outcome.session)]
    if outcome.tag_name:
        tag = outcome.tag_name if outcome.tag_name in DIMENSIONS else f"{TAG}{outcome.tag_name}"
        names.append((tag, outcome.tag_value))
    for name, value in names:
        if value:
            yield from calls.calls(msgspec.structs.replace(query, where={**query.where, name: (value,)}))


def _is_in(query: Query, stored: Stored) -> bool:
    at = stored.call.sent_at
    return (query.since is None or at >= query.since) and (query.until is None or at < query.until)
