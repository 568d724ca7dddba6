"""
One request through the gateway: the only part that awaits both sides.

The order is what makes it safe: read the request, write down that a call begins, send it, pass the answer on while
reading along, write down what it came to. Whoever breaks it off, and wherever, the last step is reached.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

from farthing.call import Request
from farthing.gateway.addresses import with_location_at
from farthing.gateway.asked import Asked, read_request
from farthing.gateway.asking import Asking
from farthing.gateway.client import ClientGone
from farthing.gateway.decide import Refused
from farthing.gateway.failures import UpstreamFault
from farthing.gateway.headers import for_client, from_us
from farthing.gateway.holding import Holding
from farthing.gateway.readdress import readdressed
from farthing.gateway.reading import Attempt, Reading
from farthing.gateway.retry import delay_s
from farthing.gateway.routes import Route
from farthing.money import usd_text

if TYPE_CHECKING:
    from farthing.gateway.client import Client
    from farthing.gateway.content import Mode
    from farthing.gateway.decide import Forward
    from farthing.gateway.desk import Came, Desk
    from farthing.gateway.wire import ResponseReader
    from farthing.ledger.interface import Stored

_HELD_BYTES_MAX = 40 * 2**20
"""Longest Messages request that is read before it is sent; the API takes 32 MB (facts 7.5)."""
_CHECKED_AT_ONCE_BYTES = 512 * 2**10
"""A longer one, such as a batch, is judged in a thread: it takes up to a second, and others wait for none of it."""


class Exchange:
    """
    One request and its answer.

    Attributes:
        status: What the client was answered; 0 before that.
        overhead_s: Time spent in the gateway itself until the answer's head, neither waiting for client nor upstream.
        usd: What the call was posted at, at list, as a decimal number; empty where that is not known.
        left: ``drained`` or ``aborted`` where the client left; else empty.
        model: What was asked for.

    """

    def __init__(self, desk: Desk, came: Came, forward: Forward, client: Client) -> None:
        self.status = 0
        self.overhead_s = 0.0
        self.usd = ""
        self.left = ""
        self.model = ""
        self._desk = desk
        self._came = came
        self._route = forward.route
        self._attempts_max = forward.attempts_max
        self._client = client
        self._metrics = desk.books.metrics
        self._deadline: asyncio.TimerHandle | None = None
        self._begun_s = time.perf_counter()
        self._held = b""
        self._asked = Asked()
        self._request: Request | None = None
        self._outcome: Stored | None = None
        self._is_free = True
        self._mode: Mode = "none"
        self._makes_batch = came.method == "POST" and came.path == "/v1/messages/batches"
        self._holding = Holding(
            desk.limiter, desk.books.recorder, came.entry, forward.route, makes_batch=self._makes_batch
        )
        metered = forward.route is not Route.OTHER
        self._asking = Asking(desk.pool, client, came, metered=metered)

    async def run(self) -> None:
        """
        Forward it.

        Raises:
            UpstreamFault: No answer could be had; the client was told nothing yet.
            Refused: It may not be sent.
            ClientGone: The client left before anything was sent.

        """
        try:
            await self._read()
            dims = self._came.dims_of(self._asked)
            if self._came.content_of is not None and self._route is Route.MESSAGES:
                self._mode = self._came.content_of(self._asked)
            if self._holding.is_limited:
                await self._admit(dims)
            number = 1
            while (wait_s := await self._try(number, dims)) is not None:
                self._metrics.count("farthing_retries_total")
                await asyncio.sleep(wait_s)
                if self._client.gone:
                    return
                number, self._begun_s = number + 1, time.perf_counter()
        finally:
            self._holding.end(self._outcome, is_free=self._is_free)
            self._client.unwatch()
            self._desk.held.bytes -= len(self._held)
            self._desk.drain.end(self._deadline)

    async def _read(self) -> None:
        """Hold a request that has to be read, as long as there is room; of all others only what has come anyway."""
        came, client = self._came, self._client
        if self._route is not Route.MESSAGES and came.check is None and not self._holding.is_limited:
            held = await client.body()
        else:
            held = await client.held_body(self._desk.held.room(_HELD_BYTES_MAX))
        self._begun_s = time.perf_counter()
        self._held = held
        self._desk.held.bytes += len(held)
        if client.body_complete:
            self.all_came()
        if self._route is Route.MESSAGES:
            if client.body_complete:
                self._asked = read_request(held)
                self.model = self._asked.model
            else:
                self._metrics.count("farthing_metering_failures_total", "request too long to read")
        if came.check is not None:
            if len(held) < _CHECKED_AT_ONCE_BYTES:
                refusal = came.check(held, client.body_complete)
            else:
                refusal = await asyncio.to_thread(came.check, held, client.body_complete)
            if refusal is not None:
                raise Refused(refusal)

    async def _admit(self, dims: dict[str, str]) -> None:
        waited_s = time.perf_counter()
        body = self._held if self._client.body_complete else None
        whose = self._came.upstream or dims.get("api_key", "")
        await self._holding.admit(self._asked, body, dims, whose, self._desk.now())
        self._begun_s += time.perf_counter() - waited_s

    # -- towards the upstream -------------------------------------------------------------------------------------

    async def _try(self, number: int, dims: dict[str, str]) -> float | None:
        """One attempt; seconds until the next one, None where there is none to come."""
        recorder, asking, client = self._desk.books.recorder, self._asking, self._client
        attempt = self._attempt(number, dims)
        is_last = number == self._attempts_max or not client.body_complete
        if attempt.entry:
            recorder.begin(attempt.entry, attempt.sent_at, attempt.model, self._holding.reserved)
        try:
            response = await asking.answer(self._held, self)
        except (UpstreamFault, ClientGone) as fault:
            sent = fault.sent if isinstance(fault, UpstreamFault) else asking.connection is not None
            asking.give_back()
            self._is_free = not sent
            if attempt.entry and sent:
                recorder.unknown(attempt.entry)
            elif attempt.entry:
                recorder.free(attempt.entry, "it was never sent")
            wait_s = None if is_last or sent or client.gone else delay_s(number, 0, [], random.random)
            if wait_s is None:
                raise
            return wait_s
        except BaseException:
            self._is_free = False
            asking.give_back()
            if attempt.entry:
                recorder.unknown(attempt.entry)
            raise
        self._begun_s = time.perf_counter()
        self._is_free = not 200 <= response.status < 300
        self._holding.observe(response.status, response.fields)
        reading = Reading(self._desk.books, attempt, response.status, response.named, self._request)
        wait_s = None if is_last or client.gone else delay_s(number, response.status, response.fields, random.random)
        if wait_s is not None:
            reading.settle(whole=True)
            asking.give_back()
            return wait_s
        await self._pass_on(response, reading)
        return None

    def _attempt(self, number: int, dims: dict[str, str]) -> Attempt:
        name = self._came.entry if number == 1 else f"{self._came.entry}.{number}"
        return Attempt(
            entry=name if self._route is Route.MESSAGES else "",
            sent_at=self._desk.now(),
            route=self._route,
            model=self.model,
            path=self._came.path,
            dims=dims if number == 1 else {**dims, "attempt": str(number)},
            begun_s=time.monotonic(),
        )

    def sent(self) -> None:
        """Now that it is sent and the upstream works: what the request asked for, once."""
        self.overhead_s = time.perf_counter() - self._begun_s - self._asking.waited_s
        if self._request is None and self._route is Route.MESSAGES and self._client.body_complete:
            asked = Request(model=self.model)
            self._request = self._desk.fingerprinter.request(self._asked.whole, self._held) or asked

    # -- towards the client ---------------------------------------------------------------------------------------

    async def _pass_on(self, response: ResponseReader, reading: Reading) -> None:
        whole = False
        if self._mode != "none" and self._desk.content is not None:
            reading.keep(self._desk.content, self._mode, self._held if self._client.body_complete else None)
        try:
            self._start(response, await self._early(response, reading))
            whole = await self._relay(response, reading)
        finally:
            if not self._client.body_complete:
                self._asking.abort()  # half a request: nothing more can follow it
            self._asking.give_back()
            self._note(reading.settle(whole=whole, left=self.left))
            reading.end_content(self._outcome, whole=whole)
        if self._makes_batch:
            self._holding.hand_over(reading.batch_made())
        if whole and self._route is Route.BATCH and (batch_id := reading.batch_to_fetch()) is not None:
            self._desk.collect(batch_id, self._came.headers, self._came.dims_of(Asked()))
        if whole:
            self._client.end()

    async def _early(self, response: ResponseReader, reading: Reading) -> bytes:
        """
        What of the body is read before the head goes out.

        A whole message that came with its head is priced first, which delays nothing; an answer about batches is held.
        """
        connection, origin = self._asking.connection, self._came.origin
        assert connection is not None
        if origin is not None and self._route is Route.BATCH and 200 <= response.status < 300:
            body = await readdressed(connection, response, origin, self._desk.pool.upstream.prefix)
            reading.feed(body)
        elif response.complete and reading.is_message:
            body = connection.take()
            reading.feed(body)
            self._note(reading.settle(whole=True, left=self.left))
        else:
            body = b""
        return body

    def _note(self, stored: Stored | None) -> None:
        if stored is not None:
            self._outcome, posted = stored, stored.posting.list_pusd
            self.usd = "" if posted is None else usd_text(posted)

    def _start(self, response: ResponseReader, early: bytes) -> None:
        self.status = response.status
        self.overhead_s += time.perf_counter() - self._begun_s
        self._metrics.count("farthing_overhead_seconds_total", more=self.overhead_s)
        headers = for_client(response)
        if self._came.origin is not None:
            headers = with_location_at(headers, self._came.origin, self._desk.pool.upstream.prefix)
        headers += from_us(self._came.entry, self.overhead_s, self._outcome, self.usd)
        headers += self._holding.headers()
        self._client.start(self.status, headers, early)

    async def _relay(self, response: ResponseReader, reading: Reading) -> bool:
        """Pass the body on, piece by piece as it comes; True where it came to its end."""
        if response.complete and not response.body:
            return True
        connection, client, feed = self._asking.connection, self._client, reading.feed
        assert connection is not None

        def take(data: bytes) -> bool:
            wants_more = client.write(data)
            feed(data)
            return wants_more

        try:
            while not await connection.pass_to(take):
                await client.drained()
        except UpstreamFault as fault:
            if not self.left:
                self._metrics.count("farthing_upstream_faults_total", type(fault).__name__)
            return False
        return True

    # -- a client that leaves -------------------------------------------------------------------------------------

    def all_came(self) -> None:
        """The request is whole, so that what the client says from now on is that it leaves."""
        self._client.watch(self._client_left)

    def _client_left(self) -> None:
        """Decide what happens to an answer that nobody reads: it is drained if there is room, or else aborted."""
        if self.left or (self.status and self._asking.connection is None):
            return
        if self._holding.leave():
            return
        self.left = "drained"
        self._deadline = self._desk.drain.begin(self._abort)
        if self._deadline is None:
            self._abort()
        self._metrics.count("farthing_client_left_total", self.left)

    def _abort(self) -> None:
        self.left = "aborted"
        self._asking.abort()
