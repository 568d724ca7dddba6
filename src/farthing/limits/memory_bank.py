"""The bank of budgets by definition, in one process's memory: what :mod:`farthing.limits.store` does in SQLite."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from farthing.limits.protocol import PLEDGE, WANTED_S, AccountKey, Granted, Line, Short, State, granted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from farthing.limits.protocol import Ask, Share


@dataclass
class Account:
    """The bank's books of one account, by holder; *base* is what nobody has to answer for any more."""

    base_pusd: int = 0
    presumed_base_pusd: int = 0
    reported: dict[str, int] = field(default_factory=dict)
    leases: dict[str, int] = field(default_factory=dict)
    wanted_s: float = float("-inf")
    marks: set[str] = field(default_factory=set)

    def state(self, dead: Iterable[str], now_s: float, mine: str = "") -> State:
        """The account now, as the holder *mine* sees it."""
        presumed = self.presumed_base_pusd + sum(self.leases.get(holder, 0) for holder in dead)
        return State(
            self.base_pusd + sum(self.reported.values()),
            self.presumed_base_pusd + sum(self.leases.values()),
            presumed,
            self.reported.get(mine, 0),
            now_s - self.wanted_s < WANTED_S,
        )


class MemoryBank:
    """The protocol by definition, in one process's memory; *die* says that a holder is gone."""

    def __init__(self) -> None:
        self.accounts: dict[AccountKey, Account] = {}
        self.alive: set[str] = set()
        self.dead: set[str] = set()
        self.undead: set[str] = set()

    def join(self, holder: str) -> None:
        """See :class:`Bank`."""
        self.alive.add(holder)

    def die(self, holder: str) -> None:
        """The process is gone; nobody has noticed yet."""
        self.alive.discard(holder)
        self.undead.add(holder)

    def lease(self, holder: str, asks: Sequence[Ask], now_s: float) -> Granted | Short:
        """See :class:`Bank`."""
        grants = []
        for ask in asks:
            account = self.accounts.setdefault(ask.key, Account())
            state = account.state(self.dead, now_s, holder)
            grant = granted(ask, state)
            if grant is None:
                account.wanted_s = now_s
                return Short(ask.key, account.state(self.dead, now_s, holder))
            grants.append(grant)
        for ask, grant in zip(asks, grants, strict=True):
            leases = self.accounts[ask.key].leases
            leases[holder] = leases.get(holder, 0) + grant
        states = tuple(self.accounts[ask.key].state(self.dead, now_s, holder) for ask in asks)
        return Granted(tuple(grants), states)

    def report(self, holder: str, shares: Sequence[Share], now_s: float) -> tuple[State, ...]:
        """See :class:`Bank`."""
        for share in shares:
            account = self.accounts.setdefault(share.key, Account())
            account.reported[holder] = share.reported_pusd
            account.leases[holder] = share.lease_pusd
        return tuple(self.accounts[share.key].state(self.dead, now_s, holder) for share in shares)

    def wanted(self, holder: str, now_s: float) -> list[AccountKey]:
        """See :class:`Bank`."""
        found = self.accounts.items()
        return sorted(key for key, one in found if now_s - one.wanted_s < WANTED_S and one.leases.get(holder))

    def leave(self, holder: str) -> None:
        """See :class:`Bank`."""
        self.alive.discard(holder)
        self.dead.add(holder)
        if not any(account.leases.get(holder) for account in self.accounts.values()):
            spent = {key: one.reported[holder] for key, one in self.accounts.items() if holder in one.reported}
            self.truth(holder, spent, {})

    def bury(self) -> list[str]:
        """See :class:`Bank`."""
        self.dead |= self.undead
        self.undead.clear()
        return sorted(self.dead)

    def truth(
        self, holder: str, spent_pusd: Mapping[AccountKey, int], open_pusd: Mapping[AccountKey, int] | None = None
    ) -> bool:
        """See :class:`Bank`."""
        if holder not in self.dead:
            return False
        touched = {key for key, account in self.accounts.items() if holder in account.reported.keys() | account.leases}
        for key in touched | spent_pusd.keys() | (open_pusd or {}).keys():
            account = self.accounts.setdefault(key, Account())
            counted = account.reported.pop(holder, 0) + account.leases.pop(holder, 0)
            spent = spent_pusd.get(key, 0)
            if open_pusd == {}:
                account.base_pusd += spent
            else:
                account.reported[holder] = spent
                account.leases[holder] = max(0, counted - spent) if open_pusd is None else open_pusd.get(key, 0)
        if open_pusd == {}:
            self.dead.discard(holder)
        return True

    def leased(self, holder: str) -> dict[AccountKey, int]:
        """See :class:`Bank`."""
        return {key: one.leases[holder] for key, one in self.accounts.items() if one.leases.get(holder)}

    def rebuild(self, spent_pusd: Mapping[AccountKey, int], *, keep_presumed: bool, forget_before_s: float = 0) -> bool:
        """See :class:`Bank`."""
        if self.alive:
            new = {key: Account(base_pusd=pusd) for key, pusd in spent_pusd.items() if key not in self.accounts}
            self.accounts.update(new)
            return False
        self.accounts = {key: one for key, one in self.accounts.items() if not 0 < key.start_s < forget_before_s}
        for key in self.accounts.keys() | spent_pusd.keys():
            account = self.accounts.setdefault(key, Account())
            state, spent = account.state((), 0.0), spent_pusd.get(key, 0)
            account.base_pusd = spent
            account.leases = {one: pusd for one, pusd in account.leases.items() if one.startswith(PLEDGE)}
            counted = state.spent_pusd + state.held_pusd - sum(account.leases.values())
            account.presumed_base_pusd = max(0, counted - spent) if keep_presumed else 0
            account.reported.clear()
            account.wanted_s = float("-inf")
        self.dead &= {holder for account in self.accounts.values() for holder in account.leases}
        self.undead.clear()
        return True

    def close(self) -> None:
        """Nothing to release; :meth:`die` says that a holder is gone."""

    def first(self, key: AccountKey, mark: str) -> bool:
        """See :class:`Bank`."""
        marks = self.accounts.setdefault(key, Account()).marks
        is_first = mark not in marks
        marks.add(mark)
        return is_first

    def lines(self) -> list[Line]:
        """See :class:`Bank`."""
        states = {key: account.state(self.dead, 0.0) for key, account in self.accounts.items()}
        return [Line(key, one.spent_pusd, one.held_pusd, one.presumed_pusd) for key, one in sorted(states.items())]
