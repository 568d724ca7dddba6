"""
The price of a request as the sandbox knows it, which is more than its response tells.

Nothing states at which speed a declined attempt ran; ``usage.iterations`` need not be there at all, and then nobody
else knows the attempts, or the largest prompt of a tool loop. Where a rule is not documented and the price lies between
bounds, the higher one is charged: somebody who bills must charge something.

Source: facts: claude-api 1.1, 3.4, 3.5, checked 2026-11-20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from farthing.call import PassKind, Served
from farthing.prices.bill import Bill
from farthing.prices.engine import price_served
from farthing.sandbox.passes import covered, extra_passes
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from farthing.prices.book import PriceBook
    from farthing.sandbox.passes import Pass


def bill_of(book: PriceBook, served: Served, ran: Sequence[Pass], at: datetime) -> Bill:
    """
    The price at list.

    Args:
        book: The rates.
        served: As the response says, and as it was booked.
        ran: The passes that it sums up.
        at: When the request was sent.

    """
    answering = covered(ran)
    largest = max((one.usage.prompt_tokens for one in answering), default=None) if len(answering) > 1 else None
    beside = [one for one in ran if one not in answering]
    others = tuple(extra for extra in extra_passes(ran) if extra.kind is not PassKind.DECLINED)
    whole = replace(
        served, extra_passes=others, prompt_tokens_max_in_one_pass=largest or served.prompt_tokens_max_in_one_pass
    )
    bills = [price_served(book, whole, at)]
    for one in beside:
        if one.declined is not None:
            bills.append(price_served(book, _attempt(served, one), at))
            for component in bills[-1].components:
                component.part = PassKind.DECLINED.value
    return _decided(bills[0] if len(bills) == 1 else _together(bills))


def _attempt(served: Served, one: Pass) -> Served:
    """A declined attempt as the request that it would have been without a fallback."""
    assert one.declined is not None, "declined"
    return Served(
        model=one.model,
        usage=one.usage,
        service_tier=served.service_tier,
        speed=one.declined.speed,
        inference_geo=served.inference_geo,
        stop_reason="refusal",
        refusal_category=one.declined.category,
        output_started=one.usage.output_tokens > 0,
    )


def _decided(bill: Bill) -> Bill:
    """The bill at its upper bound, which is what its lines add up to, where it has bounds alone."""
    if bill.list_pusd is not None or bill.high_pusd is None:
        return bill
    return Bill(
        bill.components,
        list_pusd=bill.high_pusd,
        low_pusd=bill.high_pusd,
        high_pusd=bill.high_pusd,
        kind=Kind.ASSUMED,
        unpriced=(),
        notes=(*bill.notes, *bill.unpriced),
        book_version=bill.book_version,
    )


def _together(bills: Sequence[Bill]) -> Bill:
    return Bill(
        tuple(component for bill in bills for component in bill.components),
        list_pusd=_sum([bill.list_pusd for bill in bills]),
        low_pusd=_sum([bill.low_pusd for bill in bills]),
        high_pusd=_sum([bill.high_pusd for bill in bills]),
        kind=weakest(*(bill.kind for bill in bills)),
        unpriced=tuple(reason for bill in bills for reason in bill.unpriced),
        notes=tuple(dict.fromkeys(note for bill in bills for note in bill.notes)),
        book_version=bills[0].book_version,
    )


def _sum(amounts: Sequence[int | None]) -> int | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None
