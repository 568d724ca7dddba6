"""Connections to one upstream, kept for the next call."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from farthing.errors import BadConfig
from farthing.gateway.connection import Connection
from farthing.gateway.deadlines import Deadlines
from farthing.gateway.failures import NotConnected

if TYPE_CHECKING:
    from pathlib import Path

_IDLE_S_MAX = 50.0
"""How long an idle connection is kept: a little less than most servers keep it."""


class Upstream(NamedTuple):
    """
    Where calls go.

    Attributes:
        host: Name or address. port: its port. tls: None for plain HTTP.
        authority: For the Host header. prefix: path before every target, without a slash at its end.

    """

    host: str
    port: int
    tls: ssl.SSLContext | None
    authority: bytes
    prefix: bytes


def upstream(url: str, ca_file: Path | None = None) -> Upstream:
    """
    Read an upstream's address.

    Args:
        url: ``http://`` or ``https://``, perhaps with a path that comes before every target.
        ca_file: Certificates (PEM) to trust instead of the system's.

    Raises:
        BadConfig: It is no such address, or the file cannot be read.

    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _no_address() from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise _no_address()
    secure = parts.scheme == "https"
    authority = parts.netloc.encode("ascii", "ignore")
    prefix = parts.path.rstrip("/").encode("ascii", "ignore")
    return Upstream(
        parts.hostname, port or (443 if secure else 80), _tls(ca_file) if secure else None, authority, prefix
    )


def _no_address() -> BadConfig:
    return BadConfig("read the upstream's address", "https://HOST, without a user, a password or a query")


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise BadConfig(f"read certificates from {ca_file}: {error}", "a PEM file") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


class Pool:
    """
    Keep-alive connections, the most recently used first.

    Args:
        to: The upstream.
        connect_timeout_s: For name, TCP and TLS together.
        read_timeout_s: Longest silence while an answer is awaited.
        idle_max: How many idle connections are kept.

    """

    def __init__(
        self, to: Upstream, *, connect_timeout_s: float = 10.0, read_timeout_s: float = 600.0, idle_max: int = 100
    ) -> None:
        self.upstream = to
        self.open = 0
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._deadlines: Deadlines | None = None
        self._idle_max = idle_max
        self._idle: list[Connection] = []

    @property
    def idle(self) -> int:
        """How many connections wait for a call."""
        return len(self._idle)

    def take_idle(self) -> Connection | None:
        """A connection that has carried an exchange before; None where none waits."""
        now = time.monotonic()
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed and now - connection.idle_since < _IDLE_S_MAX:
                self.open += 1
                return connection
            connection.abort()
        return None

    async def connect(self) -> Connection:
        """
        A new connection.

        Raises:
            NotConnected: The upstream cannot be reached in time.

        """
        to, loop = self.upstream, asyncio.get_running_loop()
        deadlines = self._deadlines = self._deadlines or Deadlines(self._read_timeout_s, loop)
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                _, connection = await loop.create_connection(
                    lambda: Connection(deadlines), to.host, to.port, ssl=to.tls
                )
        except TimeoutError:
            raise NotConnected("no connection to the upstream in time") from None
        except ssl.SSLError as error:
            raise NotConnected(f"no TLS with the upstream: {error.reason or 'refused'}") from error
        except OSError as error:
            raise NotConnected(f"no connection to the upstream: {error.strerror or 'unreachable'}") from error
        self.open += 1
        return connection

    def give_back(self, connection: Connection) -> None:
        """End a connection's exchange and keep it if it can be used again."""
        self.open -= 1
        if connection.end():
            if len(self._idle) >= self._idle_max:
                self._idle.pop(0).abort()
            connection.idle_since = time.monotonic()
            self._idle.append(connection)

    def close(self) -> None:
        """Close idle connections."""
        while self._idle:
            self._idle.pop().abort()
        if self._deadlines is not None:
            self._deadlines.close()
