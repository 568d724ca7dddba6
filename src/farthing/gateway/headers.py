"""
Headers on their way through. Pure.

Hop-by-hop fields end here, on both sides (RFC 9110 7.6.1); the Host is the upstream's; fields that are addressed to a
gateway (ours, Helicone's, LiteLLM's) are read and go no further. All others pass as they came, in their order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.gateway.codings import READABLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.gateway.wire import Headers

_HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te"}
    | {b"trailer", b"transfer-encoding", b"upgrade"}
)
_NOT_FOR_UPSTREAM = _HOP_BY_HOP | {b"host", b"expect"}
_FOR_A_GATEWAY = (b"x-farthing-", b"helicone-", b"x-litellm-")


def first(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """The first value of a field; *name* and the fields' names are lower case."""
    for key, value in headers:
        if key == name:
            return value
    return None


def for_upstream(headers: Headers, authority: bytes, *, metered: bool) -> Headers:
    """
    What the upstream is sent.

    Args:
        headers: The client's, names in lower case.
        authority: The upstream's Host.
        metered: Whether the answer's body has to be read: then only content codings that we can read are asked for.

    """
    dropped = _NOT_FOR_UPSTREAM
    if named := _named_by_connection(headers):
        dropped |= named
    if chunked := first(headers, b"transfer-encoding") is not None:
        dropped |= {b"content-length"}
    passed: Headers = [(b"host", authority)]
    codings_named = False
    for field in headers:
        name, value = field
        if name in dropped or name.startswith(_FOR_A_GATEWAY):
            continue
        if name == b"accept-encoding" and metered:
            codings_named = True
            passed.append((name, readable_codings(value)))
        else:
            passed.append(field)
    if chunked:
        passed.append((b"transfer-encoding", b"chunked"))
    if metered and not codings_named:
        passed.append((b"accept-encoding", b"identity"))  # none at all would allow any (RFC 9110 12.5.3)
    return passed


def for_client(headers: Headers, fields: Headers) -> Headers:
    """
    What the client is sent of the upstream's fields.

    Args:
        headers: As they came.
        fields: The same, names in lower case.

    """
    dropped = _HOP_BY_HOP
    if named := _named_by_connection(fields):
        dropped |= named
    return [header for header, (name, _) in zip(headers, fields, strict=True) if name not in dropped]


def readable_codings(accepted: bytes) -> bytes:
    """
    *accepted* without the codings that the meter cannot read.

    >>> readable_codings(b"gzip, br;q=0.9, zstd, dcb")
    b'gzip, br;q=0.9, zstd'
    """
    items = [item.strip() for item in accepted.split(b",")]
    kept = [item for item in items if item.split(b";")[0].strip().lower() in READABLE]
    return b", ".join(kept) or b"identity"


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    values = [value for name, value in headers if name == b"connection"]
    if not values:
        return frozenset()
    names = {token.strip().lower() for value in values for token in value.split(b",")}
    return frozenset(names - {b"content-length", b"host"})  # a sender that names these means no good
