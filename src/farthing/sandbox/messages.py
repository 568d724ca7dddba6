"""
``POST /v1/messages`` and ``/v1/messages/count_tokens`` without HTTP: bytes in, an answer that is played out.

The order of one request: read and validate, limits and faults, prompt cache, reply, usage. Nothing waits: events carry
their delays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from farthing.sandbox.accounts import Caller
    from farthing.sandbox.books import Entry
    from farthing.sandbox.world import World

Headers = list[tuple[str, str]]


class Refused(NamedTuple):
    """An answer that is an error. Nothing was generated and nothing is booked."""

    status: int
    headers: Headers
    body: bytes


class Event(NamedTuple):
    """
    One server-sent event.

    Attributes:
        delay_s: How long to wait before sending it (or to move a virtual clock).
        name: For the ``event:`` line.
        payload: For the ``data:`` line, as JSON values; repeats the name in ``type``.

    """

    delay_s: float
    name: str
    payload: dict[str, Any]


class Begun:
    """
    An accepted request, to be played out: ``first_byte()``, then ``events()`` or ``message()``, then ``settle()``.

    Attributes:
        is_stream: Whether the request asked for a stream.
        request_id: As in the header.
        first_byte_delay_s: How long to wait before the response starts (status line and headers).
        cut_after_bytes: Scripted: break the connection after this many bytes of body; None: never.

    """

    is_stream: bool
    request_id: str
    first_byte_delay_s: float
    cut_after_bytes: int | None

    def headers(self) -> Headers:
        """Response headers but for content type and length: request id, organisation, workspace, rate limits."""
        raise NotImplementedError

    def first_byte(self) -> None:
        """The response starts: what it wrote to the cache can be read from now on."""
        raise NotImplementedError

    def events(self) -> Iterator[Event]:
        """
        The stream, in the documented order.

        A scripted cut ends it early: then :attr:`broken_off` is true and the connection is to be broken, not closed.
        """
        raise NotImplementedError

    @property
    def broken_off(self) -> bool:
        """Whether a scripted fault ended :meth:`events` before its end."""
        raise NotImplementedError

    def message(self) -> dict[str, Any]:
        """The response to a request that is not streamed."""
        raise NotImplementedError

    def settle(self, events_sent: int | None = None) -> Entry:
        """
        Book the request, once: further calls change nothing and return the same entry.

        Args:
            events_sent: How many events the client got before it left; None: all that there are.

        """
        raise NotImplementedError


def begin(
    world: World,
    caller: Caller,
    headers: Mapping[str, str],
    body: bytes,
    *,
    service_tier: str = "standard",
) -> Begun | Refused:
    """
    Take one Messages request.

    Args:
        world: The sandbox.
        caller: Who is billed; authentication is the caller's business.
        headers: Request headers by lower-case name; ``anthropic-version`` and ``anthropic-beta`` are read.
        body: As received.
        service_tier: ``standard``, or ``batch`` for a request of a Message Batch: no rate limits, no stream.

    """
    raise NotImplementedError


def count_tokens(world: World, caller: Caller, headers: Mapping[str, str], body: bytes) -> tuple[int, Headers, bytes]:
    """``POST /v1/messages/count_tokens``: status, headers, body. Free; has a rate limit of its own."""
    raise NotImplementedError
