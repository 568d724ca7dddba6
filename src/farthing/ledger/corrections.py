"""
Re-pricing's rules. Pure.

When a posting has changed, what the report of a correction counts, and which correction may be taken back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from farthing.errors import BadInput
from farthing.ledger.interface import Change, Correction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.ledger.interface import Posting


def reposted(former: Posting, priced: Posting) -> Posting:
    """
    The posting of a call after a re-pricing: *former* itself where nothing a reader sees has changed.

    A call whose price is the same keeps the version of the book that posted it. The contract's price is not list price
    and stays as it was: a price book knows no contract.
    """
    unchanged = (
        former.list_pusd == priced.list_pusd
        and former.low_pusd == priced.low_pusd
        and former.high_pusd == priced.high_pusd
        and former.kind == priced.kind
        and former.unpriced == priced.unpriced
    )
    return former if unchanged else msgspec.structs.replace(priced, contract_pusd=former.contract_pusd)


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
        correction_id=correction_id, made_at=made_at, reason=reason, book_version=book_version, changes=changes
    )


class ChangeCounts:
    """Counts before and after, model by model."""

    def __init__(self) -> None:
        self._by_model: dict[str, list[int]] = {}

    def count(self, model: str, before: Posting, after: Posting) -> None:
        """Count one call in range, changed or not."""
        sums = self._by_model.setdefault(model, [0] * 6)
        sums[0] += 1
        sums[1] += after is not before
        sums[2] += before.list_pusd or 0
        sums[3] += after.list_pusd or 0
        sums[4] += before.list_pusd is None
        sums[5] += after.list_pusd is None

    def changes(self) -> tuple[Change, ...]:
        """One change per model, by name."""
        return tuple(change(model, sums) for model, sums in sorted(self._by_model.items()))


def change(model: str, counts: Sequence[int]) -> Change:
    """A :class:`Change` from its six counts, in the order every engine keeps them."""
    calls, changed_calls, before_pusd, after_pusd, before_unpriced, after_unpriced = counts
    return Change(
        model=model,
        calls=calls,
        changed_calls=changed_calls,
        before_pusd=before_pusd,
        after_pusd=after_pusd,
        before_unpriced=before_unpriced,
        after_unpriced=after_unpriced,
    )
