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

All times are the caller's. :mod:`farthing.limits.memory_bank` is the bank by definition; :mod:`farthing.limits.store`
does the same in SQLite, and both pass one suite of tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


def granted(ask: Ask, state: State) -> int | None:
    """By how much a lease may grow: as wanted, at least what is needed; None where there is no room for that."""
    if ask.limit_pusd is None or not ask.need_pusd:
        return 0
    room = ask.limit_pusd - state.spent_pusd - state.held_pusd
    if room < ask.need_pusd:
        return None
    return ask.need_pusd if state.wanted else min(room, max(ask.need_pusd, ask.want_pusd))
