"""
Each proposal by itself, in one pass: the back-test of all calls, and what every proposal would save alone, by day.

A proposal's run is given only the calls that the proposal is about: calls with no lever turned touch neither a cache
nor a batch of the run, so what is saved is the same as if it saw them all.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from farthing.whatif.playbook.days import Days
from farthing.whatif.replay.amounts import without_volume
from farthing.whatif.replay.replay import replay
from farthing.whatif.replay.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from farthing.call import Call
    from farthing.ledger.interface import Stored
    from farthing.prices.book import PriceBook
    from farthing.prices.contract_terms import ContractTerms
    from farthing.whatif.playbook.profile import Profile
    from farthing.whatif.replay.choice import Choice
    from farthing.whatif.replay.outcome import Given, Outcome
    from farthing.whatif.replay.totals import Backtest


class Trial:
    """
    Choices tried one by one.

    Attributes:
        backtest: The calls as they were.
        days: From the first call's to the last one's; None without any priced call.
        saved: Per choice, by ordinal of the day on which a call was sent.

    """

    backtest: Backtest

    def __init__(
        self,
        choices: Sequence[Choice],
        book: PriceBook,
        terms: ContractTerms | None,
        ceiling_by: Callable[[Call], Hashable] | None = None,
    ) -> None:
        self._ceiling_by = ceiling_by
        self.days: Days | None = None
        self.saved: list[defaultdict[int, int]] = [defaultdict(int) for _ in choices]
        self._choices = choices
        self._book = book
        self._terms = without_volume(terms)
        self._runs = [Run(choice, book, self._terms, self._minus(at)) for at, choice in enumerate(choices)]

    def run(self, calls: Iterable[Call | Stored], profile: Profile | None = None) -> Trial:
        """Go through *calls*, in order of ``sent_at``; *profile* gets every priced one."""
        first = last = None

        def given_to(given: Given) -> None:
            nonlocal first, last
            call = given.call
            last = call.sent_at.toordinal()
            first = last if first is None else first
            if profile is not None:
                profile.add(call, given.bill, given.pusd)
            self._take(given, [at for at, choice in enumerate(self._choices) if is_about(choice, call)], last)

        tried = replay(calls, [], self._book, terms=self._terms, given_to=given_to, ceiling_by=self._ceiling_by)
        self.backtest = tried.backtest
        if first is not None and last is not None:
            self.days = Days(first, last - first + 1)
        for run in self._runs:
            run.catch_up(None)
        return self

    def saved_between(self, number: int, first: int, end: int) -> int:
        """What a choice saves on days from *first* up to *end*, ordinals."""
        return sum(pusd for day, pusd in self.saved[number].items() if first <= day < end)

    def _take(self, given: Given, about: Sequence[int], day: int) -> None:
        for at in about:
            self.saved[at][day] += given.pusd
            self._runs[at].take(given)

    def _minus(self, at: int) -> Callable[[Outcome], None]:
        def each(outcome: Outcome) -> None:
            self.saved[at][outcome.call.sent_at.toordinal()] -= outcome.pusd

        return each


def is_about(choice: Choice, call: Call) -> bool:
    """Whether a choice turns anything for *call*."""
    return choice.contract is not None or any(rule.is_about(call) for rule in choice.rules)
