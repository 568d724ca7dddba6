"""
Re-pricing's rules. Pure.

When a posting has changed, what the report of a correction counts, and which correction may be taken back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.errors import BadInput
from farthing.ledger.interface import Change, Correction, Posting
from farthing.ledger.text import valid_text
from farthing.prices.engine import price_served

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.ledger.interface import Contract, Stored
    from farthing.prices.book import PriceBook


def priced_again(book: PriceBook, stored: Stored, contract: Contract | None) -> Posting:
    """
    The posting of a call after a re-pricing: the former one itself where nothing but the book's version would change.

    Without a *contract* its contract price stays as it was: a price book knows none.
    """
    former = stored.posting
    bill = price_served(book, stored.call.served, stored.call.sent_at)
    priced = Posting.of(bill, former.contract_pusd if contract is None else contract(stored.call, bill))
    unchanged = msgspec.structs.replace(priced, book_version=former.book_version) == former
    return former if unchanged else priced


def standing(corrections: Sequence[Correction], correction_id: int) -> int:
    """
    *correction_id*, if that is the latest correction that stands: only then is every former posting still right.

    Raises:
        BadInput: It is not.

    """
    latest = max((c.correction_id or 0 for c in corrections if not c.reverted), default=0)
    if correction_id == latest and latest:
        return correction_id
    asked = next((c for c in corrections if c.correction_id == correction_id), None)
    if asked is None:
        raise BadInput(f"read correction {correction_id}, which does not exist", "the number of a correction")
    if asked.reverted:
        raise BadInput(f"correction {correction_id} was taken back already")
    raise BadInput(
        f"correction {correction_id} is not the latest one that stands", f"correction {latest}", "revert that first"
    )


def utc(made_at: datetime) -> datetime:
    """
    *made_at* in UTC.

    Raises:
        BadInput: It has no time zone.

    """
    if made_at.tzinfo is None:
        raise BadInput("read the time of a correction without a time zone", "an aware time")
    return made_at.astimezone(UTC)


def correction(
    correction_id: int | None, made_at: datetime, reason: str, book_version: str, changes: tuple[Change, ...]
) -> Correction:
    """A correction that stands."""
    return Correction(
        correction_id=correction_id,
        made_at=made_at,
        reason=valid_text(reason),
        book_version=book_version,
        changes=changes,
    )


class ChangeCounts:
    """Counts before and after, model by model."""

    def __init__(self) -> None:
        self._by_model: dict[str, list[int]] = {}

    def count(self, model: str, before: Posting, after: Posting) -> None:
        """Count one call in range, changed or not."""
        sums = self._by_model.setdefault(model, [0] * 8)
        sums[0] += 1
        sums[1] += after is not before
        sums[2] += before.list_pusd or 0
        sums[3] += after.list_pusd or 0
        sums[4] += before.list_pusd is None
        sums[5] += after.list_pusd is None
        sums[6] += contract_or_list_pusd(before)
        sums[7] += contract_or_list_pusd(after)

    def changes(self) -> tuple[Change, ...]:
        """One change per model, by name."""
        return tuple(change(model, sums) for model, sums in sorted(self._by_model.items()))


def contract_or_list_pusd(posting: Posting) -> int:
    """What a call adds to sums under contract: its price there, else at list, else 0."""
    contract_pusd = posting.list_pusd if posting.contract_pusd is None else posting.contract_pusd
    return contract_pusd or 0


def change(model: str, counts: Sequence[Any]) -> Change:
    """A :class:`Change` from its eight values, in the order of its fields, which every engine keeps."""
    names = Change.__struct_fields__[1:]
    return Change(model=model, **dict(zip(names, counts, strict=True)))
