"""
What came of calls: a ticket solved, a pull request merged; and what a ledger keeps and says of it. Pure.

Which call belongs to which outcome is the rule of :mod:`farthing.ledger.outcome_join`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, get_args, runtime_checkable

import msgspec

from farthing.call import DIMENSIONS
from farthing.errors import LedgerFault
from farthing.ledger.merge import YEAR_MAX, YEAR_MIN
from farthing.ledger.text import valid_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.ledger.interface import Query
    from farthing.units import Kind

Status = Literal["success", "failure", "other"]
STATUSES: tuple[Status, ...] = get_args(Status)

JoinedBy = Literal["request", "session", "tag"]
JOINED_BY: tuple[JoinedBy, ...] = get_args(JoinedBy)
"""How an outcome may name calls, narrowest first."""

Basis = Literal["list", "contract"]
"""What a call is taken to cost: its list price, or its price under contract and, where it has none, at list."""

AMOUNT_PUSD_MAX = 10**27
"""A quadrillion dollars: more is a slip, and sums of many stay far inside 128 bits."""

OUTCOME_DIMENSIONS = tuple(name for name in DIMENSIONS if name not in ("session", "api_key"))
"""What an outcome may say of itself, beside its session."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What came of some calls, as somebody outside told it. At least one of *session*, *request* and *tag_name* is set.

    Attributes:
        outcome_id: Stable identity: an outcome told twice counts once.
        happened_at: When; aware, UTC.
        name: What kind of outcome, such as ``ticket_solved``; empty where nobody said.
        status: Whether that was what was wanted.
        value_pusd: What it is worth to whoever runs this, in picodollars; None: not said. May be negative.
        revenue_pusd: What a customer paid for it; None: not said. Negative: paid back.
        session: Calls with this session.
        request: Calls with this call id, message id, request id or gateway's name (``gateway_call``).
        tag_name: Calls with *tag_value* under this dimension or tag. Both are set or neither is.
        tag_value: See *tag_name*.
        dims: Values for :data:`OUTCOME_DIMENSIONS`.
        at_assumed: Nobody said when; *happened_at* is when it was told.

    """

    outcome_id: str
    happened_at: datetime
    name: str = ""
    status: Status = "other"
    value_pusd: int | None = None
    revenue_pusd: int | None = None
    session: str | None = None
    request: str | None = None
    tag_name: str | None = None
    tag_value: str | None = None
    dims: dict[str, str] = {}
    at_assumed: bool = False

    @property
    def tenant(self) -> str | None:
        """Whose it is, where it says so."""
        return self.dims.get("tenant") or None


class Replaced(msgspec.Struct, frozen=True):
    """What the ledger knew of an outcome before it was told otherwise, at *replaced_at* (aware, UTC)."""

    outcome: Outcome
    replaced_at: datetime


class OutcomesAdded(NamedTuple):
    """
    What adding outcomes did. The three counts sum to the outcomes given.

    Attributes:
        new: Outcomes the ledger did not have.
        known: Outcomes it had, told again.
        corrected: Outcomes it had and was told otherwise; what it had is kept beside them.

    """

    new: int
    known: int
    corrected: int


class Share(NamedTuple):
    """
    What calls of one outcome, or of none, cost.

    Attributes:
        outcome_id: The outcome; None: calls that belong to none.
        joined_by: By which name it took these calls; None where there is no outcome.
        key: A value per dimension of the query, in its order; None where a call has none.
        kind: How sure their prices are.
        calls: How many.
        unpriced_calls: Of them, how many have no exact price; they are in no sum.
        pusd: What the others cost, exactly.

    """

    outcome_id: str | None
    joined_by: JoinedBy | None
    key: tuple[str | None, ...]
    kind: Kind
    calls: int
    unpriced_calls: int
    pusd: int


class DearCall(NamedTuple):
    """One of the dearest calls."""

    call_id: str
    sent_at: datetime
    model: str
    pusd: int


class Tail(NamedTuple):
    """
    How few calls carry how much, over the calls that have a price.

    Attributes:
        calls: How many have a price.
        pusd: What they cost together.
        top_1_pusd: The dearest hundredth of them, rounded up to whole calls.
        top_5_pusd: The dearest twentieth, likewise.
        dearest: The dearest ten, then by id.

    """

    calls: int
    pusd: int
    top_1_pusd: int
    top_5_pusd: int
    dearest: tuple[DearCall, ...]


DEAREST = 10

_TEXTS = ("outcome_id", "name", "session", "request", "tag_name", "tag_value")


Tenants = tuple[str, ...] | None
"""Only the outcomes that say they are one of these tenants', as if there were no others; None: every outcome."""


