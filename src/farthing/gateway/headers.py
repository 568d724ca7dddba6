"""
Headers on their way through. Pure.

Hop-by-hop fields end here, on both sides (RFC 9110 7.6.1); the Host is the upstream's; fields that are addressed to a
gateway (ours, Helicone's, LiteLLM's) are read and go no further. All others pass as they came, in their order, and an
answer says besides what it cost and took.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.gateway.codings import READABLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.gateway.wire import Headers, ResponseReader
    from farthing.ledger.interface import Stored

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
    names, dropped = {name for name, _ in headers}, _NOT_FOR_UPSTREAM
    if b"connection" in names:
        dropped |= _named_by_connection(headers)
    if b"transfer-encoding" in names:
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
    if b"transfer-encoding" in names:
        passed.append((b"transfer-encoding", b"chunked"))
    if metered and not codings_named:
        passed.append((b"accept-encoding", b"identity"))  # none at all would allow any (RFC 9110 12.5.3)
    return passed


def for_client(answer: ResponseReader) -> Headers:
    """What the client is sent of the fields of the upstream's answer."""
    dropped = _HOP_BY_HOP
    if b"connection" in answer.named:
        dropped |= _named_by_connection(answer.fields)
    return [header for header, (name, _) in zip(answer.headers, answer.fields, strict=True) if name not in dropped]


def from_us(entry: str, overhead_s: float, stored: Stored | None, usd: str) -> Headers:
    """
    What the client is told beside it.

    Args:
        entry: The name that the gateway gave the request.
        overhead_s: Time spent in the gateway itself.
        stored: What the call was posted as; None where that is not known yet.
        usd: Its price; empty: it has none, or that is not known yet.

    """
    told = [(b"x-farthing-call-id", entry.encode()), (b"x-farthing-overhead-ms", b"%.2f" % (overhead_s * 1000))]
    if stored is not None:
        usage = stored.call.served.usage
        written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        cache = b"read=%d; written=%d; uncached=%d" % (usage.cache_read_tokens, written, usage.input_tokens)
        told.append((b"x-farthing-cache", cache))
    if usd:
        told.append((b"x-farthing-cost-usd", usd.encode()))
    return told


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
    names = {token.strip().lower() for value in values for token in value.split(b",")}
    return frozenset(names - {b"content-length", b"host"})  # a sender that names these means no good
