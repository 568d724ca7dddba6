"""
The one object that whoever forwards calls asks: may this call be sent, and then what it came to.

::

    answer = gate.admit(facts, now)
    # Refused: answer with it.  Degrade: see there.  Admitted: send, and then exactly one of
    gate.settle(answer.ticket, 4_500_000)  # it was billed
    gate.settle(answer.ticket, None)       # nobody knows: it counts at what was reserved, until somebody does
    gate.release(answer.ticket)            # nothing was billed

Synchronous, for one thread of one process: made after a fork, never before. :meth:`Gate.tick`, about once a second,
shares what was spent with other processes, gives back what they want, and tells of thresholds; nothing else waits for
the store unless a slice is used up. A store that does not answer never raises here: calls are refused or admitted as
the limits file says.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from farthing.errors import LedgerFault
from farthing.limits.answers import Admitted, Degrade, Left
from farthing.limits.budgets import Applying, bound_of
from farthing.limits.pockets import Refusal, Ticket, Wanted
from farthing.limits.purse import Purse
from farthing.limits.quantile import Shares
from farthing.limits.refusal import store_failed, too_dear, unpriced, used_up
from farthing.limits.thresholds import REMEMBERED_MAX, Thresholds
from farthing.prices.card import Unpriced

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from farthing.limits.answers import GateFacts
    from farthing.limits.budgets import Applied, Budget
    from farthing.limits.file import Limits
    from farthing.limits.protocol import Bank
    from farthing.limits.refusal import Refused
    from farthing.limits.thresholds import Threshold

SYNC_S = 1.0
_REOPEN_S = 1.0
_ASKED_AT_ONCE = 50
"""Thresholds that the store is asked about in one tick: about 5 ms."""


class Gate:
    """
    Admits calls under budgets.

    Args:
        limits: The limits file.
        open_bank: Opens the store; called again after it failed.
        now: The time at the start; aware.
        on_threshold: Told of thresholds; must not raise, and neither must *on_fault*.
        on_fault: Told, once per failure, why the store does not answer; and an empty text when it does again.
        holder: This process's name in the store; None: one is made.

    """

    def __init__(
        self,
        limits: Limits,
        open_bank: Callable[[], Bank],
        now: datetime,
        *,
        on_threshold: Callable[[Threshold], None] = lambda _: None,
        on_fault: Callable[[str], None] = lambda _: None,
        holder: str | None = None,
    ) -> None:
        self.holder = holder or f"{os.getpid()}-{secrets.token_hex(6)}"
        self._limits = limits
        self._open_bank = open_bank
        self._applying = Applying(limits.budgets)
        self._thresholds = Thresholds(limits.budgets, on_threshold)
        self._on_fault = on_fault
        self._shares = Shares()
        self._purse: Purse | None = None
        self._counts = any(one.window != "call" for one in limits.budgets)  # from one call to the next
        self._fault = ""
        self._ticked_s = now.timestamp()
        self._opened_s = float("-inf")
        self._open(self._ticked_s)

    # -- calls --------------------------------------------------------------------------------------------------------

    @property
    def by_model(self) -> bool:
        """Whether some budget depends on which models may be billed."""
        return self._applying.by_model

    def admit(self, facts: GateFacts, now: datetime) -> Admitted | Refused | Degrade:
        """
        Reserve a call's worst case from every budget that applies, or refuse it.

        Args:
            facts: The call.
            now: When it is sent; aware. It counts in the windows of this moment, whenever it ends.

        """
        applied = self._applying.to(facts.dims, facts.model, now)
        if facts.beside:
            found = {one.key: one for model in facts.beside for one in self._applying.to(facts.dims, model, now)}
            applied = tuple(({one.key: one for one in applied} | found).values())
        now_s = now.timestamp()
        if abs(now_s - self._ticked_s) >= SYNC_S:
            self.tick(now)
        wanted: list[Wanted] = []
        route = f"{facts.model} {facts.route} {facts.stream}"
        for one in applied:
            objection = self._objection(one, facts)
            if objection is not None:
                return _answer(one.budget, objection, facts)
            if one.budget.window != "call":
                self._want(wanted, one, facts, route)
        worst = facts.worst_pusd if type(facts.worst_pusd) is int else None
        reserved = self._reserved(wanted, worst, route, now_s)
        if type(reserved) is Ticket:
            return Admitted(reserved, self._left(applied, facts))
        if reserved is None:
            return store_failed()
        assert isinstance(reserved, Refusal), "one of three"
        key = reserved.key._replace(meter="spend")
        one = next(one for one in applied if one.key == key)
        refused = used_up(one, reserved.need_pusd, reserved.state, now, reserved.limit_pusd)
        return _answer(one.budget, refused, facts)

    def settle(self, ticket: Ticket, actual_pusd: int | None) -> bool:
        """
        Tell what a call came to, in picodollars at list; None: nobody knows.

        Returns:
            Whether that was news; telling an outcome twice counts once.

        """
        if self._purse is None:
            return False
        news = self._purse.settle(ticket, actual_pusd)
        if news and actual_pusd is not None and ticket.worst_pusd is not None:
            self._shares.saw(ticket.route, ticket.worst_pusd, actual_pusd)
        return news

    def release(self, ticket: Ticket) -> bool:
        """Nothing was billed for the call. Returns whether that was news."""
        return self._purse is not None and self._purse.release(ticket)

    def pledge(self, ticket: Ticket, name: str, now: datetime) -> bool:
        """
        Keep a reservation beyond this process, until :meth:`redeem`.

        Returns:
            Whether that is done; where the store does not answer, the call counts as unknown.

        """
        if self._purse is None:
            return not ticket.parts
        try:
            self._purse.pledge(ticket, name, now.timestamp())
        except LedgerFault as fault:
            self._failed(fault)
            self._purse.settle(ticket, None)
            return False
        return True

    def redeem(self, name: str, actual_pusd: int) -> bool:
        """
        Tell what a pledge came to, be it another process's.

        Returns:
            False where the store does not answer: to be told again.

        """
        if self._purse is None:
            return not self._counts
        try:
            self._purse.redeem(name, actual_pusd)
        except LedgerFault as fault:
            self._failed(fault)
            return False
        return True

    # -- beside calls -------------------------------------------------------------------------------------------------

    def tick(self, now: datetime) -> None:
        """Share with other processes what was spent, and tell of thresholds; about once a second."""
        self._ticked_s = now.timestamp()
        purse = self._bank_there(self._ticked_s)
        if purse is None:
            return
        try:
            purse.sync(self._ticked_s)
            self._thresholds.tell(purse, _ASKED_AT_ONCE)
        except LedgerFault as fault:
            self._failed(fault)
        else:
            self._answers()

    def close(self, now: datetime) -> None:
        """Report all and give everything back, but for calls that have no outcome."""
        if self._purse is not None:
            try:
                self._purse.close(now.timestamp())
                self._thresholds.tell(self._purse, REMEMBERED_MAX)
            except LedgerFault as fault:
                self._failed(fault)
            self._purse.bank.close()
            self._purse = None

    # -- inside -------------------------------------------------------------------------------------------------------

    @staticmethod
    def _objection(one: Applied, facts: GateFacts) -> Refused | None:
        """What a budget has against a call whatever was spent."""
        budget, worst = one.budget, facts.worst_pusd
        if budget.mode == "soft" or (budget.mode == "degrade" and facts.degraded):
            return None
        if isinstance(worst, Unpriced):
            return None if budget.allows_unpriced else unpriced(one, worst.reason)
        alone = worst if facts.alone_pusd is None else facts.alone_pusd
        return too_dear(one, alone) if budget.window == "call" and alone > budget.limit_pusd else None

    def _want(self, wanted: list[Wanted], one: Applied, facts: GateFacts, route: str) -> None:
        budget, worst = one.budget, facts.worst_pusd
        worst = worst if type(worst) is int else 0
        if budget.mode == "soft" or (budget.mode == "degrade" and facts.degraded):
            wanted.append(Wanted(one.key, None, worst))
        elif budget.quantile is None:
            wanted.append(Wanted(one.key, budget.limit_pusd, worst))
        else:
            learnt = self._shares.reserve(route, worst, budget.quantile)
            wanted.append(Wanted(one.key, budget.limit_pusd, learnt))
            wanted.append(Wanted(bound_of(one.key), budget.limit_pusd + budget.overshoot_pusd, worst))
        self._thresholds.watch(one)

    def _reserved(
        self, wanted: list[Wanted], worst_pusd: int | None, route: str, now_s: float
    ) -> Ticket | Refusal | None:
        """A ticket; or why not; or None where the store had to be asked and calls are refused without it."""
        if not wanted:
            return Ticket((), worst_pusd, route)
        purse = self._bank_there(now_s)
        if purse is not None:
            try:
                return purse.reserve(wanted, worst_pusd, route, now_s)
            except LedgerFault as fault:
                self._failed(fault)
        if self._limits.refuses_without_store and any(one.limit_pusd is not None for one in wanted):
            return None
        if purse is None:
            return Ticket((), worst_pusd, route)
        ticket = purse.reserve(wanted, worst_pusd, route, now_s, forced=True)
        assert type(ticket) is Ticket, "nobody was asked"
        return ticket

    def _left(self, applied: tuple[Applied, ...], facts: GateFacts) -> Left | None:
        tightest: Left | None = None
        purse = self._purse
        for one in applied:
            budget = one.budget
            pocket = purse.pockets.get(one.key) if purse is not None else None
            if pocket is None or budget.mode == "soft" or (budget.mode == "degrade" and facts.degraded):
                continue
            left = pocket.left_pusd
            if left is not None and (tightest is None or left < tightest.left_pusd):
                tightest = Left(budget.name, left, budget.limit_pusd, one.window.ends_at)
        return tightest

    def _bank_there(self, now_s: float) -> Purse | None:
        if self._purse is None and abs(now_s - self._opened_s) >= _REOPEN_S:  # the clock may be set back
            self._open(now_s)
        return self._purse

    def _open(self, now_s: float) -> None:
        self._opened_s = now_s
        if not self._counts:
            return
        try:
            bank = self._open_bank()
        except LedgerFault as fault:
            self._failed(fault)
            return
        try:
            bank.bury()
            self._purse = Purse(bank, self.holder)
        except LedgerFault as fault:
            bank.close()
            self._failed(fault)
        else:
            self._answers()

    def _failed(self, fault: LedgerFault) -> None:
        if str(fault) != self._fault:
            self._fault = str(fault)
            self._on_fault(self._fault)

    def _answers(self) -> None:
        if self._fault:
            self._fault = ""
            self._on_fault("")


def _answer(budget: Budget, refused: Refused, facts: GateFacts) -> Refused | Degrade:
    """A refusal, or the other model where the budget names one that is not the one that was asked for."""
    if budget.degrade_to is None or budget.degrade_to == facts.model:
        return refused
    return Degrade(budget.degrade_to, refused)
