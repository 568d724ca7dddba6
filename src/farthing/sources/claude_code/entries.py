"""What one reading of a file puts into the index: the costly part of it, done by whoever read the file. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from farthing.sources.claude_code.buckets import bucketed
from farthing.sources.claude_code.shown import FileState, Shown, calls_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.sources.claude_code.sighting import Key, Origin, Sighting

_encode = msgspec.msgpack.Encoder().encode


class Owned(msgspec.Struct, array_like=True):
    """The calls that one file owns, summed: a row of ``buckets``."""

    calls: int
    unprovable: int
    first_quarter: int
    last_quarter: int
    buckets: bytes


class Entry(msgspec.Struct, array_like=True):
    """
    One file's reading, ready for the index.

    Attributes:
        state: How far it was read.
        shown: What its new lines show, encoded.
        message_ids: The messages in it, sorted.
        owned: Its calls, if no other file shows any of them and nothing was read of it before.

    """

    state: FileState
    shown: bytes
    message_ids: list[str]
    owned: Owned


def entry(state: FileState, shown: Shown) -> Entry:
    """Prepare a reading for the index."""
    return Entry(state, _encode(shown), shown.message_ids, owned_of(calls_of(shown), shown.origins))


def owned_of(calls: Iterable[tuple[Key, Sighting]], origins: list[Origin]) -> Owned:
    """The calls that a file owns, in buckets."""
    buckets = bucketed(calls, origins)
    return Owned(
        sum(bucket.calls for bucket in buckets),
        sum(bucket.unprovable_calls for bucket in buckets),
        min((bucket.quarter for bucket in buckets), default=0),
        max((bucket.quarter for bucket in buckets), default=0),
        _encode(buckets),
    )
