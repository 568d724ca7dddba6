"""
What a caller is told when a budget does not admit a call: a status, an error of the API's shape, two headers.

===========================================  ======  =====================  ==================  ==============
why                                          status  type                   x-should-retry      retry-after
===========================================  ======  =====================  ==================  ==============
used up, and the calendar ends the window    429     billing_error          false               until it ends
used up, and nothing ends it                 402     billing_error          false               none
the call alone is above a whole limit        400     invalid_request_error  false               none
it would fit, but calls under way hold it    429     rate_limit_error       true                1 second
no bound on what the call costs              400     invalid_request_error  false               none
the store of budgets does not answer         503     api_error              true                2 seconds
===========================================  ======  =====================  ==================  ==============

The official SDK shows the message of each (RateLimitError, PaymentRequiredError, BadRequestError, ServiceUnavailable)
and sends only those again that may pass in a moment. The first row is what Anthropic's own gateway answers.

Source: facts: claude-api 9 and 12.1 (reference gateway), checked 2026-11-20.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing import money

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.limits.budgets import Applied
    from farthing.limits.protocol import State

BUSY_RETRY_S, FAULT_RETRY_S = 1, 2
_SHOWN_MAX = 120


class Refused(NamedTuple):
    """
    A call that is not admitted. Nothing was reserved for it.

    Attributes:
        status: HTTP. error_type, message: of the error.
        why: ``used up``, ``too dear``, ``busy``, ``unpriced`` or ``store``: for metrics.
        budget: Name of the budget; empty where the store failed.
        resets_at: When its window ends; None: never.
        retry_after_s: For the header; None: none.
        should_retry: For ``x-should-retry``.
        value: Whose account it is, ``tenant=acme``; empty where all calls share it.

    """

    status: int
    error_type: str
    message: str
    why: str
    budget: str = ""
    resets_at: datetime | None = None
    retry_after_s: int | None = None
    should_retry: bool = False
    value: str = ""

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The two headers that tell an SDK whether and when to try again."""
        found = [(b"x-should-retry", b"true" if self.should_retry else b"false")]
        if self.retry_after_s is not None:
            found.append((b"retry-after", str(self.retry_after_s).encode()))
        return found

    def body(self, request_id: str | None = None) -> bytes:
        """The error as the API would write it."""
        error = {"type": "error", "error": {"type": self.error_type, "message": self.message}}
        return msgspec.json.encode(error | ({"request_id": request_id} if request_id else {}))


def used_up(applied: Applied, need_pusd: int, state: State, at: datetime, limit_pusd: int) -> Refused:
    """There is no room in an account: ever, for good, until its window ends, or while other calls are under way."""
    if need_pusd > limit_pusd:
        return too_dear(applied, need_pusd)
    return _used_up(applied, need_pusd, state, at, limit_pusd)._replace(value=applied.key.value)


def _used_up(applied: Applied, need_pusd: int, state: State, at: datetime, limit_pusd: int) -> Refused:
    name, who = applied.budget.name, _who(applied)
    spent = f"{dollars(state.spent_pusd)} of {dollars(applied.budget.limit_pusd)} spent"
    needs = f"this call may cost {dollars(need_pusd)}"
    if state.spent_pusd + state.presumed_pusd + need_pusd <= limit_pusd:
        held = dollars(state.held_pusd)
        message = f"farthing: budget {name}{who}: {spent}, {held} held for calls under way, {needs}; try again soon"
        ends_at = applied.window.ends_at
        return Refused(429, "rate_limit_error", message, "busy", name, ends_at, BUSY_RETRY_S, should_retry=True)
    presumed = f", {dollars(state.presumed_pusd)} held for calls with no outcome" if state.presumed_pusd else ""
    ends_at = applied.window.ends_at
    if ends_at is None:
        kind = {"total": "it does not reset", "run": "it holds for the whole run"}.get(
            applied.budget.window, "it holds for the whole session"
        )
        message = f"farthing: budget {name}{who} is used up: {spent}{presumed}, {needs}; {kind}"
        return Refused(402, "billing_error", message, "used up", name)
    local = ends_at.astimezone(applied.budget.zone)
    resets = f"it resets at {local:%Y-%m-%d %H:%M} {applied.budget.zone.key}"
    message = f"farthing: budget {name}{who} is used up: {spent}{presumed}, {needs}; {resets}"
    wait_s = max(1, math.ceil((ends_at - at).total_seconds()))
    return Refused(429, "billing_error", message, "used up", name, ends_at, wait_s)


def too_dear(applied: Applied, worst_pusd: int) -> Refused:
    """One call is above what a single call may cost, or above a whole budget, so that no waiting helps."""
    name, most, limit = applied.budget.name, dollars(worst_pusd), dollars(applied.budget.limit_pusd)
    has = f"one may cost {limit}" if applied.budget.window == "call" else f"the whole budget is {limit}"
    advice = "; lower max_tokens or shorten the prompt" if applied.budget.limit_pusd else ""
    message = f"farthing: budget {name}{_who(applied)}: this call may cost {most}, and {has}{advice}"
    return Refused(400, "invalid_request_error", message, "too dear", name, value=applied.key.value)


def unpriced(applied: Applied, reason: str) -> Refused:
    """Nothing bounds what the call costs."""
    name = applied.budget.name
    message = f"farthing: budget {name}{_who(applied)} admits no call whose cost has no bound: {reason}"
    ends_at = applied.window.ends_at
    return Refused(400, "invalid_request_error", message, "unpriced", name, ends_at, value=applied.key.value)


def store_failed() -> Refused:
    """Nobody can say what is left."""
    message = "farthing: the store of budgets does not answer, so nothing can be reserved for this call; try again"
    return Refused(503, "api_error", message, "store", retry_after_s=FAULT_RETRY_S, should_retry=True)


def dollars(pusd: int) -> str:
    """
    An amount for a message: exact to the cent, and finer where a cent would hide it.

    >>> dollars(12_500_000_000_000), dollars(264_000_000), dollars(1000), dollars(0)
    ('$12.50', '$0.00026', '$0.0000000010', '$0.00')
    """
    places = 2
    while pusd and places < 12 and abs(pusd) < 10 ** (12 - places + 1):
        places += 1
    return f"${money.display(pusd, places)}"


def _who(applied: Applied) -> str:
    value = applied.key.value
    shown = value if len(value) <= _SHOWN_MAX else f"{value[:_SHOWN_MAX]}..."
    return f" ({shown})" if shown else ""
