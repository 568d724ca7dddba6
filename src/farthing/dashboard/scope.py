"""
The one place that decides which calls somebody may see.

Pages never hold a ledger: they hold a :class:`Reader`, which narrows every question by its scope before it is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from farthing.dashboard.books import Shelf
    from farthing.ledger.interface import Begun, Correction, Hour, Ledger, Query, Row, Stored
    from farthing.ledger.outcome import Basis, Outcome, OutcomeStore, Replaced, Share, Tail
    from farthing.prices.book import PriceBook
    from farthing.whatif.replay.choice import Choice
    from farthing.whatif.replay.totals import Replayed

_T = TypeVar("_T")
_BOUND = "tenant"


class Scope(NamedTuple):
    """
    What may be seen.

    Attributes:
        tenants: The calls of these tenants alone; None: every call.

    """

    tenants: tuple[str, ...] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether everything may be seen."""
        return self.tenants is None

    def narrow(self, query: Query) -> Query:
        """The same question about what may be seen; a filter for another tenant's calls finds none."""
        if self.tenants is None:
            return query
        asked = query.where.get(_BOUND)
        kept = self.tenants if asked is None else tuple(value for value in asked if value in self.tenants)
        return msgspec.structs.replace(query, where={**query.where, _BOUND: kept})

    def allows(self, stored: Stored) -> bool:
        """Whether that call may be seen."""
        return self.tenants is None or stored.call.dims.get(_BOUND) in self.tenants

    def allows_outcome(self, outcome: Outcome) -> bool:
        """Whether that outcome may be seen: one that does not say whose it is, by those alone who may see all."""
        return self.tenants is None or outcome.tenant in self.tenants


class Reader:
    """
    The ledger as one user may see it.

    Args:
        shelf: The opened ledger with its cache.
        scope: What may be seen.

    """

    def __init__(self, shelf: Shelf, scope: Scope) -> None:
        self._shelf = shelf
        self.scope = scope

    @property
    def is_old(self) -> bool:
        """Whether the ledger has changed since, and cannot be read now."""
        return self._shelf.is_old

    def report(self, query: Query) -> list[Row]:
        """As :meth:`farthing.ledger.interface.Ledger.report`."""
        narrowed = self.scope.narrow(query)
        return self._shelf.kept(("report", msgspec.json.encode(narrowed)), lambda ledger: ledger.report(narrowed))

    def total(self, query: Query) -> Row | None:
        """The question's totals; None where no call matches."""
        rows = self.report(msgspec.structs.replace(query, by=(), bucket=None, limit=None))
        return rows[0] if rows and rows[0].calls else None

    def hours(self, query: Query) -> list[Hour]:
        """As :meth:`farthing.ledger.interface.Ledger.hours`."""
        narrowed = self.scope.narrow(query)
        return self._shelf.kept(("hours", msgspec.json.encode(narrowed)), lambda ledger: ledger.hours(narrowed))

    def dearest(self, query: Query, names: tuple[str, ...], number: int) -> dict[str, list[str | None]]:
        """As :meth:`farthing.ledger.interface.Ledger.dearest`."""
        narrowed = self.scope.narrow(query)
        key = ("dearest", msgspec.json.encode(narrowed), names, number)
        return self._shelf.kept(key, lambda ledger: ledger.dearest(narrowed, names, number))

    def latest(self, query: Query, number: int, skip: int = 0) -> list[Stored]:
        """As :meth:`farthing.ledger.interface.Ledger.latest`."""
        return self._shelf.ledger().latest(self.scope.narrow(query), number, skip)

    def calls(self, query: Query) -> Iterator[Stored]:
        """As :meth:`farthing.ledger.interface.Ledger.calls`."""
        return self._shelf.ledger().calls(self.scope.narrow(query))

    def get(self, call_id: str) -> Stored | None:
        """As :meth:`farthing.ledger.interface.Ledger.get`; None for a call that may not be seen."""
        stored = self._shelf.ledger().get(call_id)
        return stored if stored is not None and self.scope.allows(stored) else None

    def outcomes(self) -> list[Outcome]:
        """As :meth:`farthing.ledger.outcome.OutcomeReader.outcomes`."""
        tenants = self.scope.tenants
        return self._shelf.kept(("outcomes", tenants), lambda ledger: _store(ledger).outcomes(tenants))

    def outcome_count(self) -> int:
        """How many :meth:`outcomes` there are, without reading them."""
        tenants = self.scope.tenants
        return self._shelf.kept(("outcome count", tenants), lambda ledger: _store(ledger).outcome_count(tenants))

    def outcome(self, outcome_id: str) -> tuple[Outcome, tuple[Replaced, ...]] | None:
        """As :meth:`farthing.ledger.outcome.OutcomeReader.outcome`, without what was told while it was another's."""
        found = _store(self._shelf.ledger()).outcome(outcome_id)
        if found is None or not self.scope.allows_outcome(found[0]):
            return None
        return found[0], tuple(one for one in found[1] if self.scope.allows_outcome(one.outcome))

    def shares(self, query: Query, basis: Basis = "list") -> list[Share]:
        """As :meth:`farthing.ledger.outcome.OutcomeReader.shares`: joined as if there were only what may be seen."""
        return _store(self._shelf.ledger()).shares(self.scope.narrow(query), basis, self.scope.tenants)

    def tail(self, query: Query, basis: Basis = "list") -> Tail:
        """As :meth:`farthing.ledger.outcome.OutcomeReader.tail`."""
        narrowed = self.scope.narrow(query)
        key = ("tail", msgspec.json.encode(narrowed), basis)
        return self._shelf.kept(key, lambda ledger: _store(ledger).tail(narrowed, basis))

    def replayed(self, query: Query, choices: tuple[Choice, ...], book: PriceBook) -> Replayed:
        """The calls under each choice alone, at list: see :func:`farthing.whatif.replay.grouped.replay_ledger`."""
        from farthing.whatif.replay.grouped import replay_ledger  # noqa: PLC0415 - most pages do without

        narrowed = self.scope.narrow(query)
        key = ("replayed", msgspec.json.encode(narrowed), msgspec.json.encode(choices), book.version)
        return self._shelf.kept(key, lambda ledger: replay_ledger(ledger, narrowed, choices, book, cumulative=False))

    def corrections(self) -> list[Correction]:
        """As :meth:`farthing.ledger.interface.Ledger.corrections`; none where not everything may be seen."""
        return self._shelf.kept(("corrections",), lambda ledger: ledger.corrections()) if self.scope.is_whole else []

    def unsettled(self) -> list[Begun]:
        """Calls that began and have no outcome; none where not everything may be seen, for nobody knows whose."""
        return self._shelf.unsettled() if self.scope.is_whole else []

    def read_to(self) -> dict[str, int]:
        """How far each journal was read, in bytes, by its file's name; none where not everything may be seen."""
        return self._shelf.read_to() if self.scope.is_whole else {}

    def kept(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """What *make* makes of this reader's answers, made once until the ledger changes; per scope."""
        made: Any = self._shelf.kept((self.scope.tenants, key), lambda _ledger: make())
        return made  # type: ignore[no-any-return]


def _store(ledger: Ledger) -> OutcomeStore:
    from farthing.ledger.outcome import OutcomeStore  # noqa: PLC0415 - most pages do without

    assert isinstance(ledger, OutcomeStore), "every engine keeps outcomes"
    return ledger
