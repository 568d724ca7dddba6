"""
A light load generator: raw HTTP over asyncio, every answer checked. Reads its orders as JSON from standard input.

``{"what": "flood"}``: some connections, one call after another each, for some seconds: how many calls, how long each.
``{"what": "pace"}``: one call at a time at a fixed rate, turn by turn to each target: times to the first byte and to
the end.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any, NamedTuple, cast

import httptools
import shapes
import uvloop


class Target(NamedTuple):
    """Where calls go; *exact*: whether the answer's bytes must be the upstream's own."""

    port: int
    headers: dict[str, str]
    path: str
    exact: bool


class Answer(NamedTuple):
    """One answer, with seconds since its request was written."""

    status: int
    body: bytes
    first_s: float
    whole_s: float


class Caller(asyncio.Protocol):
    """One keep-alive connection that makes one call after another."""

    def __init__(self) -> None:
        self._done: asyncio.Future[Answer] | None = None
        self._pieces: list[bytes] = []
        self._sent_s = self._first_s = 0.0
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)

    def call(self, request: bytes) -> asyncio.Future[Answer]:
        """Send one request; the future is its answer."""
        self._parser = httptools.HttpResponseParser(self)
        self._pieces, self._first_s = [], 0.0
        self._done = asyncio.get_running_loop().create_future()
        self._sent_s = time.perf_counter()
        self._transport.write(request)
        return self._done

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer."""
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        """A piece of its body."""
        if not self._first_s:
            self._first_s = time.perf_counter()
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        """It is whole."""
        now_s = time.perf_counter()
        assert self._done is not None
        self.closed = not self._parser.should_keep_alive()
        if self.closed:
            self._transport.close()
        status, body = self._parser.get_status_code(), b"".join(self._pieces)
        self._done.set_result(Answer(status, body, (self._first_s or now_s) - self._sent_s, now_s - self._sent_s))

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended."""
        self.closed = True
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionError(f"the connection ended: {exc}"))


def request(target: Target, shape: shapes.Shape) -> bytes:
    """The whole request."""
    fields = {"host": f"127.0.0.1:{target.port}", "content-type": "application/json"}
    fields |= {"anthropic-version": "2023-06-01", "x-api-key": "sk-ant-bench", "accept": "application/json"}
    fields |= {**target.headers, "content-length": str(len(shape.body))}
    lines = [f"POST {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + shape.body


async def connect(target: Target) -> Caller:
    """A new connection."""
    _, caller = await asyncio.get_running_loop().create_connection(Caller, "127.0.0.1", target.port)
    return caller


async def _flood(orders: dict[str, Any]) -> dict[str, Any]:
    shape, target = shapes.SHAPES[orders["shape"]], Target(**orders["target"])
    data, end_s = request(target, shape), time.perf_counter() + orders["seconds"]
    first: list[float] = []
    wrong: list[str] = []

    async def one() -> None:
        caller = await connect(target)
        while time.perf_counter() < end_s and len(wrong) < 10:
            if caller.closed:
                caller = await connect(target)
            try:
                answer = await caller.call(data)
            except ConnectionError as error:
                wrong.append(str(error))
                continue
            if why := shapes.whats_wrong(shape, answer.status, answer.body, exact=target.exact):
                wrong.append(why)
            else:
                first.append(answer.first_s)

    started_s = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(orders["connections"])))
    return {"calls": len(first), "seconds": time.perf_counter() - started_s, "wrong": wrong}


async def _pace(orders: dict[str, Any]) -> dict[str, Any]:
    shape = shapes.SHAPES[orders["shape"]]
    targets = [Target(**target) for target in orders["targets"]]
    callers = [await connect(target) for target in targets]
    times: list[list[tuple[float, float]]] = [[] for _ in targets]
    wrong: list[str] = []
    next_s = time.perf_counter()
    for _ in range(orders["calls"]):
        for number, target in enumerate(targets):
            if callers[number].closed:
                callers[number] = await connect(target)
            answer = await callers[number].call(request(target, shape))
            if why := shapes.whats_wrong(shape, answer.status, answer.body, exact=target.exact):
                wrong.append(why)
            times[number].append((answer.first_s * 1000, answer.whole_s * 1000))
            next_s = max(next_s + orders["gap_s"], time.perf_counter())
            await asyncio.sleep(next_s - time.perf_counter())
    return {"times_ms": times, "wrong": wrong[:10]}


def main() -> None:
    orders = json.load(sys.stdin)
    work = {"flood": _flood, "pace": _pace}[orders["what"]]
    json.dump(uvloop.run(work(orders)), sys.stdout)


if __name__ == "__main__":
    main()