class OutcomeReader(Protocol):
    """Outcomes beside calls, as far as whoever holds it may see them."""

    def outcomes(self) -> list[Outcome]:
        """Every outcome as it stands, by id."""
        ...

    def outcome(self, outcome_id: str) -> tuple[Outcome, tuple[Replaced, ...]] | None:
        """One outcome and what was known before, oldest first; None where there is none."""
        ...

    def shares(self, query: Query, basis: Basis = "list") -> list[Share]:
        """
        What the calls in a query's range and filters cost, by outcome and by ``query.by``, in no order.

        Every such call is in exactly one share. ``bucket``, ``limit`` and ``timezone`` of days do not matter.

        Raises:
            BadInput: A dimension does not exist.

        """
        ...

    def tail(self, query: Query, basis: Basis = "list") -> Tail:
        """How few of the calls in a query's range and filters carry how much."""
        ...


@runtime_checkable
class OutcomeStore(OutcomeReader, Protocol):
    """An engine that keeps outcomes beside its calls. They come in any order, and are joined when somebody asks."""

    def outcomes(self, tenants: Tenants = None) -> list[Outcome]:
        """See :meth:`OutcomeReader.outcomes`."""
        ...

    def outcome_count(self, tenants: Tenants = None) -> int:
        """How many those are."""
        ...

    def shares(self, query: Query, basis: Basis = "list", tenants: Tenants = None) -> list[Share]:
        """See :meth:`OutcomeReader.shares`: what belongs to an outcome that is left out may belong to another one."""
        ...

    def add_outcomes(self, outcomes: Iterable[Outcome], *, received_at: datetime) -> OutcomesAdded:
        """
        Keep outcomes, each once by its id, all or none.

        One that is told otherwise later is replaced, and what was known is kept. One that is told again as it was at
        any time before changes nothing, so an old file may be read again (:func:`verdict`).

        Raises:
            LedgerFault: Nothing was written.

        """
        ...


def checked_outcome(outcome: Outcome) -> Outcome:
    """
    The outcome as every engine keeps it: its time in UTC, its texts valid Unicode.

    Raises:
        LedgerFault: It has no id, no time zone or no name of calls, or an amount that no ledger keeps.

    """
    if outcome.happened_at.tzinfo is None or not YEAR_MIN <= outcome.happened_at.year <= YEAR_MAX:
        raise _unfit(outcome, f"its time is {outcome.happened_at.isoformat()}", "an aware time of our centuries")
    if not outcome.outcome_id or not (outcome.session or outcome.request or outcome.tag_value):
        raise _unfit(outcome, "it has no id, or names no calls", "an id, and a session, request or tag")
    if bool(outcome.tag_name) != bool(outcome.tag_value):
        raise _unfit(outcome, "it has half a tag", "a name and a value")
    for amount in (outcome.value_pusd, outcome.revenue_pusd):
        if amount is not None and abs(amount) > AMOUNT_PUSD_MAX:
            raise _unfit(outcome, "an amount is beyond any bill", "at most a quadrillion dollars")
    if strange := set(outcome.dims) - set(OUTCOME_DIMENSIONS):
        raise _unfit(outcome, f"it says {', '.join(sorted(strange))} of itself", f"of {', '.join(OUTCOME_DIMENSIONS)}")
    texts = {name: valid_text(text) for name in _TEXTS if (text := getattr(outcome, name))}
    dims = {name: valid_text(value) for name, value in outcome.dims.items()}
    return msgspec.structs.replace(outcome, happened_at=outcome.happened_at.astimezone(UTC), dims=dims, **texts)


def verdict(known: Outcome | None, former: Iterable[Outcome], told: Outcome) -> Literal["new", "known", "corrected"]:
    """
    What to make of *told*, given what is *known* under its id and what was known before: the later word wins.

    Where nobody said when an outcome happened, when it was told is no news.
    """
    if known is None:
        return "new"
    if any(_same(told, one) for one in (known, *former)):
        return "known"
    return "corrected"


def is_of(outcome: Outcome, tenants: Tenants) -> bool:
    """Whether an outcome is among those of *tenants*."""
    return tenants is None or outcome.tenant in tenants


def _same(told: Outcome, known: Outcome) -> bool:
    if told.at_assumed:
        told = msgspec.structs.replace(told, happened_at=known.happened_at, at_assumed=known.at_assumed)
    return told == known


def _unfit(outcome: Outcome, read: str, expected: str) -> LedgerFault:
    return LedgerFault(f"outcome {outcome.outcome_id!r}: {read}; expected {expected}; nothing was written")
