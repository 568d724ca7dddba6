"""
Limits, as an exchange meets them: wait for a turn, reserve the worst case, and later tell what the call came to.

The rules are in :mod:`farthing.limits`; here they are asked in the right order. A call waits for its rate limits first
and reserves last, so that no budget is held by a call that is not on its way yet.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING

from farthing.gateway.batch_asked import read_batch_asked
from farthing.gateway.decide import Refuse
from farthing.gateway.models_asked import models_asked
from farthing.gateway.refusal_log import RefusalLog
from farthing.gateway.routes import Route
from farthing.limits import refusals
from farthing.limits.answers import Admitted, Degrade, GateFacts
from farthing.limits.estate import reserved_of
from farthing.limits.flow import Entered, Flow
from farthing.limits.gate import Gate
from farthing.limits.refusal_store import REFUSALS_NAME
from farthing.limits.replay import sure_pusd
from farthing.limits.routes import FlowFacts
from farthing.limits.store import STORE_NAME, SqliteBank
from farthing.limits.worst import worst_case
from farthing.money import usd_text
from farthing.prices.card import Unpriced

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from farthing.gateway.asked import Asked
    from farthing.gateway.metrics import Metrics
    from farthing.gateway.wire import Headers
    from farthing.ledger.interface import Reserved, Stored
    from farthing.limits.answers import Left
    from farthing.limits.file import Limits
    from farthing.limits.flow import Ticket as Turn
    from farthing.limits.pockets import Ticket
    from farthing.limits.thresholds import Threshold
    from farthing.prices.book import PriceBook

_BYTES_PER_TOKEN = 4
"""A first guess of a prompt's length; the rate limits learn the rest from what calls turn out to use."""
_UNTOLD_MAX = 10_000
"""Batches whose bill the store of budgets could not be told yet; those beyond count at their worst case."""
_TOLD_AT_ONCE = 10
_UNTOLD = Unpriced("which models may be billed for it cannot be told")
_TOO_LONG = Unpriced("the request is too long to be read before it is sent")


class Hold:
    """
    What one call holds until it ends.

    One of :meth:`billed`, :meth:`free` or :meth:`unknown` must be called; the first one counts.
    """

    __slots__ = ("_flow", "_gate", "_left", "_ticket", "_turn")

    def __init__(self, gate: Gate | None, flow: Flow, turn: Turn | None, admitted: Admitted | None) -> None:
        self._gate = gate
        self._flow = flow
        self._turn = turn
        self._ticket = None if admitted is None else admitted.ticket
        self._left = None if admitted is None else admitted.left

    def observe(self, status: int, headers: Headers) -> None:
        """Hear the head of an answer, of every attempt; names in lower case."""
        if self._turn is not None:
            self._flow.observe(self._turn, status, headers)

    def headers(self) -> Headers:
        """What the client is told: the budget with the least left, and the tightest own rate limit."""
        told = _told(self._left)
        return told if self._turn is None else told + self._flow.headers(self._turn)

    def billed(self, stored: Stored) -> None:
        """It was billed, as posted; where its counts are assumed it may have come to more, so nobody knows."""
        if self._turn is not None:
            self._flow.leave(self._turn, stored.call.served.usage)
        if self._gate is not None and self._ticket is not None:
            self._gate.settle(self._ticket, sure_pusd(stored))
            self._ticket = None

    def free(self) -> None:
        """Nothing was billed."""
        if self._turn is not None:
            self._flow.leave(self._turn, None)
        if self._gate is not None and self._ticket is not None:
            self._gate.release(self._ticket)
            self._ticket = None

    def unknown(self) -> None:
        """Nobody knows: it counts at what was reserved."""
        if self._turn is not None:
            self._flow.leave(self._turn, None)
        if self._gate is not None and self._ticket is not None:
            self._gate.settle(self._ticket, None)
            self._ticket = None

    @property
    def reserved(self) -> tuple[Reserved, ...]:
        """What a journal says of it."""
        return () if self._ticket is None else reserved_of(self._ticket)

    def hand_over(self) -> Ticket | None:
        """End the turn and give the reservation away: it outlives the request."""
        if self._turn is not None:
            self._flow.leave(self._turn, None)
        ticket, self._ticket = self._ticket, None
        return ticket


