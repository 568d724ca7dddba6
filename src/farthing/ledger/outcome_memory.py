"""Outcomes in memory: what an engine must do with them, in the fewest words."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from farthing.ledger import question
from farthing.ledger.outcome import (
    DEAREST,
    DearCall,
    JoinedBy,
    Outcome,
    OutcomesAdded,
    Replaced,
    Share,
    Tail,
    checked_outcome,
    is_of,
    verdict,
)
from farthing.ledger.outcome_join import Finder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.ledger.interface import Posting, Query, Stored
    from farthing.ledger.outcome import Basis, Tenants
    from farthing.units import Kind


class OutcomesInMemory:
    """Outcomes by id, and what was known of them before."""

    def __init__(self) -> None:
        self._outcomes: dict[str, Outcome] = {}
        self._replaced: dict[str, list[Replaced]] = defaultdict(list)

    def add(self, outcomes: Iterable[Outcome], received_at: datetime) -> OutcomesAdded:
        """See :meth:`farthing.ledger.outcome.OutcomeStore.add_outcomes`."""
        counts = {"new": 0, "known": 0, "corrected": 0}
        for told in [checked_outcome(outcome) for outcome in outcomes]:
            known = self._outcomes.get(told.outcome_id)
            replaced = self._replaced[told.outcome_id]
            what = verdict(known, (one.outcome for one in replaced), told)
            counts[what] += 1
            if what == "known":
                continue
            if known is not None:
                replaced.append(Replaced(known, received_at.astimezone(UTC)))
            self._outcomes[told.outcome_id] = told
        return OutcomesAdded(**counts)

    def all(self, tenants: Tenants = None) -> list[Outcome]:
        """See :meth:`farthing.ledger.outcome.OutcomeStore.outcomes`."""
        kept = (outcome for outcome in self._outcomes.values() if is_of(outcome, tenants))
        return sorted(kept, key=lambda outcome: outcome.outcome_id)

    def get(self, outcome_id: str) -> tuple[Outcome, tuple[Replaced, ...]] | None:
        """See :meth:`farthing.ledger.outcome.OutcomeReader.outcome`."""
        found = self._outcomes.get(outcome_id)
        return None if found is None else (found, tuple(self._replaced[outcome_id]))

    def shares(self, calls: Iterable[Stored], query: Query, basis: Basis, tenants: Tenants = None) -> list[Share]:
        """See :meth:`farthing.ledger.outcome.OutcomeStore.shares`; *calls* are those of the query."""
        zone = question.check(query)
        finder = Finder(self.all(tenants))
        sums: dict[tuple[str | None, JoinedBy | None, tuple[str | None, ...], Kind], list[int]] = {}
        for stored in calls:
            found = finder.find(stored.call)
            outcome_id, joined_by = (None, None) if found is None else (found[0].outcome_id, found[1])
            key = tuple(question.value(stored, name, zone) for name in query.by)
            counts = sums.setdefault((outcome_id, joined_by, key, stored.posting.kind), [0, 0, 0])
            pusd = cost_pusd(stored.posting, basis)
            for place, more in enumerate((1, int(pusd is None), pusd or 0)):
                counts[place] += more
        return [Share(*group, *counts) for group, counts in sums.items()]


def tail_of(calls: Iterable[Stored], basis: Basis) -> Tail:
    """See :meth:`farthing.ledger.outcome.OutcomeReader.tail`."""
    priced = [
        DearCall(stored.call.call_id, stored.call.sent_at, stored.call.served.model, pusd)
        for stored in calls
        if (pusd := cost_pusd(stored.posting, basis)) is not None
    ]
    priced.sort(key=lambda one: (-one.pusd, one.call_id))
    top_1, top_5 = (sum(one.pusd for one in priced[: -(-len(priced) // part)]) for part in (100, 20))
    return Tail(len(priced), sum(one.pusd for one in priced), top_1, top_5, tuple(priced[:DEAREST]))


def cost_pusd(posting: Posting, basis: Basis) -> int | None:
    """What a call costs; None: it has no exact price."""
    if basis == "contract" and posting.contract_pusd is not None:
        return posting.contract_pusd
    return posting.list_pusd
