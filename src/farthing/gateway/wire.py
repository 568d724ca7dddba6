"""
HTTP/1.1 towards the upstream, without I/O: a request head to bytes, bytes to a response.

Bodies are opaque: what is forwarded is what came. Framing (content-length or chunks) is the only thing that is read and
written anew, as RFC 9112 asks of anything between two connections.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import httptools

from farthing.gateway.failures import Broken

if TYPE_CHECKING:
    from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]
"""Names and values in the order in which they came, repeated ones too."""

HEAD_BYTES_MAX = 256 * 2**10
"""Longest head of a response that is read."""

LAST_CHUNK = b"0\r\n\r\n"


def request_head(method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The head of a request, blank line included."""
    return b"\r\n".join([b"%b %b HTTP/1.1" % (method, target), *map(b": ".join, headers), b"", b""])


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; *data* is not empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class ResponseReader:
    """
    One response, read from bytes as they come.

    Args:
        to_head: Whether the request was a HEAD, whose answer has no body whatever its headers say.

    Attributes:
        started: Whether any byte came. status: 0 until the final head is there (1xx answers are passed over).
        headers: Of the final head. fields: the same, names in lower case. named: the first value of each of them.
        keep_alive: Whether the connection may be used again once it is complete.
        complete: Whether the whole body is there.
        body: Pieces of the body that nobody took yet.

    """

    def __init__(self, *, to_head: bool = False) -> None:
        self.started = False
        self.status = 0
        self.headers: Headers = []
        self.fields: Headers = []
        self.named: dict[bytes, bytes] = {}
        self.keep_alive = False
        self.complete = False
        self.body: deque[bytes] = deque()
        self.body_bytes = 0
        self._to_head = to_head
        self._head_bytes = 0
        self._until_eof = False
        self._interim = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """
        Take the next bytes.

        Raises:
            Broken: They are no HTTP response, or go on after its end.

        """
        if self.complete:
            raise Broken("the upstream sent more than one response", answered=True)
        self.started = True
        if not self.status:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self.complete:
                raise Broken("the upstream's answer is no HTTP", answered=True) from None
            self.keep_alive = False
        if self.complete:
            del self._parser  # it knows us: together we would wait for the collector
        if not self.status and self._head_bytes > HEAD_BYTES_MAX:
            raise Broken("the upstream's answer has a head without end", answered=True)

    def end(self) -> None:
        """
        The connection ended.

        Raises:
            Broken: In the middle of the response, or before it.

        """
        if self.complete:
            return
        if self.status and self._until_eof:
            self.complete = True
            return
        where = "in the middle of its answer" if self.started else "before it answered"
        raise Broken(f"the upstream closed the connection {where}", answered=self.started)

    def take(self) -> bytes:
        """Everything of the body that is there; empty for nothing."""
        if not self.body:
            return b""
        data = self.body[0] if len(self.body) == 1 else b"".join(self.body)
        self.body.clear()
        self.body_bytes = 0
        return data

    # -- callbacks of the parser ----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """An answer begins; a second one was not asked for, and ends the connection."""
        if self.complete:
            self.keep_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or one trailer, which RFC 9110 6.5.1 lets a recipient drop."""
        if not self.status:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is there; answers such as 100 Continue are no answers yet."""
        if self.complete:
            return
        status = self._parser.get_status_code()
        self._interim = 100 <= status < 200
        if self._interim:
            self.headers = []
            return
        self.status = status
        self.keep_alive = self._parser.should_keep_alive()
        self.fields = [(name.lower(), value) for name, value in self.headers]
        self.named = dict(reversed(self.fields))
        self._until_eof = b"content-length" not in self.named and b"transfer-encoding" not in self.named
        if self._to_head:
            self.complete, self.keep_alive = True, False

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if not self._to_head and not self.complete:
            self.body.append(data)
            self.body_bytes += len(data)

    def on_message_complete(self) -> None:
        """The body is there."""
        self.complete = self.complete or not self._interim
