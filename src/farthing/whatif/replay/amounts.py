"""What a call comes to by itself, at list or under a contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from farthing.prices.contracts import price_under

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.prices.bill import Bill
    from farthing.prices.contract_terms import ContractTerms


def amount(bill: Bill, at: datetime, terms: ContractTerms | None) -> int:
    """What a priced bill comes to: at list, or under *terms*, which have no volume credit."""
    assert bill.list_pusd is not None, "priced"
    if terms is None:
        return bill.list_pusd
    posted = price_under(terms, bill, at).posted_pusd
    return bill.list_pusd if posted is None else posted


def without_volume(terms: ContractTerms | None) -> ContractTerms | None:
    """The terms that price a call by itself."""
    return None if terms is None else msgspec.structs.replace(terms, volume=())
