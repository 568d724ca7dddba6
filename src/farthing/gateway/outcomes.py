"""
``POST /v1/outcomes``: what came of calls is read, written down and answered here, and goes no further.

Reading shares the event loop with calls: one body at a time, a few outcomes per turn. Writing is a thread's: what came
while it wrote a file goes into the next one, so a disk that is slow to sync makes larger files and not longer queues.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.errors import BadInput, LedgerFault
from farthing.gateway.decide import Refuse
from farthing.gateway.headers import first
from farthing.ledger.outcome_spool import Spool, line
from farthing.sources.outcome_intake import BODY_BYTES_MAX, NotRead, answer, read_value, values_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from farthing.gateway.client import Client
    from farthing.gateway.metrics import Metrics
    from farthing.gateway.wire import Headers

_POSTS_MAX = 1_000
_HELD_BYTES_MAX = 64 * 2**20
"""Bodies under way at once, over all senders."""
_AT_ONCE = 20
"""Outcomes read before others have their turn: a third of a millisecond."""
_FILE_OUTCOMES_MAX = 10_000
_CLOSE_S_MAX = 10.0
_RETRY_AFTER = (b"retry-after", b"10")
_KINDS = {413: "request_too_large", 503: "api_error"}


class Told(NamedTuple):
    """What a sender is answered, and how many outcomes it told that are kept."""

    status: int
    body: bytes
    accepted: int


class OutcomeDesk:
    """
    Takes outcomes, for one process.

    Args:
        folder: Where they are written; made with the first one.
        metrics: Where they are counted.
        now: The time; aware, UTC.
        log: Gets one line when they cannot be written, and when they can again.

    Attributes:
        under_way: Requests that are being read or written.

    """

    def __init__(self, folder: Path, metrics: Metrics, now: Callable[[], datetime], log: Callable[[str], None]) -> None:
        self.under_way = 0
        self._spool = Spool(folder)
        self._metrics = metrics
        self._now = now
        self._log = log
        self._turn = asyncio.Lock()
        self._held_bytes = 0
        self._waiting: deque[tuple[list[bytes], asyncio.Future[str]]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="farthing outcomes")
        self._said = ""

    async def take(self, client: Client, headers: Headers, tenant: str | None) -> Told | Refuse:
        """
        Read outcomes and keep them: they are on the disk when this returns.

        Args:
            client: Whose body they are.
            headers: Names in lower case.
            tenant: Whose outcomes the client may tell; None: anybody's.

        Raises:
            ClientGone: It left, or sent nothing for too long.

        """
        if (refusal := _unreadable(headers)) is not None:
            return refusal
        if self.under_way >= _POSTS_MAX:
            return _refuse(503, "too many tell of outcomes at once; send them again later")
        body = bytearray()
        self.under_way += 1
        try:
            while not client.body_complete:
                piece = await client.body()
                body += piece
                self._held_bytes += len(piece)
                if len(body) > BODY_BYTES_MAX:
                    break
                if self._held_bytes > _HELD_BYTES_MAX:
                    return _refuse(503, "too many outcomes come at once; send them again later")
            return await self._keep_all(bytes(body), headers, tenant)
        finally:
            self._held_bytes -= len(body)
            self.under_way -= 1

    async def close(self) -> None:
        """Let what is being written be written."""
        if self._writer is not None:
            await asyncio.wait([self._writer], timeout=_CLOSE_S_MAX)
        self._thread.shutdown(wait=False)

    async def _keep_all(self, body: bytes, headers: Headers, tenant: str | None) -> Told | Refuse:
        lines: list[bytes] = []
        errors: list[tuple[int, BadInput]] = []
        async with self._turn:
            received_at = self._now()
            values = values_of(body, (first(headers, b"content-type") or b"").decode("latin-1"))
            if isinstance(values, NotRead):
                return _refuse(values.status, values.why)
            for index, value in enumerate(values):
                if index % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.sleep(0)
                read = read_value(value, received_at=received_at, tenant=tenant)
                if isinstance(read, BadInput):
                    errors.append((index, read))
                else:
                    lines.append(line(read))
        if lines and (why := await self._kept(lines)):
            return _refuse(503, f"{why}; nothing of this request is kept, send it again later")
        self._metrics.count("farthing_outcomes_total", "accepted", len(lines))
        self._metrics.count("farthing_outcomes_total", "refused", len(errors))
        status, said = answer(len(lines), errors)
        return Told(status, msgspec.json.encode(said), len(lines))

    async def _kept(self, lines: list[bytes]) -> str:
        """Wait until they are on the disk; why they are not, or nothing."""
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((lines, done))
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write(), name="gateway: outcomes to the disk")
        return await done

    async def _write(self) -> None:
        while self._waiting:
            group: list[bytes] = []
            posts: list[asyncio.Future[str]] = []
            while self._waiting and (not group or len(group) + len(self._waiting[0][0]) <= _FILE_OUTCOMES_MAX):
                lines, done = self._waiting.popleft()
                group += lines
                posts.append(done)
            why = await self._put(group)
            for done in posts:
                if not done.done():  # its request was ended
                    done.set_result(why)
        self._writer = None

    async def _put(self, group: list[bytes]) -> str:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._spool.put, group)
        except LedgerFault as fault:
            why = str(fault)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not leave senders waiting
            why = f"outcomes cannot be written: {type(error).__name__}, a defect of farthing"
        else:
            why = ""
        if why != self._said:
            self._log(why or "outcomes are taken again")
            self._said = why
        return why


def _unreadable(headers: Headers) -> Refuse | None:
    """Why a body will not be read, as far as its head tells."""
    if (first(headers, b"content-encoding") or b"identity").strip().lower() != b"identity":
        return _refuse(415, "read a content-encoding; send the body as it is")
    if first(headers, b"ce-specversion") is not None:
        return _refuse(415, "read a CloudEvent in binary mode; send it in structured mode or as a batch")
    length = first(headers, b"content-length") or b"0"
    if length.strip().isdigit() and int(length[:20]) > BODY_BYTES_MAX:
        return _refuse(413, f"read more than {BODY_BYTES_MAX:,} bytes; send several bodies")
    return None


def _refuse(status: int, why: str) -> Refuse:
    more = (_RETRY_AFTER,) if status == 503 else ()
    return Refuse(status, _KINDS.get(status, "invalid_request_error"), f"farthing: {why}", more)