class Limiter:
    """
    The limits of one process.

    Args:
        limits: The limits file.
        folder: Where the store of budgets lies, and the log of refusals.
        book: Prices of worst cases, and names of models.
        metrics: Where refusals are counted.
        log: Gets a line when a budget's threshold is reached, and when the store does not answer.
        now: The time; aware, UTC.
        holder: What the store knows this process by: its journal's name, or nothing is known of it once it is killed.

    """

    def __init__(
        self,
        limits: Limits,
        folder: Path,
        *,
        holder: str,
        book: PriceBook,
        metrics: Metrics,
        log: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        self._geo = limits.default_inference_geo
        self._book = book
        self._metrics = metrics
        self._log = log
        self._now = now
        self._flow = Flow(limits.rates, limits.upstream, names=book.names, wall=now)
        self._gate: Gate | None = None
        if limits.budgets:
            store = folder / STORE_NAME
            self._gate = Gate(
                limits,
                lambda: SqliteBank(store),
                now(),
                on_threshold=self._reached,
                on_fault=self._store_failed,
                holder=holder,
            )
        self._refusals = RefusalLog(folder / REFUSALS_NAME, metrics, log)
        self._untold: dict[str, int] = {}
        metrics.gauge("farthing_calls_waiting", lambda: self._flow.waiting)

    def applies(self, route: Route, *, makes_batch: bool) -> bool:
        """Whether calls of this kind are limited, so that their body has to be read first."""
        return route is Route.MESSAGES or (makes_batch and self._gate is not None)

    async def admit(
        self, asked: Asked, body: bytes | None, dims: dict[str, str], upstream: str, *, makes_batch: bool
    ) -> Hold | Refuse:
        """
        Let one call through, or say why not.

        A caller that is cancelled while it waits gives up its place.

        Args:
            asked: What it asks for.
            body: All of it; None where it is too long to be held.
            dims: Whom it belongs to.
            upstream: Whose rate limits it counts against there: a fingerprint or a name, never a key.
            makes_batch: Whether it is a Message Batch; those have rate limits of their own at the API.

        """
        turn: Turn | None = None
        if not makes_batch:
            prompt_tokens = len(body or b"") // _BYTES_PER_TOKEN
            facts = FlowFacts(dims, asked.model, prompt_tokens, asked.max_tokens, upstream, asked.speed or "standard")
            entered = await self._flow.enter(facts)
            if not isinstance(entered, Entered):
                self._metrics.count("farthing_limit_refusals_total", "rate")
                self._refusals.add(refusals.of_rate(entered, dims), None, self._now())
                return Refuse(entered.status, entered.error_type, entered.message, tuple(entered.headers))
            turn = entered.ticket
        admitted: Admitted | Refuse | None = None
        is_let_through = False
        try:
            if self._gate is not None:
                spends = await self._batch(body, dims) if makes_batch else self._call(self._gate, asked, body, dims)
                admitted = self._admitted(self._gate, spends)
            is_let_through = not isinstance(admitted, Refuse)
        finally:
            if turn is not None and not is_let_through:
                self._flow.undo(turn)
        return admitted if isinstance(admitted, Refuse) else Hold(self._gate, self._flow, turn, admitted)

    def _call(self, gate: Gate, asked: Asked, body: bytes | None, dims: dict[str, str]) -> GateFacts:
        model, worst, beside = asked.model, self._worst(body), frozenset[str]()
        if gate.by_model and body is not None:
            if (named := models_asked(body)) is not None:
                beside = named - {model}
            else:
                model, worst = "", worst if isinstance(worst, Unpriced) else _UNTOLD
        return GateFacts(dims, model, worst, dims.get("feature", ""), asked.stream, beside=tuple(sorted(beside)))

    async def _batch(self, body: bytes | None, dims: dict[str, str]) -> GateFacts:
        found = _TOO_LONG if body is None else await read_batch_asked(body, partial(self._worst, batch=True))
        if isinstance(found, Unpriced):
            return GateFacts(dims, "", found)
        model, *beside = sorted(found.models)
        feature = dims.get("feature", "")
        return GateFacts(dims, model, found.worst_pusd, feature, beside=tuple(beside), alone_pusd=found.dearest_pusd)

    def _worst(self, body: bytes | None, *, batch: bool = False) -> int | Unpriced:
        if body is None:
            return _TOO_LONG
        return worst_case(self._book, body, self._now(), default_geo=self._geo, batch=batch)

    def _admitted(self, gate: Gate, facts: GateFacts) -> Admitted | Refuse:
        now, worst = self._now(), facts.worst_pusd
        answer = gate.admit(facts, now)
        if isinstance(answer, Admitted):
            return answer
        # Handing a call to a cheaper model is a lever that is not there yet: until then such a budget refuses.
        refused = answer.refused if isinstance(answer, Degrade) else answer
        self._metrics.count("farthing_limit_refusals_total", refused.why)
        self._refusals.add(refusals.of_budget(refused, facts.dims), worst if isinstance(worst, int) else None, now)
        return Refuse(refused.status, refused.error_type, refused.message, tuple(refused.headers))

    # -- batches ------------------------------------------------------------------------------------------------------

    def batch_made(self, batch_id: str, hold: Hold) -> bool:
        """
        A batch was taken; what was reserved for it waits for its results, in whichever process they are read.

        Returns:
            Whether the store has it now; else it counts as a call without an outcome.

        """
        ticket = hold.hand_over()
        return self._gate is None or ticket is None or self._gate.pledge(ticket, _pledge(batch_id), self._now())

    def batch_billed(self, batch_id: str, pusd: int) -> None:
        """All results of a batch were read, and came to that."""
        if self._gate is None or self._gate.redeem(_pledge(batch_id), pusd):
            return
        if len(self._untold) < _UNTOLD_MAX:
            self._untold[batch_id] = pusd

    # -- beside calls -------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Share with other processes what was spent, and write down what was refused; about once a second."""
        self._refusals.tick(self._now())
        if self._gate is not None:
            self._gate.tick(self._now())
        for batch_id in list(self._untold)[:_TOLD_AT_ONCE]:
            self.batch_billed(batch_id, self._untold.pop(batch_id))

    def close(self) -> None:
        """Give everything back, but for calls that have no outcome; and write down what was refused."""
        if self._gate is not None:
            self._gate.close(self._now())
        self._refusals.close(self._now())

    def _reached(self, at: Threshold) -> None:
        self._metrics.count("farthing_budget_thresholds_total")
        whose = f" of {at.value}" if at.value else ""
        share = f"{float(at.share):.0%}"
        self._log(f"budget {at.budget}{whose}: {share} of ${usd_text(at.limit_pusd)} spent")

    def _store_failed(self, why: str) -> None:
        self._log(f"the store of budgets does not answer: {why}" if why else "the store of budgets answers again")


def _pledge(batch_id: str) -> str:
    """What the store of budgets calls a batch: ids come from the upstream, and this one is a file's name."""
    return hashlib.sha256(batch_id.encode()).hexdigest()[:40]


def _told(left: Left | None) -> Headers:
    if left is None:
        return []
    name = left.budget.encode("unicode_escape")
    told = [(b"x-farthing-budget", name), (b"x-farthing-budget-left-usd", usd_text(max(0, left.left_pusd)).encode())]
    if left.resets_at is not None:
        told.append((b"x-farthing-budget-resets", left.resets_at.strftime("%Y-%m-%dT%H:%M:%SZ").encode()))
    return told
