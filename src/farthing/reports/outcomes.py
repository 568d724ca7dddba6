"""
What outcomes cost: cost per outcome and per success, what failures took, which few carry the spend, and the margin.

Two things are counted in every row. **Calls** stand in the row of their own keys, as in ``farthing report``, so their
cost is the ledger's to the picodollar, with or without an outcome. An **outcome** stands in one row with the whole of
what its calls cost, wherever these are: the row that it names (its tenant, say), and where it names none, that of the
calls it spent most on. Over all rows both sides sum exactly: cost of outcomes + calls without one = cost of all calls.

An outcome without a call has an unknown cost, not none: it is counted and in no mean.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from farthing.ledger import question
from farthing.ledger.interface import Query
from farthing.ledger.outcome import JOINED_BY, Basis, Outcome
from farthing.reports.outcome_rows import Dear, OutcomeReport, OutcomeRow, dearest_first, empty_row, key_text
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.ledger.outcome import OutcomeReader, Share
    from farthing.reports.outcome_rows import Key


def outcome_report(
    store: OutcomeReader, query: Query, basis: Basis = "list", *, around: Query | None = None
) -> OutcomeReport:
    """
    What outcomes cost in a query's range and filters, by ``query.by``; ``bucket`` does not matter.

    ``query.limit`` keeps the dearest rows and sums the others into one, the last, whose keys are ``other``.

    The range is one of calls. An outcome is counted where a call of it is in; one without any call, where its own time
    is in and what it says of itself passes the filters.

    Args:
        store: Calls and outcomes.
        query: The question.
        basis: What a call is taken to cost.
        around: Where an outcome's other calls are looked for; None: among all calls.

    Raises:
        BadInput: A dimension or time zone does not exist.
        LedgerFault: The ledger cannot be read.

    """
    limit, query = query.limit, msgspec.structs.replace(query, bucket=None, limit=None)
    question.check(query)
    shares = store.shares(query, basis)
    everywhere = store.shares(around or Query(), basis) if query.since or query.until or query.where else shares
    calls_of: dict[str, int] = defaultdict(int)
    for share in everywhere:
        if share.outcome_id is not None:
            calls_of[share.outcome_id] += share.calls
    sheet = _Sheet(query)
    by_outcome: dict[str, list[Share]] = {}
    for share in shares:
        sheet.add_calls(share)
        if share.outcome_id is not None:
            by_outcome.setdefault(share.outcome_id, []).append(share)
    dear: list[Dear] = []
    without_calls: list[Outcome] = []
    for outcome in store.outcomes():
        own = by_outcome.get(outcome.outcome_id)
        if own is not None:
            dear.append(sheet.add_outcome(outcome, own, calls_of[outcome.outcome_id]))
        elif outcome.outcome_id not in calls_of and _keeps(query, outcome):
            sheet.add_outcome(outcome, (), 0)
            without_calls.append(outcome)
    dear.sort(key=lambda one: (-one.pusd, one.outcome.outcome_id))
    return OutcomeReport(
        query=query,
        basis=basis,
        rows=dearest_first(sheet.rows.values(), limit),
        total=sheet.total,
        names=dearest_first(sheet.names.values()),
        joined=sheet.joined,
        calls_tail=store.tail(query, basis),
        costs=tuple(dear),
        without_calls=tuple(without_calls),
    )


class _Sheet:
    """Rows that fill up, and their total."""

    def __init__(self, query: Query) -> None:
        self._by = tuple(map(question.plain, query.by))
        self.rows: dict[Key, OutcomeRow] = {}
        self.names: dict[str, OutcomeRow] = {}
        self.total = empty_row(())
        self.joined: dict[str, int] = dict.fromkeys(JOINED_BY, 0)

    def add_calls(self, share: Share) -> None:
        """Count calls in the row of their keys."""
        if share.joined_by is not None:
            self.joined[share.joined_by] += share.calls
        for row in (self._row(share.key), self.total):
            row.calls += share.calls
            row.unpriced_calls += share.unpriced_calls
            row.pusd += share.pusd
            if row.kind is not share.kind:
                row.kind = weakest(row.kind, share.kind)
            if share.outcome_id is None:
                row.free_calls += share.calls
                row.free_unpriced_calls += share.unpriced_calls
                row.free_pusd += share.pusd

    def add_outcome(self, outcome: Outcome, own: Sequence[Share], calls_everywhere: int) -> Dear:
        """Count an outcome, with all it cost, in its row."""
        key = self._home(outcome, own)
        calls, unpriced, pusd = (sum(n) for n in zip((0, 0, 0), *(share[-3:] for share in own), strict=True))
        joins = [Kind.MEASURED if share.joined_by == "request" else Kind.DERIVED for share in own]
        kind = weakest(*joins, *(share.kind for share in own))
        for row in (self._row(key), self._name(outcome.name, own), self.total):
            sums = row.by_status[outcome.status]
            sums.outcomes += 1
            sums.without_calls += not own
            sums.calls += calls
            sums.unpriced_calls += unpriced
            sums.pusd += pusd
            if row.outcome_kind is not kind:
                row.outcome_kind = weakest(row.outcome_kind, kind)
            row.elsewhere += any(share.key != key for share in own)
            row.partial += calls < calls_everywhere
            row.value_pusd += outcome.value_pusd or 0
            row.valued += outcome.value_pusd is not None
            row.revenue_pusd += outcome.revenue_pusd or 0
            row.paid += outcome.revenue_pusd is not None
        return Dear(outcome, calls, unpriced, pusd)

    def _row(self, key: Key) -> OutcomeRow:
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = empty_row(key)
        return row

    def _name(self, name: str, own: Sequence[Share]) -> OutcomeRow:
        """The row of a name, with these calls in it."""
        row = self.names.get(name)
        if row is None:
            row = self.names[name] = empty_row((name or None,))
        for share in own:
            row.calls += share.calls
            row.unpriced_calls += share.unpriced_calls
            row.pusd += share.pusd
            row.kind = weakest(row.kind, share.kind)
        return row

    def _home(self, outcome: Outcome, own: Sequence[Share]) -> Key:
        """The row of an outcome: what it says of itself; else that of the calls that cost most."""
        most = own[0].key if len(own) == 1 else self._dearest(own)
        stated = (_stated(outcome, name) for name in self._by)
        return tuple(one or other for one, other in zip(stated, most, strict=True))

    def _dearest(self, own: Sequence[Share]) -> Key:
        costs: dict[Key, list[int]] = {}
        for share in own:
            sums = costs.setdefault(share.key, [0, 0])
            sums[0] += share.pusd
            sums[1] += share.calls
        return min(costs, key=lambda key: ([-n for n in costs[key]], key_text(key)), default=(None,) * len(self._by))


def _keeps(query: Query, outcome: Outcome) -> bool:
    at = outcome.happened_at
    if (query.since is not None and at < query.since) or (query.until is not None and at >= query.until):
        return False
    return all((_stated(outcome, question.plain(name)) or "") in values for name, values in query.where.items())


def _stated(outcome: Outcome, dimension: str) -> str | None:
    """What an outcome says of itself in one dimension, the tag and session that it is joined by included."""
    if dimension == "session":
        return outcome.session
    if outcome.tag_name in (dimension, dimension.removeprefix(question.TAG)) and dimension not in outcome.dims:
        return outcome.tag_value
    return outcome.dims.get(dimension) or None
