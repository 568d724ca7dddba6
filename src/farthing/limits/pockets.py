"""What one process has of accounts, and what a call reserved from them: values, whose rules are the purse's."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from farthing.limits.protocol import AccountKey, State

RESERVED, SETTLED, RELEASED, UNKNOWN, PLEDGED = "reserved", "settled", "released", "unknown", "pledged"


class Pocket:
    """
    What this process has of one account.

    Attributes:
        lease_pusd: What the bank let it have. reserved_pusd: for calls under way.
        spent_pusd: What calls came to since the last report; below 0 where an unknown call turned out cheaper.
        reported_pusd: All it reported, ever.
        elsewhere_pusd: Room that nobody held at the last look at the bank; None before the first.
        total_spent_pusd: What all holders had spent then.
        idle: Syncs since it was last used. doubt: the bank may have it otherwise, so the next report says it again.
        limit_pusd: None for an account that only counts.
        fresh: It was looked at since somebody last set this to False.

    """

    __slots__ = (
        "doubt",
        "elsewhere_pusd",
        "fresh",
        "idle",
        "key",
        "lease_pusd",
        "limit_pusd",
        "reported_pusd",
        "reserved_pusd",
        "spent_pusd",
        "total_spent_pusd",
    )

    def __init__(self, key: AccountKey, limit_pusd: int | None) -> None:
        self.key = key
        self.limit_pusd = limit_pusd
        self.lease_pusd = 0
        self.reserved_pusd = 0
        self.spent_pusd = 0
        self.reported_pusd = 0
        self.elsewhere_pusd: int | None = None
        self.total_spent_pusd = 0
        self.idle = 0
        self.doubt = False
        self.fresh = False

    @property
    def free_pusd(self) -> int:
        """What it can reserve without asking."""
        return self.lease_pusd - self.reserved_pusd - self.spent_pusd

    @property
    def left_pusd(self) -> int | None:
        """What the account has left, as of the last look at the bank; None for one that only counts."""
        if self.limit_pusd is None:
            return None
        return max(0, self.free_pusd + (self.elsewhere_pusd or 0))

    def saw(self, state: State) -> None:
        """Remember the account as the bank has it."""
        self.fresh = True
        self.total_spent_pusd = state.spent_pusd
        self.reported_pusd = state.mine_pusd
        self.elsewhere_pusd = (self.limit_pusd or 0) - state.spent_pusd - state.held_pusd


class Part(NamedTuple):
    """A ticket's reservation from one pocket."""

    pocket: Pocket
    reserved_pusd: int


class Ticket:
    """One call's reservations. ``stands`` is the state it is in; ``worst_pusd`` what it can cost at most."""

    __slots__ = ("parts", "route", "stands", "worst_pusd")

    def __init__(self, parts: tuple[Part, ...], worst_pusd: int | None, route: str) -> None:
        self.parts = parts
        self.worst_pusd = worst_pusd
        self.route = route
        self.stands = RESERVED


class Refusal(NamedTuple):
    """No room: which account, and how it stood. *need_pusd*: what the call would have reserved of it."""

    key: AccountKey
    limit_pusd: int
    need_pusd: int
    state: State


class Wanted(NamedTuple):
    """What a call needs of one account; a limit of None only counts."""

    key: AccountKey
    limit_pusd: int | None
    reserve_pusd: int
