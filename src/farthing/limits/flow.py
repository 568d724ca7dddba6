"""
Rate limits for whoever forwards calls: enter before a call is sent, observe its answer, leave when it has ended.

::

    entered = await flow.enter(facts)          # Refused: answer 429 with it
    flow.observe(entered.ticket, status, headers)
    flow.leave(entered.ticket, usage)          # once, always; None: nothing was served
    flow.undo(entered.ticket)                  # instead of that: it was never sent

Own rules (:mod:`farthing.limits.rates`) refuse; the upstream's limits (:mod:`farthing.limits.pace`) only delay, unless
the upstream itself asked for a pause that is longer than a call may wait. Without a rule, and before an answer tells of
a limit, nothing is done at all.
"""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.limits.fair import Place, Waiting, waits
from farthing.limits.headroom import read_headroom
from farthing.limits.lanes import Lane
from farthing.limits.pace import Pacer, is_about_speed
from farthing.limits.rates import UpstreamRule, named_rules
from farthing.limits.routes import FlowFacts, Routes
from farthing.limits.sizes import Size, Used
from farthing.limits.turns import Turns
from farthing.limits.turnstile import Why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from farthing.call import Usage
    from farthing.limits.rates import RateRule
    from farthing.limits.routes import Upstream
    from farthing.limits.turnstile import Hold, Turnstile
    from farthing.prices.names import NameTable

_PACERS_MAX = 1_000

PARTIES = ("tenant", "api_key", "user")
"""Who shares fairly while calls wait: the first of these dimensions that a call has."""

Headers = list[tuple[bytes, bytes]]


class Ticket:
    """One call that was let through; to be given back to ``leave``."""

    __slots__ = ("entered_at", "holds", "left", "reads_count", "size", "turnstiles", "upstream")

    def __init__(self, upstream: Upstream, turnstiles: tuple[Turnstile, ...], size: Size, *, reads_count: bool) -> None:
        self.upstream = upstream
        self.turnstiles = turnstiles
        self.size = size
        self.reads_count = reads_count
        self.holds: list[Hold] = []
        self.entered_at = 0.0
        self.left = False


class Entered(NamedTuple):
    """The call may be sent; *waited_s*: how long it waited for that."""

    ticket: Ticket
    waited_s: float


class Refused(NamedTuple):
    """
    The call may not be sent: a 429 in the API's words.

    Attributes:
        message: Names rule, limit and how long to wait.
        rule: The rule's name and whose it is; ``upstream`` or ``queue``. limit: in words.
        retry_after_s: Whole seconds, >= 1, for ``retry-after``.
        name: The rule's alone; empty for ``upstream`` and ``queue``. value: whose, ``tenant=acme``; empty: everybody's.

    """

    message: str
    rule: str
    limit: str
    retry_after_s: int
    status: int = 429
    error_type: str = "rate_limit_error"
    name: str = ""
    value: str = ""

    @property
    def headers(self) -> Headers:
        """The two headers that tell an SDK when to try again."""
        return [(b"x-should-retry", b"true"), (b"retry-after", b"%d" % self.retry_after_s)]

    def body(self, request_id: str | None = None) -> bytes:
        """The error as the API would write it."""
        error = {"type": "error", "error": {"type": self.error_type, "message": self.message}}
        return msgspec.json.encode(error | ({"request_id": request_id} if request_id else {}))


