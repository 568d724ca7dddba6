"""
One process's side of the budget protocol: slices in memory, reserved from and settled without asking anybody.

A ticket goes ``reserved -> settled``, or ``reserved -> released`` where nothing was billed, or
``reserved -> unknown -> settled | released`` where nobody knows the outcome yet: an unknown call counts at what was
reserved for it until somebody does. So does one whose outcome nobody told for two hours; nothing that may have been
billed is ever let go. What may outlive the process goes ``reserved -> pledged``: the bank keeps it under a name, until
some process tells what it came to. Any other step is ignored, so telling an outcome twice counts once.

Not safe for several threads.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING

from farthing.errors import LedgerFault
from farthing.limits.pockets import PLEDGED, RELEASED, RESERVED, SETTLED, UNKNOWN, Part, Pocket, Refusal, Ticket
from farthing.limits.protocol import PLEDGE, Ask, Granted, Share, Short

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from farthing.limits.pockets import Wanted
    from farthing.limits.protocol import AccountKey, Bank, State

SLICE_OF_ROOM, SLICE_CALLS = 64, 64
"""A lease takes at most one 64th of what is left, so that idle slices of a few processes are little; and 64 calls."""
IDLE_SYNCS = 30
"""An account that nobody used for so many syncs gives its slice back and is dropped from memory."""

SYNCED_AT_ONCE = 256
"""Accounts in one sync: about 5 ms in SQLite."""

EXPIRY_S = 7200
"""A ticket that nobody settled for so long has an unknown outcome: longer than any call is allowed to take."""


class Purse:
    """
    The slices of one process.

    Args:
        bank: Where they come from. holder: this process's name there.

    Raises:
        LedgerFault: The bank does not answer.

    """

    def __init__(self, bank: Bank, holder: str) -> None:
        self.bank = bank
        self.holder = holder
        self.pockets: dict[AccountKey, Pocket] = {}
        self._open: dict[Ticket, float] = {}
        bank.join(holder)

    def reserve(
        self, wanted: Sequence[Wanted], worst_pusd: int | None, route: str, now_s: float, *, forced: bool = False
    ) -> Ticket | Refusal:
        """
        Reserve from every account, or from none.

        Args:
            wanted: What to reserve.
            worst_pusd: The most the call can cost; None: unknown. Only kept.
            route: Only kept.
            now_s: Seconds since 1970.
            forced: Do not ask the bank: what there is no lease for is counted all the same.

        Raises:
            LedgerFault: The bank had to be asked and does not answer; nothing was reserved.

        """
        pockets = self.pockets
        parts: list[Part] = []
        asks: list[Ask] = []
        for key, limit_pusd, reserve_pusd in wanted:
            pocket = pockets.get(key)
            if pocket is None:
                pocket = pockets[key] = Pocket(key, limit_pusd)
            parts.append(Part(pocket, reserve_pusd))
            pocket.limit_pusd = limit_pusd
            need = 0 if limit_pusd is None else max(0, reserve_pusd - pocket.free_pusd)
            if need or pocket.elsewhere_pusd is None:
                asks.append(Ask(key, limit_pusd, need, _slice(pocket, reserve_pusd, need)))
        if asks and not forced and (refusal := self._leased(asks, parts, now_s)) is not None:
            return refusal
        for pocket, reserve_pusd in parts:
            pocket.reserved_pusd += reserve_pusd
            pocket.idle = 0
        ticket = Ticket(tuple(parts), worst_pusd, route)
        self._open[ticket] = now_s
        return ticket

    def settle(self, ticket: Ticket, actual_pusd: int | None) -> bool:
        """
        Tell what a call came to; None: nobody knows, it counts at what was reserved.

        Returns:
            Whether that was news.

        """
        was_unknown = ticket.stands == UNKNOWN
        if ticket.stands != RESERVED and not (was_unknown and actual_pusd is not None):
            return False
        self._open.pop(ticket, None)
        for held, reserved_pusd in ticket.parts:
            counted = reserved_pusd if actual_pusd is None else actual_pusd
            pocket = self._current(held) if was_unknown else held  # what is reserved is never dropped
            if was_unknown:
                pocket.spent_pusd += counted - reserved_pusd
            else:
                pocket.reserved_pusd -= reserved_pusd
                pocket.spent_pusd += counted
            pocket.idle = 0
        ticket.stands = UNKNOWN if actual_pusd is None else SETTLED
        return True

    def release(self, ticket: Ticket) -> bool:
        """Nothing was billed. Returns whether that was news."""
        if not self.settle(ticket, 0):
            return False
        ticket.stands = RELEASED
        return True

    def pledge(self, ticket: Ticket, name: str, now_s: float) -> None:
        """
        Hand what a ticket reserved to the bank, until its outcome is told under *name*.

        For a moment it counts twice: never too little, whenever this process is killed.

        Args:
            ticket: Reserved, else nothing happens.
            name: Letters, digits, dashes; unique.
            now_s: Seconds since 1970.

        Raises:
            LedgerFault: The bank does not answer; the ticket is as it was.

        """
        if ticket.stands != RESERVED or not ticket.parts:
            return
        holder, sums = PLEDGE + name, dict.fromkeys((part.pocket.key for part in ticket.parts), 0)
        for pocket, reserved_pusd in ticket.parts:
            sums[pocket.key] += reserved_pusd
        self.bank.join(holder)  # never less than one picodollar: what had no price is to be counted later, too
        self.bank.report(holder, [Share(key, 0, max(1, pusd)) for key, pusd in sums.items()], now_s)
        self.bank.leave(holder)
        self._open.pop(ticket, None)
        for pocket, reserved_pusd in ticket.parts:
            pocket.reserved_pusd -= reserved_pusd
            pocket.lease_pusd -= reserved_pusd
            pocket.doubt = True  # the bank has yet to hear that this process leases less
        ticket.stands = PLEDGED
        pockets = list(dict.fromkeys(pocket for pocket, _ in ticket.parts if pocket.elsewhere_pusd is not None))
        with suppress(LedgerFault):  # else the next sync says it
            shares = [self._share(pocket) for pocket in pockets]
            self._reported(pockets, shares, self.bank.report(self.holder, shares, now_s))

    def redeem(self, name: str, actual_pusd: int) -> bool:
        """
        Tell what a pledge came to; it may be another process's.

        Returns:
            Whether there was such a pledge.

        Raises:
            LedgerFault: The bank does not answer; the pledge stands.

        """
        holder = PLEDGE + name
        spent = dict.fromkeys(self.bank.leased(holder), actual_pusd)
        if not spent:
            return False
        if not self.bank.truth(holder, spent, {}):
            self.bank.bury()  # whoever pledged it was killed at that very moment
            return self.bank.truth(holder, spent, {})
        return True

    def sync(self, now_s: float, *, give_back: bool = False) -> bool:
        """
        Report what was spent; give back slices that are idle or wanted by others.

        At most :data:`SYNCED_AT_ONCE` accounts, those that others want before all others and then those whose turn is
        longest ago: the process does nothing else meanwhile.

        Returns:
            Whether that was all; else the next sync goes on.

        Raises:
            LedgerFault: The bank does not answer; nothing changed, the next sync says it all.

        """
        self._expire(now_s)
        unseen = [one for one in self.pockets.values() if one.elsewhere_pusd is None][:SYNCED_AT_ONCE]
        if unseen:  # counted while the bank did not answer: it knows what was reported there before
            self._looked(self.bank.lease(self.holder, [Ask(one.key, None, 0, 0) for one in unseen], now_s), unseen)
        pockets, shares = self._due(self.bank.wanted(self.holder, now_s), give_back=give_back)
        if shares:
            self._reported(pockets, shares, self.bank.report(self.holder, shares, now_s))
            for pocket in pockets:  # to the end of the line
                self.pockets[pocket.key] = self.pockets.pop(pocket.key)
        for pocket in list(self.pockets.values()):
            pocket.idle += 1
            if pocket.idle > IDLE_SYNCS and not (pocket.reserved_pusd or pocket.lease_pusd or pocket.spent_pusd):
                del self.pockets[pocket.key]  # the bank remembers what was reported
        return max(len(shares), len(unseen)) < SYNCED_AT_ONCE

    def _due(self, wanted: Iterable[AccountKey], *, give_back: bool) -> tuple[list[Pocket], list[Share]]:
        """What to report now, in order."""
        first = {key: self.pockets[key] for key in wanted if key in self.pockets}
        pockets: list[Pocket] = []
        shares: list[Share] = []
        rest = (pocket for key, pocket in self.pockets.items() if key not in first)
        for pocket in chain(first.values(), rest):
            if len(shares) == SYNCED_AT_ONCE:
                break
            kept = self._kept(pocket, give_back=give_back or pocket.key in first)
            if pocket.elsewhere_pusd is not None and (pocket.spent_pusd or kept != pocket.lease_pusd or pocket.doubt):
                pockets.append(pocket)
                shares.append(Share(pocket.key, pocket.reported_pusd + pocket.spent_pusd, kept))
        return pockets, shares

    def _expire(self, now_s: float) -> None:
        """Tickets are in the order they were cut in."""
        while self._open:
            ticket, cut_s = next(iter(self._open.items()))
            if now_s - cut_s < EXPIRY_S:
                return
            self.settle(ticket, None)

    def close(self, now_s: float) -> None:
        """
        Report all, give everything back but what calls under way hold, and leave.

        Raises:
            LedgerFault: The bank does not answer; it takes this process for dead then, and loses nothing.

        """
        while not self.sync(now_s, give_back=True):
            pass
        self.bank.leave(self.holder)

    def _leased(self, asks: Sequence[Ask], parts: Iterable[Part], now_s: float) -> Refusal | None:
        try:
            reply = self.bank.lease(self.holder, asks, now_s)
        except LedgerFault:
            for ask in asks:
                self.pockets[ask.key].doubt = True
            raise
        if isinstance(reply, Short):
            pocket = self.pockets[reply.key]
            pocket.saw(reply.state)
            state = self._told(pocket, now_s) if pocket.spent_pusd else reply.state
            assert pocket.limit_pusd is not None, "only accounts with a limit are asked for"
            need = next(part.reserved_pusd for part in parts if part.pocket is pocket)
            return Refusal(reply.key, pocket.limit_pusd, need, state)
        for ask, grant_pusd, state in zip(asks, reply.grants_pusd, reply.states, strict=True):
            pocket = self.pockets[ask.key]
            pocket.lease_pusd += grant_pusd
            pocket.saw(state)
        return None

    def _told(self, pocket: Pocket, now_s: float) -> State:
        """Report one account at once: whoever is refused is told what was spent, not what was held for it."""
        share = self._share(pocket)
        (state,) = states = self.bank.report(self.holder, [share], now_s)
        self._reported([pocket], [share], states)
        return state

    def _share(self, pocket: Pocket) -> Share:
        return Share(pocket.key, pocket.reported_pusd + pocket.spent_pusd, self._kept(pocket, give_back=False))

    @staticmethod
    def _kept(pocket: Pocket, *, give_back: bool) -> int:
        """What it goes on leasing: what is reserved always, what is free unless it is idle."""
        if give_back or pocket.limit_pusd is None or pocket.idle >= IDLE_SYNCS:
            return max(0, pocket.reserved_pusd)
        return max(pocket.reserved_pusd, pocket.lease_pusd - max(0, pocket.spent_pusd))

    @staticmethod
    def _reported(pockets: Sequence[Pocket], shares: Sequence[Share], states: Sequence[State]) -> None:
        for pocket, share, state in zip(pockets, shares, states, strict=True):
            pocket.spent_pusd = 0
            pocket.lease_pusd = share.lease_pusd
            pocket.doubt = False
            pocket.saw(state)

    @staticmethod
    def _looked(reply: Granted | Short, pockets: Sequence[Pocket]) -> None:
        assert isinstance(reply, Granted), "who only looks is not refused"
        for pocket, state in zip(pockets, reply.states, strict=True):
            pocket.saw(state)

    def _current(self, held: Pocket) -> Pocket:
        """The pocket of that account now: the one a ticket was cut from may have been dropped long ago."""
        return self.pockets.setdefault(held.key, Pocket(held.key, held.limit_pusd))


def _slice(pocket: Pocket, reserve_pusd: int, need_pusd: int) -> int:
    room = pocket.elsewhere_pusd or 0
    return max(need_pusd, min(room // SLICE_OF_ROOM, SLICE_CALLS * reserve_pusd), 0)
