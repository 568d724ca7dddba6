"""
The addresses in answers, changed for callers with a virtual key. Pure.

The API names an address of its own for a batch's results, and SDKs follow it with the key they have. A virtual key must
not go there, and would not work. So in an answer about a batch, or a list of them, the origin in ``results_url``
becomes the one under which the client reached the gateway. Every other byte stays, which is why the text is scanned and
not decoded and encoded anew.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from farthing.gateway.headers import first

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farthing.gateway.wire import Headers

ANSWER_BYTES_MAX = 8 * 2**20
"""Longest answer that is rewritten: a list of a thousand batches has less than one."""

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_NAME_ENDS = re.compile(rb"[ \t\r\n]*:")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*(.*)", re.DOTALL)
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_IN_LIST = None
_WANTED: tuple[list[str | None], ...] = (["results_url"], ["data", _IN_LIST, "results_url"])


def origin_of(headers: Headers) -> bytes:
    """
    How a client reached us: scheme and host; empty where it does not say, and addresses then become relative ones.

    Args:
        headers: The client's, names in lower case; a proxy in front says in ``x-forwarded-proto`` that it took TLS off.

    """
    host = (first(headers, b"host") or b"").strip()
    if not _HOST.fullmatch(host):
        return b""
    scheme = (first(headers, b"x-forwarded-proto") or b"").partition(b",")[0].strip().lower()
    return (b"https://" if scheme == b"https" else b"http://") + host


def moved(address: str, origin: str, prefix: str = "") -> str:
    """
    An address at another origin; one that has no origin stays as it is.

    >>> moved("https://api.anthropic.com/v1/x?y", "http://127.0.0.1:8788")
    'http://127.0.0.1:8788/v1/x?y'
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return address
    return origin + found[1].removeprefix(prefix)


def with_results_at(body: bytes, origin: bytes, prefix: bytes = b"") -> bytes:
    """
    An answer about batches, its results at another origin.

    Args:
        body: JSON, whole. What is none stays as it is.
        origin: Scheme and host, without a slash at the end.
        prefix: What the upstream's address has before ``/v1``; it is taken off.

    """
    pieces, end = [], 0
    for start, stop in _values(body):
        try:
            address = json.loads(body[start:stop])
        except ValueError:
            continue
        if (there := moved(address, origin.decode(), prefix.decode())) != address:
            pieces += [body[end:start], json.dumps(there).encode()]
            end = stop
    return b"".join([*pieces, body[end:]])


def with_location_at(headers: Headers, origin: bytes, prefix: bytes = b"") -> Headers:
    """An answer's fields, a redirection to another origin turned back to this one; as :func:`with_results_at`."""
    here, before = origin.decode(), prefix.decode()
    return [
        (name, moved(value.decode("latin-1"), here, before).encode("latin-1") if name.lower() == b"location" else value)
        for name, value in headers
    ]


def _values(body: bytes) -> Iterator[tuple[int, int]]:
    """Where the strings stand that are the value of ``results_url``, of the answer or of an item of its list."""
    path: list[str | None] = []  # per open bracket, the name under which the value stands that we are in
    at = 0
    while token := _TOKEN.search(body, at):
        at = token.end()
        match token[0][:1]:
            case b"{":
                path.append("")
            case b"[":
                path.append(_IN_LIST)
            case b"}" | b"]":
                if not path:
                    return
                path.pop()
            case _ if path and path[-1] is not _IN_LIST:
                colon = _NAME_ENDS.match(body, at)
                if colon is not None:
                    path[-1] = _name(token[0])
                    at = colon.end()
                elif path in _WANTED:
                    yield token.span()


def _name(text: bytes) -> str:
    try:
        name = json.loads(text)
    except ValueError:
        return ""
    return name if isinstance(name, str) else ""