class Flow:
    """
    All rate limits of one process and event loop.

    Args:
        rules: Own limits; every one that a call matches applies.
        upstream: What to do as the upstream's limits come near.
        names: Finds the class of a model by any of its ids; None: exact ids only, others are a class each.
        clock: Seconds that never go back.
        wall: The time, aware.
        queue_length_max: How many calls may wait.

    Raises:
        BadConfig: The rules cannot be used (:func:`~farthing.limits.rates.named_rules`).

    """

    def __init__(
        self,
        rules: Sequence[RateRule] = (),
        upstream: UpstreamRule | None = None,
        *,
        names: NameTable | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        queue_length_max: int = 1000,
    ) -> None:
        self._upstream_rule = upstream or UpstreamRule()
        self._clock = clock
        self._wall = wall
        self._turns = Turns(clock, queue_length_max)
        self._routes = Routes(named_rules(rules, "rate limits"), names, clock)
        self._pacers: dict[Upstream, Pacer] = {}

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return len(self._turns)

    async def enter(self, facts: FlowFacts) -> Entered | Refused:
        """
        Wait until a call may be sent, as long as its rules allow.

        A caller that is cancelled while it waits (its client left) gives up its place.
        """
        route = self._routes.of(facts)
        pacer = self._pacers.get(route.upstream)
        turnstiles: tuple[Turnstile, ...] = route.lanes if pacer is None else (*route.lanes, pacer)
        size = Size(facts.prompt_tokens, facts.max_tokens)
        ticket = Ticket(route.upstream, turnstiles, size, reads_count=route.reads_count)
        now = self._clock()
        if not turnstiles:
            ticket.entered_at = now
            return Entered(ticket, 0.0)
        blocked = waits(turnstiles, size, now)
        if not blocked and not self._turns.wait_before(turnstiles):
            return self._let_through(ticket, now, 0.0)
        for_s = min(
            (turnstile.queue_seconds for turnstile, _ in blocked),
            default=max(turnstile.queue_seconds for turnstile in turnstiles),
        )
        for turnstile, wait_s in blocked:
            if not turnstile.yields(now) and wait_s < math.inf and wait_s > for_s:
                return _refused(turnstile.why(size, now))
        if for_s > 0 or not blocked:  # who may not wait may still be first in turn
            place = Place(_party(facts.dims), turnstiles)
            cost = max(turnstile.share(size) for turnstile in turnstiles) or 1.0
            waiting = Waiting(place, size, now + for_s, cost=cost, weight=route.weight)
            if await self._turns.take(waiting):
                ticket.holds = waiting.holds
                ticket.entered_at = self._clock()
                return Entered(ticket, ticket.entered_at - now)
        return self._late(ticket, now)

    def observe(self, ticket: Ticket, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """
        Hear the head of an answer, of every attempt.

        Args:
            ticket: Of the call.
            status: Of the answer.
            headers: Names in lower case.

        """
        if not self._upstream_rule.slow_down:
            return
        told = read_headroom(headers, self._wall())
        pacer = self._pacers.get(ticket.upstream)
        if pacer is None:
            if not told.rooms and status != 529 and not (status == 429 and is_about_speed(told)):
                return
            if len(self._pacers) >= _PACERS_MAX:
                del self._pacers[next(iter(self._pacers))]
            pacer = self._pacers[ticket.upstream] = Pacer(self._upstream_rule, ticket.upstream.family)
        went_by = bool(ticket.holds) and ticket.turnstiles[-1] is pacer
        hold = ticket.holds[-1] if went_by else None
        pacer.observe(status, told, hold, ticket.entered_at, self._clock())
        if self._turns:
            self._turns.pump()

    def leave(self, ticket: Ticket, usage: Usage | None) -> None:
        """A call has ended, however; *usage* is what was served, None where nothing was. A second time does nothing."""
        used = None
        if usage is not None and ticket.holds:
            fresh = usage.input_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
            used = Used(fresh + usage.cache_read_tokens * ticket.reads_count, usage.output_tokens)
        self._end(ticket, lambda turnstile, hold, now: turnstile.settle(hold, ticket.size, used, now))

    def undo(self, ticket: Ticket) -> None:
        """A call was never sent: it used nothing, not even a request. After :meth:`leave` this does nothing."""
        self._end(ticket, lambda turnstile, hold, now: turnstile.undo(hold, now))

    def _end(self, ticket: Ticket, end: Callable[[Turnstile, Hold, float], None]) -> None:
        if ticket.left:
            return
        ticket.left = True
        if not ticket.holds:
            return
        now = self._clock()
        for turnstile, hold in zip(ticket.turnstiles, ticket.holds, strict=True):
            end(turnstile, hold, now)
        if self._turns:
            self._turns.pump()

    def headers(self, ticket: Ticket) -> Headers:
        """``x-farthing-ratelimit-*`` of the own limit with the smallest share left; none where no rule applies."""
        now = self._clock()
        left = [one for turnstile in ticket.turnstiles if isinstance(turnstile, Lane) for one in turnstile.left(now)]
        if not left:
            return []
        tightest = min(left, key=lambda one: one.remaining / one.limit)
        full_at = self._wall() + timedelta(seconds=math.ceil(tightest.full_in_s))
        rule = tightest.rule.partition(" (")[0]
        return [
            (b"x-farthing-ratelimit-rule", f"{rule}: {tightest.counts}".encode("unicode_escape")),
            (b"x-farthing-ratelimit-limit", b"%d" % tightest.limit),
            (b"x-farthing-ratelimit-remaining", b"%d" % tightest.remaining),
            (b"x-farthing-ratelimit-reset", full_at.strftime("%Y-%m-%dT%H:%M:%SZ").encode()),
        ]

    def _let_through(self, ticket: Ticket, now: float, waited_s: float) -> Entered:
        ticket.holds = [turnstile.take(ticket.size, now) for turnstile in ticket.turnstiles]
        ticket.entered_at = now
        return Entered(ticket, waited_s)

    def _late(self, ticket: Ticket, began: float) -> Entered | Refused:
        """It waited as long as it may, or the queue is full: only turnstiles that yield let it through."""
        now = self._clock()
        waited_s = now - began
        blocked = waits(ticket.turnstiles, ticket.size, now)
        firm = [(wait_s, place) for place, (turnstile, wait_s) in enumerate(blocked) if not turnstile.yields(now)]
        if firm:
            turnstile = blocked[max(firm)[1]][0]
            return _refused(turnstile.why(ticket.size, now), waited_s)
        if blocked:
            return self._let_through(ticket, now, waited_s)
        return _refused(Why("queue", f"{self.waiting:,} calls wait already", 1.0), waited_s)


def _party(dims: Mapping[str, str]) -> str:
    return next((f"{name}={dims[name]}" for name in PARTIES if dims.get(name)), "")


def _refused(why: Why, waited_s: float = 0.0) -> Refused:
    retry_after_s = max(1, math.ceil(why.wait_s)) if why.wait_s < math.inf else 1
    waited = f", after {waited_s:.1f} s in the queue" if waited_s >= 0.05 else ""
    message = f"farthing: rate limit {why.rule}: {why.limit}{waited}; try again in {retry_after_s} s"
    return Refused(message, why.rule, why.limit, retry_after_s, name=why.name, value=why.value)
