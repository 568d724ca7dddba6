"""
Proposals in sequence: one cumulative replay, with savings by day and the bill by the hour.

Calls that no step is about cost the same in every run, so they are priced and not replayed.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from farthing.ledger.interface import Stored
from farthing.prices.engine import price_served
from farthing.units import Kind, weakest
from farthing.whatif.commitment_draws import Demand
from farthing.whatif.playbook.trial import is_about
from farthing.whatif.replay.amounts import amount, without_volume
from farthing.whatif.replay.choice import Choice
from farthing.whatif.replay.lengths import Lengths
from farthing.whatif.replay.replay import given_of, replay

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from farthing.call import Call
    from farthing.prices.book import PriceBook
    from farthing.prices.contract_terms import ContractTerms
    from farthing.whatif.playbook.days import Days
    from farthing.whatif.replay.outcome import Outcome

_HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Sequenced(NamedTuple):
    """
    What a sequence comes to.

    Attributes:
        days: The days at hand.
        pusd: The whole bill as recorded, then after each step.
        rows: The bill of the calls that any step is about, by ordinal of the day on which they were sent, as recorded,
            then after each step.
        kinds: Per step, how sure its saving is.
        later_calls: Per step, calls it is about in the last third of the days.
        hours: The whole bill by the hour since 1970, as recorded, then after each step.
        stays: Per step, reason to number of calls that it does not take.

    """

    days: Days
    pusd: list[int]
    rows: list[dict[int, int]]
    kinds: list[Kind]
    later_calls: list[int]
    hours: list[dict[int, int]]
    stays: list[dict[str, int]]

    def saved(self, at: int) -> int:
        """What step *at*, from 0, saves."""
        return self.pusd[at] - self.pusd[at + 1]

    def row(self, at: int) -> list[int]:
        """What it saves by day."""
        before, after = self.days.row(self.rows[at]), self.days.row(self.rows[at + 1])
        return [one - other for one, other in zip(before, after, strict=True)]

    def saved_on(self, at: int, first: int, end: int) -> int:
        """What it saves on days from *first* up to *end*, counted from 0."""
        return sum(self.row(at)[first:end])

    def cut(self, steps: int) -> Sequenced:
        """The first *steps* alone: what comes after a step changes nothing before it."""
        bills = steps + 1
        return Sequenced(
            self.days,
            self.pusd[:bills],
            self.rows[:bills],
            self.kinds[:steps],
            self.later_calls[:steps],
            self.hours[:bills],
            self.stays[:steps],
        )

    def demand(self) -> Demand | None:
        """The bill by the hour after the last step; None without any."""
        hours = self.hours[-1]
        if not hours:
            return None
        first, last = min(hours), max(hours)
        amounts = tuple(max(0, hours.get(hour, 0)) for hour in range(first, last + 1))
        return Demand(_EPOCH + first * _HOUR, amounts, amounts)


def in_sequence(
    calls: Iterable[Call | Stored],
    choices: Sequence[Choice],
    book: PriceBook,
    terms: ContractTerms | None,
    days: Days,
    *,
    learns: bool = True,
) -> Sequenced:
    """
    Replay *choices*, each on top of the ones before it.

    Args:
        calls: In order of ``sent_at``.
        choices: The steps.
        book: Prices.
        terms: The contract in force; None: list.
        days: The days at hand.
        learns: Whether lengths of prompts are learned from calls that no step is about, too. False is faster, and
            comes to the same where no recorded count has to be changed.

    """
    terms = without_volume(terms)
    bills = len(choices) + 1
    rows: list[defaultdict[int, int]] = [defaultdict(int) for _ in range(bills)]
    hours: list[defaultdict[int, int]] = [defaultdict(int) for _ in range(bills)]
    later_calls = [0] * len(choices)
    later_from = days.first + days.later
    rest_pusd = 0
    lengths = Lengths()
    beside = given_of if learns else _not_read

    def touched() -> Iterator[Call | Stored]:
        nonlocal rest_pusd
        for one in calls:
            call = one.call if isinstance(one, Stored) else one
            about = [at for at, choice in enumerate(choices) if is_about(choice, call)]
            if about:
                if call.sent_at.toordinal() >= later_from:
                    for at in about:
                        later_calls[at] += 1
                yield call
                continue
            bill = price_served(book, call.served, call.sent_at)
            if bill.list_pusd is not None:
                beside(call, bill, bill.list_pusd, lengths)
                pusd = amount(bill, call.sent_at, terms)
                rest_pusd += pusd
                hour = _hour(call.sent_at)
                for of_bill in hours:
                    of_bill[hour] += pusd

    def each(number: int, outcome: Outcome) -> None:
        rows[number][outcome.call.sent_at.toordinal()] += outcome.pusd
        hours[number][_hour(outcome.at)] += outcome.pusd

    found = replay(touched(), [Choice(name="as recorded"), *choices], book, terms=terms, each=each, lengths=lengths)
    assert found.steps[0].sums.pusd == found.before.pusd, "no lever is turned"
    kinds, stays = [], []
    for one, other in zip(found.steps, found.steps[1:], strict=False):
        changed = (kind for kind in Kind if one.saved_kinds_pusd[kind] != other.saved_kinds_pusd[kind])
        kinds.append(weakest(Kind.DERIVED, *changed))
        stays.append(dict((other.stays - one.stays).most_common()))
    pusd = [step.sums.pusd + rest_pusd for step in found.steps]
    return Sequenced(days, pusd, list(map(dict, rows)), kinds, later_calls, list(map(dict, hours)), stays)


def _not_read(*_: object) -> None:
    """A call from which no length is learned."""


def _hour(at: datetime) -> int:
    return int(at.timestamp()) // 3600
