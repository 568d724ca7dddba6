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
from farthing.gateway.addresses import ANSWER_BYTES_MAX, with_location_at, with_results_at
from farthing.gateway.asked import Asked, read_request
from farthing.gateway.client import ClientGone
from farthing.gateway.decide import Refused
from farthing.gateway.failures import Broken, UpstreamFault
from farthing.gateway.headers import first, for_client, for_upstream
from farthing.gateway.holding import Holding
from farthing.gateway.reading import Attempt, Reading
from farthing.gateway.retry import delay_s
from farthing.gateway.routes import Route
from farthing.gateway.wire import LAST_CHUNK, chunk, request_head
from farthing.money import usd_text

if TYPE_CHECKING:
    from farthing.gateway.client import Client
    from farthing.gateway.connection import Connection
    from farthing.gateway.content import Mode
    from farthing.gateway.decide import Forward
    from farthing.gateway.desk import Came, Desk
    from farthing.gateway.wire import ResponseReader
    from farthing.ledger.interface import Stored

_HELD_BYTES_MAX = 40 * 2**20
"""Longest Messages request that is read before it is sent; the API takes 32 MB (facts 7.5)."""
_JOINED_BYTES_MAX = 64 * 2**10
"""Up to here head and body go out in one write; a longer body is not copied for that."""


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
        self._forward = forward
        self._client = client
        self._metrics = desk.books.metrics
        self._connection: Connection | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._begun_s = time.perf_counter()
        self._held = b""
        self._held_counted = 0
        self._request: Request | None = None
        self._outcome: Stored | None = None
        self._is_free = True
        self._mode: Mode = "none"
        self._chunked = first(came.headers, b"transfer-encoding") is not None
        self._makes_batch = came.method == "POST" and came.path == "/v1/messages/batches"
        self._holding = Holding(
            desk.limiter, desk.books.recorder, came.entry, forward.route, makes_batch=self._makes_batch
        )

    async def run(self) -> None:
        """
        Forward it.

        Raises:
            UpstreamFault: No answer could be had; the client was told nothing yet.
            Refused: It may not be sent.
            ClientGone: The client left before anything was sent.

        """
        try:
            await self._run()
        finally:
            self._holding.end(self._outcome, is_free=self._is_free)
            self._client.unwatch()
            self._desk.held.bytes -= self._held_counted
            self._desk.drain.end(self._deadline)

    async def _run(self) -> None:
        asked = await self._read()
        self.model = asked.model
        if self._came.check is not None:
            refusal = self._came.check(self._held, self._client.body_complete)
            if refusal is not None:
                raise Refused(refusal)
        dims = self._came.dims_of(asked)
        if self._came.content_of is not None and self._forward.route is Route.MESSAGES:
            self._mode = self._came.content_of(asked)
        await self._admit(asked, dims)
        for number in range(1, self._forward.attempts_max + 1):
            is_last = number == self._forward.attempts_max or not self._client.body_complete
            attempt = self._attempt(number, asked, dims)
            if (wait_s := await self._try(attempt, number, is_last=is_last)) is None:
                return
            self._metrics.count("farthing_retries_total")
            await asyncio.sleep(wait_s)
            if self._client.gone:
                return

    async def _admit(self, asked: Asked, dims: dict[str, str]) -> None:
        if self._holding.is_limited:
            waited_s = time.perf_counter()
            body = self._held if self._client.body_complete else None
            whose = self._came.upstream or dims.get("api_key", "")
            await self._holding.admit(asked, body, dims, whose, self._desk.now())
            self._begun_s += time.perf_counter() - waited_s

    async def _read(self) -> Asked:
        """Hold a request that has to be read, as long as there is room; of all others only what has come anyway."""
        if self._forward.route is not Route.MESSAGES and self._came.check is None and not self._holding.is_limited:
            self._held = await self._client.body()
        else:
            self._held = await self._client.held_body(self._desk.held.room(_HELD_BYTES_MAX))
        self._begun_s = time.perf_counter()
        self._held_counted = len(self._held)
        self._desk.held.bytes += self._held_counted
        if self._client.body_complete:
            self._client.watch(self._client_left)
        if self._forward.route is not Route.MESSAGES:
            return Asked()
        if not self._client.body_complete:
            self._metrics.count("farthing_metering_failures_total", "request too long to read")
            return Asked()
        return read_request(self._held)

    def _attempt(self, number: int, asked: Asked, dims: dict[str, str]) -> Attempt:
        billed = self._forward.route is Route.MESSAGES
        name = self._came.entry if number == 1 else f"{self._came.entry}.{number}"
        return Attempt(
            entry=name if billed else "",
            sent_at=self._desk.now(),
            route=self._forward.route,
            model=asked.model,
            path=self._came.path,
            dims=dims if number == 1 else {**dims, "attempt": str(number)},
            begun_s=time.monotonic(),
        )

    async def _try(self, attempt: Attempt, number: int, *, is_last: bool) -> float | None:
        """One attempt; seconds until the next one, None where there is none to come."""
        recorder = self._desk.books.recorder
        if attempt.entry:
            recorder.begin(attempt.entry, attempt.sent_at, attempt.model, self._holding.reserved)
        try:
            response = await self._answer()
        except (UpstreamFault, ClientGone) as fault:
            sent = fault.sent if isinstance(fault, UpstreamFault) else self._connection is not None
            self._give_back()
            self._is_free = not sent
            if attempt.entry and sent:
                recorder.unknown(attempt.entry)
            elif attempt.entry:
                recorder.free(attempt.entry, "it was never sent")
            wait_s = None if is_last or sent or self._client.gone else delay_s(number, 0, [], random.random)
            if wait_s is None:
                raise
            return wait_s
        except BaseException:
            self._is_free = False
            self._give_back()
            if attempt.entry:
                recorder.unknown(attempt.entry)
            raise
        status, fields = response.status, response.fields
        self._is_free = not 200 <= status < 300
        self._holding.observe(status, fields)
        reading = Reading(self._desk.books, attempt, status, fields, self._request)
        wait_s = None if is_last or self._client.gone else delay_s(number, status, fields, random.random)
        if wait_s is not None:
            reading.settle(whole=True)
            self._give_back()
            return wait_s
        await self._pass_on(response, reading)
        return None

    # -- towards the upstream -------------------------------------------------------------------------------------

    async def _answer(self) -> ResponseReader:
        """Send the request, on a second connection if an idle one turns out to be dead, and wait for the head."""
        try:
            return await self._ask(fresh=False)
        except Broken as fault:
            connection = self._connection
            stale = connection is not None and connection.used and not fault.answered
            if not stale or self._client.gone or not self._client.body_complete:
                raise
        self._give_back()
        return await self._ask(fresh=True)

    async def _ask(self, *, fresh: bool) -> ResponseReader:
        waited_s = time.perf_counter()
        connection = await self._desk.pool.connection(fresh=fresh)
        self._begun_s += time.perf_counter() - waited_s
        self._connection = connection
        if self._client.gone:
            self._desk.pool.give_back(connection)
            self._connection = None
            raise ClientGone
        response = connection.begin(to_head=self._came.method == "HEAD")
        self._send(connection)
        sent_s = time.perf_counter()
        self.overhead_s = sent_s - self._begun_s
        self._read_prompt()
        if not self._client.body_complete:
            await self._send_rest(connection, response)
        await connection.head()
        self._begun_s = time.perf_counter()
        return response

    def _read_prompt(self) -> None:
        """Now that it is sent and the upstream works: what the request asked for, once."""
        if self._request is None and self._forward.route is Route.MESSAGES and self._client.body_complete:
            asked = Request(model=self.model)
            self._request = self._desk.fingerprinter.request(self._held) or asked

    def _send(self, connection: Connection) -> None:
        came, to = self._came, self._desk.pool.upstream
        metered = self._forward.route is not Route.OTHER
        headers = for_upstream(came.headers, to.authority, metered=metered)
        head = request_head(came.method.encode(), to.prefix + came.target, headers)
        body = chunk(self._held) if self._chunked and self._held else self._held
        end = LAST_CHUNK if self._chunked and self._client.body_complete else b""
        if len(body) < _JOINED_BYTES_MAX:
            connection.write(head + body + end)
        else:
            for piece in (head, body, end):
                connection.write(piece)

    async def _send_rest(self, connection: Connection, response: ResponseReader) -> None:
        """Pass the body on as it comes, until the upstream has heard enough to answer."""
        while not self._client.body_complete and not response.status and not connection.closed:
            piece = await self._client.body()
            if piece:
                connection.write(chunk(piece) if self._chunked else piece)
                await connection.drain()
        if self._client.body_complete:
            if self._chunked:
                connection.write(LAST_CHUNK)
            self._client.watch(self._client_left)

    def _give_back(self) -> None:
        if self._connection is not None:
            self._desk.pool.give_back(self._connection)
            self._connection = None

    # -- towards the client ---------------------------------------------------------------------------------------

    async def _pass_on(self, response: ResponseReader, reading: Reading) -> None:
        whole = False
        if self._mode != "none" and self._desk.content is not None:
            reading.keep(self._desk.content, self._mode, self._held if self._client.body_complete else None)
        try:
            if self._came.origin is not None and self._forward.route is Route.BATCH and 200 <= response.status < 300:
                early = await self._readdress(response, reading, self._came.origin)
            else:
                early = await self._price_early(response, reading)
            self._start(response)
            whole = await self._relay(early, reading)
        finally:
            if not self._client.body_complete and self._connection is not None:
                self._connection.abort()  # half a request: nothing more can follow it
            self._give_back()
            stored = reading.settle(whole=whole, left=self.left)
            self._note(stored)
            reading.end_content(self._outcome, whole=whole)
        if self._makes_batch:
            self._holding.hand_over(reading.batch_made())
        if whole and self._forward.route is Route.BATCH and (batch_id := reading.batch_to_fetch()) is not None:
            self._desk.collect(batch_id, self._came.headers, self._came.dims_of(Asked()))
        if whole:
            self._client.end()

    async def _price_early(self, response: ResponseReader, reading: Reading) -> bytes:
        """Where a whole message is there with its head, price it before its head is sent: that delays nothing."""
        if not (response.complete and reading.is_message and response.status and self._connection is not None):
            return b""
        body = await self._connection.body()
        reading.feed(body)
        stored = reading.settle(whole=True, left=self.left)
        self._note(stored)
        return body

    async def _readdress(self, response: ResponseReader, reading: Reading, origin: bytes) -> bytes:
        """Hold an answer about batches and point its addresses to us; what cannot be read fails, nothing slips by."""
        assert self._connection is not None
        named = dict(response.fields)
        if named.get(b"content-encoding", b"identity").strip().lower() != b"identity":
            raise Broken("the upstream packed an answer that has to be rewritten", answered=True)
        pieces, size = [], 0
        while data := await self._connection.body():
            reading.feed(data)
            pieces.append(data)
            size += len(data)
            if size > ANSWER_BYTES_MAX:
                raise Broken("the upstream's answer is too long to be rewritten", answered=True)
        body = with_results_at(b"".join(pieces), origin, self._desk.pool.upstream.prefix)
        if b"content-length" in named:
            length, both = b"%d" % len(body), zip(response.headers, response.fields, strict=True)
            response.headers = [
                (name, length if field == b"content-length" else value) for (name, value), (field, _) in both
            ]
        return body

    def _note(self, stored: Stored | None) -> None:
        if stored is not None:
            self._outcome, posted = stored, stored.posting.list_pusd
            self.usd = "" if posted is None else usd_text(posted)

    def _start(self, response: ResponseReader) -> None:
        self.status = response.status
        self.overhead_s += time.perf_counter() - self._begun_s
        headers = for_client(response.headers, response.fields)
        if self._came.origin is not None:
            headers = with_location_at(headers, self._came.origin, self._desk.pool.upstream.prefix)
        headers.append((b"x-farthing-call-id", self._came.entry.encode()))
        headers.append((b"x-farthing-overhead-ms", b"%.2f" % (self.overhead_s * 1000)))
        if self._outcome is not None:
            headers.append((b"x-farthing-cache", _cache_verdict(self._outcome)))
        if self.usd:
            headers.append((b"x-farthing-cost-usd", self.usd.encode()))
        headers += self._holding.headers()
        self._metrics.count("farthing_overhead_seconds_total", more=self.overhead_s)
        self._client.start(self.status, headers)

    async def _relay(self, early: bytes, reading: Reading) -> bool:
        """Pass the body on, piece by piece as it comes; True where it came to its end."""
        client, feed = self._client, reading.feed

        def take(data: bytes) -> bool:
            wants_more = client.write(data)
            feed(data)
            return wants_more

        assert self._connection is not None
        client.write(early)
        try:
            while not await self._connection.pass_to(take):
                await client.drained()
        except UpstreamFault as fault:
            if not self.left:
                self._metrics.count("farthing_upstream_faults_total", type(fault).__name__)
            return False
        return True

    def _client_left(self) -> None:
        """Decide what happens to an answer that nobody reads: it is drained if there is room, or else aborted."""
        if self.left or (self.status and self._connection is None):
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
        if self._connection is not None:
            self._connection.abort()


def _cache_verdict(stored: Stored) -> bytes:
    """What the prompt cache did for a call, in tokens."""
    usage = stored.call.served.usage
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    return b"read=%d; written=%d; uncached=%d" % (usage.cache_read_tokens, written, usage.input_tokens)
