"""
A stub upstream, quick enough not to be what is measured: pinned answers, events sent 5 ms apart.

    python bench/gateway/upstream.py [--cert FILE --key FILE] [--events N --gap-ms MS]

Prints its port. It counts bodies and looks for one word in them; nothing else is read.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys
import time
from typing import cast

import httptools
import shapes
import uvloop

_JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_01BenchBenchBenchBench01\r\n"
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
_HEAD += b"request-id: req_01BenchBenchBenchBench01\r\ntransfer-encoding: chunked\r\n\r\n"
_WHOLE = _JSON + b"content-length: %d\r\n\r\n" % len(shapes.MESSAGE) + shapes.MESSAGE


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Stub(asyncio.Protocol):
    """
    One connection.

    Args:
        stamped: How many deltas a stream has, each stating when it was sent; 0: the pinned stream.
        gap_s: Time between two events.

    """

    def __init__(self, stamped: int, gap_s: float) -> None:
        self._stamped = stamped
        self._gap_s = gap_s
        self._parser = httptools.HttpRequestParser(self)
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        """A piece of its body."""
        self._body += data

    def on_message_complete(self) -> None:
        """It is whole: answer it."""
        stream = shapes.wants_stream(self._body)
        self._body.clear()
        if not stream:
            self._transport.write(_WHOLE)
        else:
            self._transport.write(_HEAD)
            self._next(0, asyncio.get_running_loop().time())

    def _next(self, number: int, started_s: float) -> None:
        if self._transport.is_closing():
            return
        total = self._stamped + 5 if self._stamped else len(shapes.EVENTS)
        if number == total - 1:
            self._transport.write(_chunk(shapes.EVENTS[-1]) + b"0\r\n\r\n")
            return
        self._transport.write(_chunk(self._event(number, total)))
        at = started_s + (number + 1) * self._gap_s
        asyncio.get_running_loop().call_at(at, self._next, number + 1, started_s)

    def _event(self, number: int, total: int) -> bytes:
        if not self._stamped:
            return shapes.EVENTS[number]
        if number < 2:
            return shapes.EVENTS[number]
        if number >= total - 3:
            return shapes.EVENTS[number - total]
        return shapes.stamped(time.monotonic_ns())


async def _serve(options: argparse.Namespace) -> None:
    context = None
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
    loop = asyncio.get_running_loop()
    gap_s = options.gap_ms / 1000
    server = await loop.create_server(
        lambda: Stub(options.events, gap_s), "127.0.0.1", 0, ssl=context, backlog=1024, reuse_address=True
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cert", help="certificate chain, for TLS")
    parser.add_argument("--key", help="its key")
    parser.add_argument("--events", type=int, default=0, help="events of a stream that state when they were sent")
    parser.add_argument("--gap-ms", type=float, default=shapes.EVENT_GAP_S * 1000, help="time between two events")
    uvloop.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
