"""
The budget protocol, as seen from the bank: who holds how much of each limit.

An *account* is one budget, for one value it is split by, in one window. A *holder* is one process. A holder leases a
slice of an account from the bank and reserves calls from it in memory; it reports what was spent, and gives back what
it does not need. The bank keeps, per account and holder, what the holder **reported** as spent and what it **leases**.

The invariant: *sum of reported + sum of leases <= limit*. A holder keeps *reserved + not yet reported <= its lease*, so
what all have spent and reserved is within the limit at every instant, whoever dies between any two steps. Only two
things go beyond it, both told apart: a bill above its own worst case, and the accounts of a smooth budget, which
reserve less than the worst case inside a second account that does not.

A holder that died keeps its share: what it leased is *presumed* spent, because it may have been, until the truth about
its calls comes (:meth:`Bank.truth`) from its journal (:mod:`farthing.limits.estate`). Every write states a holder's
whole share, not a change, so it may be repeated after any doubt.

What outlives the process that reserved it (a batch, whose results come hours later) is *pledged*: its share belongs to
a holder of its own, named :data:`PLEDGE` and more, that is dead from the start, so any process may tell its truth.

All times are the caller's. :class:`MemoryBank` is the bank by definition; :mod:`farthing.limits.store` does the same
in SQLite, and both pass one suite of tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WANTED_S = 10
"""For so long after a call found no room, holders give back what they do not need."""


PLEDGE = "pledge-"
"""How the names of holders begin that are no process: a rebuild keeps what they lease."""


class AccountKey(NamedTuple):
    """
    One account.

    Attributes:
        budget: The budget's name.
        value: What it is split by (``tenant=acme``), empty where it is not.
        start_s: Start of its window in seconds since 1970; 0 where no calendar ends it.
        meter: ``spend``; ``bound`` for the second account of a smooth budget, which counts worst cases.

    """

    budget: str
    value: str = ""
    start_s: int = 0
    meter: str = "spend"


class Ask(NamedTuple):
    """
    A holder wants a lease of at least *need* and, if there is room, of *want* picodollars more than it has.

    With a limit of None, and with a need of 0, it only looks.
    """

    key: AccountKey
    limit_pusd: int | None
    need_pusd: int
    want_pusd: int


class State(NamedTuple):
    """
    An account, right after a write.

    Attributes:
        spent_pusd: What all holders reported.
        held_pusd: What all holders lease, this one's included; what dead ones left presumed is part of it.
        presumed_pusd: That part.
        mine_pusd: What this holder reported.
        wanted: Whether some call found no room lately.

    """

    spent_pusd: int
    held_pusd: int
    presumed_pusd: int
    mine_pusd: int
    wanted: bool


class Granted(NamedTuple):
    """All asks are met: by how much each lease grew, and the accounts after it."""

    grants_pusd: tuple[int, ...]
    states: tuple[State, ...]


class Short(NamedTuple):
    """Nothing was leased: this account has no room for what was needed."""

    key: AccountKey
    state: State


class Share(NamedTuple):
    """What a holder says of one account: all it spent there so far, and what it leases from now on."""

    key: AccountKey
    reported_pusd: int
    lease_pusd: int


class Line(NamedTuple):
    """One account, for a report."""

    key: AccountKey
    spent_pusd: int
    held_pusd: int
    presumed_pusd: int


class Bank(Protocol):
    """
    Keeps accounts; each method is atomic and durable.

    Every method may raise :class:`~farthing.errors.LedgerFault`: then nothing is known to be written, and it may be
    called again.
    """

    def join(self, holder: str) -> None:
        """A process that will lease. It is taken for alive until it leaves or dies."""
        ...

    def lease(self, holder: str, asks: Sequence[Ask], now_s: float) -> Granted | Short:
        """Lease from several accounts, from all or from none."""
        ...

    def report(self, holder: str, shares: Sequence[Share], now_s: float) -> tuple[State, ...]:
        """Set a holder's shares to what it says; the accounts after it, in order."""
        ...

    def wanted(self, holder: str, now_s: float) -> list[AccountKey]:
        """The accounts where a call found no room lately and this holder has a lease."""
        ...

    def leave(self, holder: str) -> None:
        """A process that ends in order. If it still leases something, calls have no outcome: as if it had died."""
        ...

    def bury(self) -> list[str]:
        """Find holders that died; their leases are presumed spent from now on. All that are dead and not settled."""
        ...

    def truth(
        self, holder: str, spent_pusd: Mapping[AccountKey, int], open_pusd: Mapping[AccountKey, int] | None = None
    ) -> bool:
        """
        What a dead holder's calls really cost.

        Args:
            holder: One that :meth:`bury` named.
            spent_pusd: Per account the sum of all its calls that have an outcome; an account not named has none.
            open_pusd: Per account the worst case of its calls that have none; None: not known, then all it leased and
                did not spend stays presumed. An empty mapping: every call has an outcome, and the holder is forgotten;
                until then the truth may be told again.

        Returns:
            False where that holder is alive or unknown: nothing was changed.

        """
        ...

    def leased(self, holder: str) -> dict[AccountKey, int]:
        """What one holder leases, dead or alive; empty where nobody knows it."""
        ...

    def rebuild(self, spent_pusd: Mapping[AccountKey, int], *, keep_presumed: bool, forget_before_s: float = 0) -> bool:
        """
        Begin with the truth: every account is set to what the ledger says, those not named to nothing.

        Args:
            spent_pusd: Sums of the ledger.
            keep_presumed: Some calls have no outcome: what was counted beyond the ledger's sum stays presumed. What is
                pledged stays in any case.
            forget_before_s: Accounts of calendar windows that began before that are dropped, or it grows for ever.

        Returns:
            False where some holder is alive, whose calls the ledger cannot know yet: only accounts that nobody has
            counted in (a budget that is new in the file) begin with the ledger's sum, nothing else was changed.

        """
        ...

    def first(self, key: AccountKey, mark: str) -> bool:
        """Whether nobody has said *mark* about this account before: for things told once."""
        ...

    def lines(self) -> list[Line]:
        """Every account that there is, by key."""
        ...

    def close(self) -> None:
        """Release files. A holder that joined here and did not leave counts as dead from now on."""
        ...


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


def granted(ask: Ask, state: State) -> int | None:
    """By how much a lease may grow: as wanted, at least what is needed; None where there is no room for that."""
    if ask.limit_pusd is None or not ask.need_pusd:
        return 0
    room = ask.limit_pusd - state.spent_pusd - state.held_pusd
    if room < ask.need_pusd:
        return None
    return ask.need_pusd if state.wanted else min(room, max(ask.need_pusd, ask.want_pusd))
