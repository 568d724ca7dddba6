"""
Which request heads are served. Pure.

A head is bounded in bytes and in fields. What RFC 9112 leaves open, so that two servers in a row could read it as two
different requests, is refused here rather than passed on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD_BYTES_MAX = 64 * 2**10
"""Longest head of a request, its target included."""
FIELDS_MAX = 256
TARGET_BYTES_MAX = 16 * 2**10


class BadHead(NamedTuple):
    """Why a request is not served; its connection ends, because where it ends is not sure."""

    status: int
    message: str
    error_type: str = "invalid_request_error"


NO_HTTP = BadHead(400, "farthing: this is no HTTP request that could be read in only one way")
TOO_LONG = BadHead(431, f"farthing: the head of this request is longer than {HEAD_BYTES_MAX // 2**10} KB")
TOO_SLOW = BadHead(408, "farthing: the request did not come in time", "timeout_error")
_LONG_TARGET = BadHead(414, f"farthing: the target of this request is longer than {TARGET_BYTES_MAX // 2**10} KB")
_MANY_FIELDS = BadHead(431, f"farthing: this request has more than {FIELDS_MAX} header fields")
_OTHER_VERSION = BadHead(505, "farthing: only HTTP/1.1 is spoken here")
_OTHER_CODING = BadHead(501, "farthing: chunked is the only transfer coding of a request that is known here")


def bad_head(version: str, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> BadHead | None:
    """
    Judge a head that could be parsed; None where it is fine.

    Args:
        version: Of HTTP, such as ``1.1``.
        target: As it came.
        headers: Names in lower case.

    Source: RFC 9112 2.3, 3.2, 6.1 and RFC 9110 4.2.5, checked 2026-11-21.

    """
    if len(target) > TARGET_BYTES_MAX:
        return _LONG_TARGET
    if len(headers) > FIELDS_MAX:
        return _MANY_FIELDS
    size, hosts, codings = len(target), 0, []
    for name, value in headers:
        size += len(name) + len(value)
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding":
            codings.append(value.strip().lower())
    if size > HEAD_BYTES_MAX:
        return TOO_LONG
    if version not in ("1.0", "1.1"):
        return _OTHER_VERSION
    if codings and set(codings) != {b"chunked"}:
        return _OTHER_CODING
    host_missing = version == "1.1" and not hosts
    unsure = hosts > 1 or host_missing or len(codings) > 1 or (codings and version == "1.0") or b"#" in target
    return NO_HTTP if unsure else None
