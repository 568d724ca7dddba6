"""
The replay: recorded calls in, the back-test and one step per choice out.

Pure and in one pass: calls are read once, in order of time, and every choice keeps its own cache beside the others.
Memory grows with what is alive in those caches and with what waits for a batch, not with the calls; time is linear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.errors import BadInput
from farthing.ledger.interface import Stored
from farthing.prices.engine import price_served
from farthing.whatif.replay.amounts import amount, without_volume
from farthing.whatif.replay.choice import Caching, Choice
from farthing.whatif.replay.lengths import Lengths
from farthing.whatif.replay.outcome import Given
from farthing.whatif.replay.prompt import prompt_of, why_not_replayed
from farthing.whatif.replay.run import Run
from farthing.whatif.replay.totals import Backtest, Replayed, Sums, prompt_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from farthing.call import Call
    from farthing.prices.bill import Bill
    from farthing.prices.book import PriceBook
    from farthing.prices.contract_terms import ContractTerms
    from farthing.whatif.replay.outcome import Outcome

AS_IT_WAS = Choice.of(cache=Caching("as_marked"))


def replay(
    calls: Iterable[Call | Stored],
    choices: Sequence[Choice],
    book: PriceBook,
    *,
    terms: ContractTerms | None = None,
    cumulative: bool = True,
    each: Callable[[int, Outcome], None] | None = None,
    given_to: Callable[[Given], None] | None = None,
    lengths: Lengths | None = None,
    ceiling_by: Callable[[Call], Hashable] | None = None,
) -> Replayed:
    """
    Replay *calls* under *choices*.

    Args:
        calls: In order of ``sent_at``. With a posting beside a call, the back-test compares it.
        choices: Each on top of the ones before it, so that savings are marginal in sequence and sum exactly.
        book: Prices, before and after.
        terms: The contract in force, on both sides; a credit on a month's volume is left out. None: list.
        cumulative: False: each choice by itself, and each saving against what was recorded.
        each: Called with a choice's number and each call under it; pings come beside their calls.
        given_to: Called with each priced call, as every choice gets it.
        lengths: Where lengths of prefixes are learned that other calls teach as well; None: from *calls* alone.
        ceiling_by: Seek the ceiling of caching, for the back-test and each choice that replays the cache, with a sum
            for each value that this gives; None: do not.

    Raises:
        BadInput: A call was sent before the one before it.

    """
    terms = without_volume(terms)
    backtest, before = Backtest(), Sums()
    as_it_was = Run(AS_IT_WAS, book, None, lambda outcome: _compare(backtest, outcome), ceiling_by)
    chosen = accumulated(choices) if cumulative else choices
    runs = [
        Run(choice, book, terms, _numbered(each, number), ceiling_by if _caches(choice) else None)
        for number, choice in enumerate(chosen)
    ]
    last, lengths = None, lengths or Lengths()
    for one in calls:
        call = one.call if isinstance(one, Stored) else one
        if last is not None and call.sent_at < last:
            raise BadInput("read a call that was sent before the one before it", "calls in order of time")
        last = call.sent_at
        bill = price_served(book, call.served, call.sent_at)
        backtest.calls += 1
        if isinstance(one, Stored):
            backtest.add_posting(one.posting.list_pusd, bill.list_pusd)
        if bill.list_pusd is None:
            backtest.unpriced_calls += 1
            continue
        given = given_of(call, bill, amount(bill, call.sent_at, terms), lengths)
        backtest.pusd += given.pusd
        before.add(bill, given.pusd, bill.kind)
        if given.prompt is not None:
            as_it_was.take(given)
        if given_to is not None:
            given_to(given)
        for run in runs:
            run.take(given)
    as_it_was.finish()
    backtest.ceiling = as_it_was.step.ceiling
    saved_from = before.pusd
    for run in runs:
        run.finish()
        run.step.saved_pusd = saved_from - run.step.sums.pusd
        saved_from = run.step.sums.pusd if cumulative else saved_from
    return Replayed(backtest, before, tuple(run.step for run in runs))


def accumulated(choices: Sequence[Choice]) -> list[Choice]:
    """Each choice on top of the ones before it."""
    summed: list[Choice] = []
    for choice in choices:
        summed.append(summed[-1].then(choice) if summed else choice)
    return summed


def _caches(choice: Choice) -> bool:
    return any(rule.levers.cache is not None and rule.levers.cache.is_replayed for rule in choice.rules)


def _numbered(each: Callable[[int, Outcome], None] | None, number: int) -> Callable[[Outcome], None] | None:
    return None if each is None else lambda outcome: each(number, outcome)


def given_of(call: Call, bill: Bill, pusd: int, lengths: Lengths) -> Given:
    """A priced call, read for all choices; *lengths* learns from it."""
    has_blocks = call.request is not None and bool(call.request.blocks) and call.served.calls_in_total == 1
    return Given(call, bill, pusd, prompt_of(call, lengths) if has_blocks else None, why_not_replayed(call))


def _compare(backtest: Backtest, outcome: Outcome) -> None:
    """One call with its recorded breakpoints, replayed and measured."""
    if outcome.marks is None or outcome.is_ping:
        return
    call = outcome.call
    measured = call.served.usage
    amounts = (outcome.recorded.list_pusd or 0, outcome.pusd)
    backtest.add_replayed(measured, prompt_counts(outcome.served.usage), amounts, calibrated=outcome.is_calibrated)
