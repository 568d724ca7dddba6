"""
Requests from bytes, without I/O.

Bytes are parsed by llhttp, strictly, and each head is judged (:mod:`farthing.gateway.heads`). An offer to speak another
protocol is passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

import httptools

from farthing.gateway.heads import HEAD_BYTES_MAX, NO_HTTP, TOO_LONG, BadHead, bad_head

if TYPE_CHECKING:
    from typing import Any

    from farthing.gateway.wire import Headers

    Scope = dict[str, Any]
    """A request's method, paths, query and headers, by name; names of headers in lower case."""


class Taker(Protocol):
    """Who takes requests."""

    def head_came(self, scope: Scope, *, is_1_1: bool, keep_alive: bool, expects: bool) -> None:
        """
        The head of a request is there.

        Args:
            scope: What it says.
            is_1_1: Whether its sender speaks HTTP/1.1.
            keep_alive: Whether they want to go on after it.
            expects: Whether they wait for ``100 Continue`` before the body.

        """

    def on_body(self, data: bytes) -> None:
        """A piece of its body."""

    def body_ended(self) -> None:
        """It is whole."""


class RequestReader:
    """
    The requests of one connection, one after the other.

    Args:
        taker: Who takes them.

    Attributes:
        head_begun: Whether a head has begun and is not there yet.
        head_bytes: How many bytes came since a head could begin; 0 while a body comes.

    """

    def __init__(self, taker: Taker) -> None:
        self.head_begun = False
        self.head_bytes = 0
        self.on_body = taker.on_body
        self._taker = taker
        self._parser = httptools.HttpRequestParser(self)
        self._in_head = True
        self._url = b""
        self._headers: Headers = []
        self._expects = False
        self._bad: BadHead | None = None
        self._upgrading: Headers | None = None

    def feed(self, data: bytes) -> BadHead | None:
        """Take the next bytes; why no more of them can be read, None where all is well."""
        if self._in_head:
            self.head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return NO_HTTP if self._parser.get_method() == b"CONNECT" else self._go_on(data[upgrade.args[0] :])
        except (httptools.HttpParserError, UnicodeDecodeError):
            return self._bad or NO_HTTP
        return TOO_LONG if self.head_bytes > HEAD_BYTES_MAX and self._in_head else None

    def _go_on(self, rest: bytes) -> BadHead | None:
        """
        A client offers another protocol: read its request as if it had not (RFC 9110 7.8).

        The parser would take what follows for that protocol, so a new one gets the head without the offer.
        """
        assert self._upgrading is not None
        method, version = self._parser.get_method(), self._parser.get_http_version().encode()
        framing = (b"content-length", b"transfer-encoding", b"expect")
        lines = [b"%b: %b\r\n" % header for header in self._upgrading if header[0] in framing]
        head = b"%b %b HTTP/%b\r\n%b\r\n" % (method, self._url, version, b"".join(lines))
        self._parser = httptools.HttpRequestParser(self)
        return self.feed(head + rest)

    def _target(self) -> bytes:
        """Path and query, also of a request that names the whole address."""
        if self._url.startswith(b"/"):
            return self._url
        parts = httptools.parse_url(self._url)
        path, query = parts.path or b"/", parts.query
        return path if query is None else b"%b?%b" % (path, query)

    # -- callbacks of the parser ----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A new request."""
        self._url, self._headers, self._expects, self._in_head = b"", [], False, True
        self.head_begun = True

    def on_url(self, url: bytes) -> None:
        """A piece of the request's target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or one trailer, which RFC 9110 6.5.1 lets a recipient drop."""
        if self._in_head:
            name = name.lower()
            self._headers.append((name, value))
            if name == b"expect":
                self._expects = value.lower() == b"100-continue"

    def on_headers_complete(self) -> None:
        """The head is there."""
        self.head_bytes = 0
        self._in_head = self.head_begun = False
        parser, headers = self._parser, self._headers
        if parser.should_upgrade():
            self._upgrading = headers
            return
        if self._upgrading is not None:
            headers, self._upgrading = self._upgrading, None
        version = parser.get_http_version()
        self._bad = bad_head(version, self._url, headers)
        if self._bad is not None:
            raise ValueError(self._bad.message)  # the parser stops, and says so
        raw_path, _, query = self._target().partition(b"?")
        path = raw_path.decode("ascii")
        scope = {
            "method": parser.get_method().decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": headers,
        }
        is_1_1 = version == "1.1"
        keep_alive = is_1_1 and parser.should_keep_alive()
        self._taker.head_came(scope, is_1_1=is_1_1, keep_alive=keep_alive, expects=self._expects)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._in_head = True
        if self._upgrading is None:
            self._taker.body_ended()
