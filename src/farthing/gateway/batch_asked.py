"""
What a Message Batch asks for: which models, and the most it can cost.

A batch may hold 100,000 requests, which take seconds. So they are taken one by one, a bounded part of them in each turn
of the event loop: other callers' bytes pass in between.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.gateway.models_asked import is_ambiguous, models_of
from farthing.prices.card import Unpriced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_REQUESTS_MAX = 100_000
_TURN_REQUESTS, _TURN_BYTES = 32, 65_536
"""What is worked out in one turn of the loop, and one request more: a few milliseconds."""
_FRAME_BYTES_MAX = 65_536
_UNTOLD = Unpriced("which models the batch asks for cannot be told")
_UNREADABLE = Unpriced("the batch's body is not readable, so nothing bounds what it costs")


class BatchAsked(NamedTuple):
    """
    What a batch asks for.

    Attributes:
        models: All that its requests name.
        worst_pusd: The most it can cost: the sum over its requests. dearest_pusd: the most that one of them can.

    """

    models: frozenset[str]
    worst_pusd: int
    dearest_pusd: int


class _Batch(msgspec.Struct):
    requests: msgspec.Raw


class _Request(msgspec.Struct):
    params: msgspec.Raw


async def read_batch_asked(body: bytes, worst_of: Callable[[bytes], int | Unpriced]) -> BatchAsked | Unpriced:
    """
    Read the body of ``POST /v1/messages/batches``.

    Args:
        body: All of it.
        worst_of: The most that one request can cost, in picodollars, from its ``params`` as they came.

    Returns:
        What it asks for; or why nothing bounds what it costs.

    """
    requests = _requests(body)
    if isinstance(requests, Unpriced):
        return requests
    models: set[str] = set()
    total = dearest = 0
    for turn in _turns(requests):
        for request in turn:
            named = models_of(request)
            if named is None:
                return _UNTOLD
            models |= named
            found = worst_of(bytes(_decode_request(request).params))
            if isinstance(found, Unpriced):
                return found
            total, dearest = total + found, max(dearest, found)
        await asyncio.sleep(0)
    return BatchAsked(frozenset(models), total, dearest) if models else _UNTOLD


_decode_batch = msgspec.json.Decoder(_Batch).decode
_decode_requests = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_request = msgspec.json.Decoder(_Request).decode


def _requests(body: bytes) -> list[msgspec.Raw] | Unpriced:
    try:
        listed = bytes(_decode_batch(body).requests)
        requests = _decode_requests(listed)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _UNREADABLE
    if len(requests) > _REQUESTS_MAX:
        return _UNREADABLE
    frame = body.replace(listed, b"[]", 1)  # a second list of requests, which another reader may take, is still there
    return _UNTOLD if len(frame) > _FRAME_BYTES_MAX or is_ambiguous(frame) else requests


def _turns(requests: list[msgspec.Raw]) -> Iterator[list[bytes]]:
    turn: list[bytes] = []
    size = 0
    for raw in requests:
        turn.append(bytes(raw))
        size += len(turn[-1])
        if len(turn) >= _TURN_REQUESTS or size >= _TURN_BYTES:
            yield turn
            turn, size = [], 0
    if turn:
        yield turn
