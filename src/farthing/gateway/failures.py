"""
What can go wrong towards the upstream, and whether it may have been billed.

::

    UpstreamFault
    |-- NotConnected      nothing was sent: it cannot have been billed
    |-- Broken            the connection ended or spoke no HTTP; it may have been billed
    `-- TooSlow           a deadline passed; it may have been billed
"""

from __future__ import annotations


class UpstreamFault(Exception):
    """
    The upstream did not answer as it should.

    Attributes:
        status: What the client is told. error_type: the same in the API's words.
        sent: Whether any byte of the request may have reached the upstream.

    """

    status = 502
    error_type = "api_error"
    sent = True


class NotConnected(UpstreamFault):
    """No connection could be made in time."""

    sent = False


class Broken(UpstreamFault):
    """
    The connection ended, or what came was no HTTP.

    Args:
        what: One clear clause, without content.
        answered: Whether any byte of an answer had come.

    """

    def __init__(self, what: str, *, answered: bool) -> None:
        super().__init__(what)
        self.answered = answered


class TooSlow(UpstreamFault):
    """Nothing came for longer than the deadline."""

    status = 504
    error_type = "timeout_error"
