"""
What a caller's change would save after the steps of a plan: a block that changes from call to call, made constant.

No choice of a replay does that, so it is no step. But the calls can be replayed as if it were done, with the steps, so
that what a step already saves on the same calls is not promised twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.ledger.interface import Stored
from farthing.whatif.levers.fronts import with_stable_front
from farthing.whatif.replay.choice import Choice
from farthing.whatif.replay.replay import replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from farthing.call import Call
    from farthing.prices.book import PriceBook
    from farthing.prices.contract_terms import ContractTerms
    from farthing.whatif.playbook.advice import Finding
    from farthing.whatif.replay.choice import Rule


def repairs(
    calls_again: Callable[[], Iterable[Call | Stored]],
    findings: Sequence[Finding],
    steps: Sequence[Choice],
    book: PriceBook,
    terms: ContractTerms | None,
) -> dict[str, int]:
    """
    What the remedy of each block that changes would save on top of *steps*, by id of the finding, where it is over 0.

    Each route is replayed by itself, with the caching that goes with a constant block instead of what a step says.
    """
    planned = Choice()
    for step in steps:
        planned = planned.then(step)
    saved = {}
    for one in findings:
        if one.position is None or one.repair is None:
            continue
        (rule,) = one.repair.rules
        before = replay(_about(calls_again(), rule), [planned], book, terms=terms)
        stable = with_stable_front(_about(calls_again(), rule), one.position)
        after = replay(stable, [planned.then(one.repair)], book, terms=terms)
        left = before.steps[0].sums.pusd - after.steps[0].sums.pusd
        if left > 0:
            saved[one.id] = left
    return saved


def _about(calls: Iterable[Call | Stored], rule: Rule) -> Iterator[Call]:
    for one in calls:
        call = one.call if isinstance(one, Stored) else one
        if rule.is_about(call):
            yield call
