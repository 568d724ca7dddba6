"""What a path means to the meter: only two of them carry bills, and one announces where bills will be. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from urllib.parse import unquote_to_bytes


class Route(StrEnum):
    """
    What is done with the answer's body while it passes.

    ``messages``: usage of one call. ``batch_results``: usage of one call per line. ``batch``: when a batch was made and
    whether it has ended. ``other``: free (token counts, models, files, reports, ...); nothing is read.
    """

    MESSAGES = "messages"
    BATCH_RESULTS = "batch_results"
    BATCH = "batch"
    OTHER = "other"


OUTCOMES = "/v1/outcomes"
"""What came of calls is told here; no other path below ``/v1`` is the gateway's own."""

_BATCH_ID = r"[A-Za-z0-9_-]{1,128}"
_RESULTS = re.compile(rf"/v1/messages/batches/({_BATCH_ID})/results")
_PLAIN = re.compile(rb"(?:/[A-Za-z0-9_-][A-Za-z0-9._~-]*)+")
"""Paths in which nothing can be read in two ways: nearly all of them."""
_BATCH = re.compile(rf"/v1/messages/batches(?:/{_BATCH_ID})?(?:/cancel)?")


def route_of(method: str, path: str) -> Route:
    """
    The route of a request; *path* as :func:`meant` gives it, without its query.

    >>> route_of("POST", "/v1/messages").value, route_of("POST", "/v1/messages/count_tokens").value
    ('messages', 'other')
    """
    if method == "POST" and path == "/v1/messages":
        return Route.MESSAGES
    if method == "GET" and _RESULTS.fullmatch(path):
        return Route.BATCH_RESULTS
    return Route.BATCH if method in ("GET", "POST") and _BATCH.fullmatch(path) else Route.OTHER


def is_batch_id(text: str) -> bool:
    r"""
    Whether that can be a batch's id: an answer's may become part of a path, with somebody's credentials beside it.

    >>> is_batch_id("msgbatch_01A"), is_batch_id("../../files"), is_batch_id("a HTTP/1.1\r\nx: y"), is_batch_id("")
    (True, False, False, False)
    """
    return re.fullmatch(_BATCH_ID, text) is not None


def batch_of(path: str) -> str:
    """The batch id in a path of results."""
    found = _RESULTS.fullmatch(path)
    assert found is not None
    return found[1]


def is_api(path: str) -> bool:
    """Whether a path is below ``/v1``."""
    return path.startswith("/v1/")


def meant(path: str) -> str:
    """
    What a path means: an upstream that passes over a slash at its end would bill for what we had not metered.

    >>> meant("/v1/messages/"), meant("/v1/messages")
    ('/v1/messages', '/v1/messages')
    """
    return path.removesuffix("/")


def is_own(path: str) -> bool:
    """
    Whether a path is the gateway's, so that nothing sent there ever goes upstream.

    >>> is_own("/v1/outcomes"), is_own("/v1/outcomes/x"), is_own("/v1/outcomes_of_mine")
    (True, True, False)
    """
    return path == OUTCOMES or path.startswith(OUTCOMES + "/")


@lru_cache(maxsize=256)
def is_tricky(raw_path: bytes) -> bool:
    r"""
    Whether a path could mean one thing to us and another to the upstream.

    >>> is_tricky(b"/v1/messages"), is_tricky(b"/v1/%2e%2E/admin"), is_tricky(b"/v1//x"), is_tricky(b"/v1%2fx")
    (False, True, True, True)
    >>> is_tricky(b"/v1/files/A;v=1"), is_tricky(b"/v1/Messages"), is_tricky(b"/v1/messages;v=1")
    (False, True, True)
    """
    if _PLAIN.fullmatch(raw_path):
        return _is_disguised(raw_path)
    plain = unquote_to_bytes(raw_path)
    try:
        plain.decode()
    except UnicodeDecodeError:  # an overlong dot, for one
        return True
    segments = plain.split(b"/")
    odd = b"\\" in plain or b"//" in plain or b"%" in plain or any(byte < 0x21 or byte == 0x7F for byte in plain)
    odd = odd or b"." in segments or b".." in segments or plain.count(b"/") != raw_path.count(b"/")
    return odd or _is_disguised(plain)


_METERED = rb"messages(?:/batches(?:/[^/;?#]*(?:/results|/cancel)?)?)?|outcomes"
_AS_WRITTEN = re.compile(rb"/v1/(?:%b)/?" % _METERED)
_DISGUISED = re.compile(rb"/v1/(?i:%b)\.?/?" % _METERED)
_PARAMETERS = re.compile(rb";[^/]*|[?#].*")


def _is_disguised(path: bytes) -> bool:
    """Whether an upstream that passes over case, a dot at the end or what follows ``;`` would bill for it unmetered."""
    if not path.startswith(b"/v1/") or _AS_WRITTEN.fullmatch(path):
        return False
    return _DISGUISED.fullmatch(_PARAMETERS.sub(b"", path)) is not None
