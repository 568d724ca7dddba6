"""Fetches the results of ended batches for their counts: see :mod:`farthing.gateway.batches`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from farthing.gateway.failures import UpstreamFault
from farthing.gateway.headers import for_upstream
from farthing.gateway.reading import Attempt, Reading
from farthing.gateway.routes import Route
from farthing.gateway.wire import request_head

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from farthing.gateway.pool import Pool
    from farthing.gateway.reading import Books
    from farthing.gateway.wire import Headers

_PASSED = frozenset(
    {b"x-api-key", b"authorization", b"anthropic-version", b"anthropic-beta", b"anthropic-workspace-id", b"user-agent"}
)
_AT_ONCE, _WAITING_MAX = 4, 1_000


class Collector:
    """
    A bounded number of downloads in the background.

    Args:
        pool: Connections to the upstream.
        books: Where the results go.
        now: The time; aware, UTC.

    """

    def __init__(self, pool: Pool, books: Books, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._books = books
        self._now = now
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def collect(self, batch_id: str, headers: Headers, dims: dict[str, str]) -> None:
        """Fetch the results of one batch, unless that is under way or too many wait."""
        if batch_id in self._tasks or len(self._tasks) >= _WAITING_MAX:
            return
        passed = [(name, value) for name, value in headers if name in _PASSED]
        task = asyncio.get_running_loop().create_task(
            self._fetch(batch_id, passed, dims), name=f"gateway: results of {batch_id}"
        )
        self._tasks[batch_id] = task
        task.add_done_callback(lambda _done: self._tasks.pop(batch_id, None))

    async def close(self, timeout_s: float) -> None:
        """Let downloads end, or end them after *timeout_s*."""
        if self._tasks:
            _, late = await asyncio.wait(tuple(self._tasks.values()), timeout=timeout_s)
            for task in late:
                task.cancel()

    async def _fetch(self, batch_id: str, headers: Headers, dims: dict[str, str]) -> None:
        async with self._turns:
            try:
                whole = await self._read(batch_id, headers, dims)
            except UpstreamFault:
                whole = False
        if not whole:
            self._books.metrics.count("farthing_metering_failures_total", "batch results")

    async def _read(self, batch_id: str, headers: Headers, dims: dict[str, str]) -> bool:
        to, path = self._pool.upstream, f"/v1/messages/batches/{batch_id}/results"
        head = request_head(b"GET", to.prefix + path.encode(), for_upstream(headers, to.authority, metered=True))
        attempt = Attempt(entry="", sent_at=self._now(), route=Route.BATCH_RESULTS, model="", path=path, dims=dims)
        connection = await self._pool.connect()
        try:
            connection.begin(to_head=False)
            connection.write(head)
            response = await connection.head()
            reading = Reading(self._books, attempt, response.status, response.named)
            while data := await connection.body():
                reading.feed(data)
            reading.settle(whole=True)
            return response.status == 200
        finally:
            self._pool.give_back(connection)
