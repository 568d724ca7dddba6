"""
What a process that died had of the budgets, put right from its journal.

A gateway's process is known to the bank by the name of its journal, and its journal says of each call what it reserved,
before the first byte goes upstream. So once the process is gone, its journal alone tells what became of its share:

    *per account, spent = the sum of the calls whose bill is sure; held = what all its other calls reserved.*

A bill is sure where the journal says that nothing was billed, or how much was, with a price and from counts that are
not assumed. Whatever else the process leased or reported is let go.

Never over. Let the process be gone, so that neither its share nor its journal changes any more, and let the journal
lack no record.

1. *Nothing is forgotten.* What may have been billed was sent, so its beginning was written before, in a whole line; it
   is one of the calls above. A sure bill is what it cost, and any other call cost at most what it reserved, as
   everywhere in :mod:`farthing.limits`. So spent + held is at least what its calls came to.
2. *Nothing new is counted.* While it lived, reported + leased was at least what its calls had come to and what those
   under way had reserved. The purse counts a call at what it reserved until it is told the outcome, the journal is told
   before the purse, and no bill is above what was reserved. So the share shrinks or stays, and with it the sum over
   all holders, which was within the limit. (A bill above its own worst case, and what was let through while the store
   did not answer, count as they are, here as there.)
3. *Once.* The share is stated whole, in one transaction: telling it again changes nothing, and where nothing is held
   the bank forgets the holder and will not hear of it again. What others have of the account is not touched.

A share stays as it is, presumed spent, where no journal has its name, where that journal is still being written, and
where it is damaged or lacks a record because the disk was full: nothing is let go on half the evidence. What a batch
reserved is a pledge of its own from the moment that the bank has it; until then it is a call without an outcome.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.errors import LedgerFault
from farthing.ledger import journal
from farthing.ledger.interface import Begun, Reserved
from farthing.ledger.journal import SUFFIX, Settled
from farthing.limits.protocol import PLEDGE, AccountKey
from farthing.limits.replay import sure_pusd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from farthing.errors import ErrorRecord
    from farthing.ledger.journal import Record
    from farthing.limits.pockets import Ticket
    from farthing.limits.protocol import Bank

_READ_BYTES = 2**20


class Estate(NamedTuple):
    """Per account what a process's calls came to, and what its calls without a sure outcome reserved."""

    spent_pusd: dict[AccountKey, int]
    held_pusd: dict[AccountKey, int]


def reserved_of(ticket: Ticket) -> tuple[Reserved, ...]:
    """What a journal says of a ticket."""
    return tuple([Reserved(*pocket.key, str(pusd)) for pocket, pusd in ticket.parts])


def estate_of(records: Iterable[Record]) -> Estate:
    """What a journal, read from its beginning, says of its process's share."""
    estate = Estate({}, {})
    under_way: dict[str, tuple[Reserved, ...]] = {}
    for record in records:
        if type(record) is Begun:
            if record.holds:
                under_way[record.entry] = record.holds
        elif type(record) is Settled and record.entry in under_way:
            pusd = 0 if record.stored is None else sure_pusd(record.stored)
            if pusd is not None:
                for key in {_key(one) for one in under_way.pop(record.entry)}:
                    estate.spent_pusd[key] = estate.spent_pusd.get(key, 0) + pusd
    for holds in under_way.values():
        for one in holds:
            estate.held_pusd[_key(one)] = estate.held_pusd.get(_key(one), 0) + int(one.pusd)
    return estate


def _key(one: Reserved) -> AccountKey:
    return AccountKey(one.budget, one.value, one.start_s, one.meter)


class Estates:
    """
    Settles what the dead left, as far as their journals tell.

    Args:
        folder: Where journals lie.

    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._done: set[str] = set()

    def settle(self, bank: Bank) -> list[str]:
        """
        Tell the bank the truth about every holder that is gone and whose journal says it.

        Returns:
            What became of each that was not settled before: sentences for a log.

        Raises:
            LedgerFault: The bank does not answer; the next time goes on.

        """
        said: list[str] = []
        dead = [name for name in bank.bury() if not name.startswith(PLEDGE)]
        self._done.intersection_update(dead)
        for holder in dead:
            path = self._folder / f"{holder}{SUFFIX}"
            if holder in self._done or not path.exists() or journal.is_written(path):
                continue
            estate = _read(path)
            if estate is None:
                said.append(f"{path.name} lacks records: budgets count all that its process held, which is gone")
            elif bank.truth(holder, estate.spent_pusd, estate.held_pusd):
                said.append(f"budgets let go what a process held that is gone, but for what {path.name} says")
            self._done.add(holder)
        return said


def _read(path: Path) -> Estate | None:
    """None where the journal does not tell everything."""
    flaws: list[ErrorRecord] = []

    def records() -> Iterator[Record]:
        for batch in journal.batches(path, 0, _READ_BYTES):
            flaws.extend(batch.errors)
            yield from batch.records

    try:
        estate = estate_of(records())
        return estate if journal.is_whole(path) and not flaws else None
    except (LedgerFault, ValueError):  # not readable, or a newer farthing's
        return None
