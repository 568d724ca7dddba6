"""The report on outcomes as values: rows of calls and outcomes side by side, their means, and the whole answer."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

from farthing import money
from farthing.ledger.interface import Query
from farthing.ledger.outcome import STATUSES, Basis, Outcome, Tail
from farthing.ledger.sums import OTHER
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Iterable

Key = tuple[str | None, ...]


class StatusSums(msgspec.Struct, kw_only=True):
    """
    Outcomes of one status.

    Attributes:
        outcomes: How many; without_calls: of them, how many have no call.
        calls: Calls of the others; unpriced_calls: of these, how many are in no sum.
        pusd: What the calls cost.

    """

    outcomes: int = 0
    without_calls: int = 0
    calls: int = 0
    unpriced_calls: int = 0
    pusd: int = 0


class OutcomeRow(msgspec.Struct, kw_only=True):
    """
    One group: its calls on one side, its outcomes on the other.

    Attributes:
        key: A value per dimension of the query, None where there is none.
        calls: Calls with this key; unpriced_calls: of them, how many are in no sum; pusd: what they cost.
        free_calls: Calls with this key that belong to no outcome; free_unpriced_calls and free_pusd: likewise.
        kind: How sure the prices of its calls are.
        by_status: Its outcomes, for each of :data:`~farthing.ledger.outcome.STATUSES`.
        outcome_kind: How sure the costs of its outcomes are: derived where a session or tag joined them.
        elsewhere: Outcomes of this row that have calls in another row too.
        partial: Outcomes of this row that have calls outside the query's range and filters too.
        value_pusd: What its outcomes are worth, as told; valued: how many said so.
        revenue_pusd: What was paid for them, as told; paid: how many said so.

    """

    key: Key
    calls: int = 0
    unpriced_calls: int = 0
    pusd: int = 0
    free_calls: int = 0
    free_unpriced_calls: int = 0
    free_pusd: int = 0
    kind: Kind = Kind.MEASURED
    by_status: dict[str, StatusSums]
    outcome_kind: Kind = Kind.MEASURED
    elsewhere: int = 0
    partial: int = 0
    value_pusd: int = 0
    valued: int = 0
    revenue_pusd: int = 0
    paid: int = 0

    @property
    def outcomes(self) -> int:
        """All outcomes of this row."""
        return sum(sums.outcomes for sums in self.by_status.values())

    @property
    def without_calls(self) -> int:
        """Of them, how many have no call."""
        return sum(sums.without_calls for sums in self.by_status.values())

    @property
    def outcome_pusd(self) -> int:
        """What the calls of its outcomes cost."""
        return sum(sums.pusd for sums in self.by_status.values())

    @property
    def outcome_unpriced_calls(self) -> int:
        """How many of those calls are in no sum."""
        return sum(sums.unpriced_calls for sums in self.by_status.values())

    @property
    def per_outcome_pusd(self) -> int | None:
        """Mean cost of an outcome that has calls, to the nearest picodollar; None: there is none."""
        return _mean(self.outcome_pusd, self.outcomes - self.without_calls)

    @property
    def per_success_pusd(self) -> int | None:
        """What a success takes, failures and others paid too; None: no success has calls."""
        success = self.by_status["success"]
        return _mean(self.outcome_pusd, success.outcomes - success.without_calls)

    @property
    def margin_pusd(self) -> int | None:
        """Revenue less the cost of all calls with this key; None: nobody told of any revenue."""
        return self.revenue_pusd - self.pusd if self.paid else None


class Dear(msgspec.Struct, frozen=True):
    """One of the dearest outcomes."""

    outcome: Outcome
    calls: int
    unpriced_calls: int
    pusd: int


class OutcomeReport(msgspec.Struct, frozen=True, kw_only=True):
    """
    The whole answer.

    Attributes:
        query: The question; basis: what a call was taken to cost.
        rows: Dearest first, by what their calls or their outcomes cost, then by key.
        total: Their sum; ``elsewhere`` counts each outcome once.
        names: Outcomes and the calls that belong to them, by the outcome's name, in the same order; None: it has none.
        joined: Calls by the name that joined them to their outcome.
        calls_tail: How few calls carry how much.
        costs: Each outcome with calls, dearest first.
        without_calls: The others, by id.

    """

    query: Query
    basis: Basis
    rows: tuple[OutcomeRow, ...]
    total: OutcomeRow
    names: tuple[OutcomeRow, ...]
    joined: dict[str, int]
    calls_tail: Tail
    costs: tuple[Dear, ...]
    without_calls: tuple[Outcome, ...]

    @property
    def dearest(self) -> tuple[Dear, ...]:
        """The dearest ten outcomes."""
        return self.costs[:10]

    @property
    def outcomes_pusd(self) -> int:
        """What all outcomes cost together."""
        return self.total.outcome_pusd

    def top_outcomes_pusd(self, percent: int) -> int:
        """What the dearest *percent* % of the outcomes cost, rounded up to whole outcomes."""
        return sum(one.pusd for one in self.costs[: -(-len(self.costs) * percent // 100)])


def empty_row(key: Key) -> OutcomeRow:
    """A row in which nothing is counted yet."""
    return OutcomeRow(key=key, by_status={status: StatusSums() for status in STATUSES})


def dearest_first(rows: Iterable[OutcomeRow], limit: int | None = None) -> tuple[OutcomeRow, ...]:
    """Rows by what their calls or their outcomes cost, then by key; those beyond *limit* as one, the last."""
    ordered = sorted(rows, key=lambda row: (-max(row.pusd, row.outcome_pusd), key_text(row.key)))
    if limit is None or len(ordered) <= limit:
        return tuple(ordered)
    other = empty_row((OTHER,) * len(ordered[0].key))
    for row in ordered[limit:]:
        _add(other, row)
        for status, sums in row.by_status.items():
            _add(other.by_status[status], sums)
        other.kind, other.outcome_kind = weakest(other.kind, row.kind), weakest(other.outcome_kind, row.outcome_kind)
    return (*ordered[:limit], other)


def key_text(key: Key) -> tuple[str, ...]:
    """A key to sort by; what is not set comes first."""
    return tuple(part or "" for part in key)


def _add(sums: msgspec.Struct, more: msgspec.Struct) -> None:
    for field in sums.__struct_fields__:
        if type(amount := getattr(more, field)) is int:
            setattr(sums, field, getattr(sums, field) + amount)


def _mean(pusd: int, of: int) -> int | None:
    return money.nearest(Fraction(pusd, of)) if of else None
