"""
Many records into DuckDB at once: JSON lines in a temporary file, which its reader takes in parallel.

DuckDB's Python package has no appender and binds values one by one; without NumPy or Arrow this is its fast way in.
"""

from __future__ import annotations

import os
import tempfile
from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import msgspec

from farthing.call import Request
from farthing.ledger.interface import Stored
from farthing.ledger.prompt_runs import Packed, PackedRequest
from farthing.ledger.store import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import duckdb


_ENCODER = msgspec.json.Encoder()


class Written(NamedTuple):
    """
    A record on its way from a journal into a ledger.

    Attributes:
        stored: The record, checked; its request has no blocks.
        prompt: Where they are; None: nowhere.
        body: Its journal line's JSON, which DuckDB reads by itself; empty: the record is to be encoded anew.

    """

    stored: Stored
    prompt: Packed | None
    body: bytes


class _Chain(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where the blocks of a prompt are."""

    leaf: str | None = None
    ttl_5m: tuple[int, ...] = ()
    ttl_1h: tuple[int, ...] = ()


class _Line(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What queries/stage.sql reads; a line from a journal has its ``stored`` as it stands there."""

    call_no: int
    call_key: int
    message_key: int | None = None
    is_total_of_unknown: bool = False
    unpriced: str = ""
    chain: _Chain | None = None
    stored: Stored | None = None


_OBJECT_BYTES = 2**24
"""Room for the longest line that is always made; more of it costs time."""
_STORED = b',"stored":{'
"""Where the record begins in a journal's line. Inside of a text its quotes would be escaped, so it is the key."""


def id_key(text: str) -> int:
    """The narrow column that finds an id (zlib's CRC32: the same in every version of everything)."""
    return crc32(text.encode())


def naive(at: datetime) -> datetime:
    """An aware time as the file keeps it: UTC, without a zone."""
    return at.astimezone(UTC).replace(tzinfo=None)


def unpriced_text(reasons: tuple[str, ...]) -> str:
    """Why a call has no price, as one column keeps it: a JSON list, or nothing."""
    return _ENCODER.encode(reasons).decode() if reasons else ""


def stage(connection: duckdb.DuckDBPyConnection, numbered: Iterable[tuple[int, Stored]]) -> None:
    """Make the table ``staged`` of these records, each under its number, checked and packed before."""
    _load(connection, sql("stage"), [_encoded(number, stored, _packed_of(stored)) for number, stored in numbered])


def stage_written(connection: duckdb.DuckDBPyConnection, numbered: Iterable[tuple[int, Written]]) -> None:
    """The same for records from a journal, without encoding again what stands there."""
    _load(connection, sql("stage"), [_joined(number, written) for number, written in numbered])


def _encoded(number: int, stored: Stored, packed: Packed | None) -> bytes:
    call = stored.call
    if call.request is not None:
        fields = {name: getattr(call.request, name) for name in Request.__struct_fields__}
        request = Request(**{**fields, "blocks": ()})
        stored = Stored(msgspec.structs.replace(call, request=request), stored.posting)
    return _ENCODER.encode(_line(number, stored, packed, stored))


def _joined(number: int, written: Written) -> bytes:
    stored, packed, body = written
    at = body.find(_STORED)
    if at < 0:
        return _encoded(number, stored, packed)
    return _ENCODER.encode(_line(number, stored, packed))[:-1] + body[at:]


def _line(number: int, known: Stored, packed: Packed | None, stored: Stored | None = None) -> _Line:
    call, reasons = known.call, known.posting.unpriced
    message_id = call.served.message_id
    return _Line(
        number,
        crc32(call.call_id.encode()),
        crc32(message_id.encode()) if message_id else None,
        call.served.calls_in_total is None,
        unpriced_text(reasons) if reasons else "",
        _Chain(packed.leaf.hex() or None, packed.ttl_5m, packed.ttl_1h) if packed is not None else None,
        stored,
    )


def _packed_of(stored: Stored) -> Packed | None:
    request = stored.call.request
    if request is None:
        return None
    assert isinstance(request, PackedRequest), "prompts are packed before their calls are staged"
    return request.packed


def load(connection: duckdb.DuckDBPyConnection, query: str, rows: Sequence[Any]) -> None:
    """Run a query that reads JSON lines from ``$path`` over *rows*."""
    _load(connection, query, list(map(_ENCODER.encode, rows)))


def _load(connection: duckdb.DuckDBPyConnection, query: str, lines: list[bytes]) -> None:
    file, path = tempfile.mkstemp(prefix="farthing-", suffix=".ndjson")
    try:
        with os.fdopen(file, "wb") as out:
            out.write(b"\n".join(lines))
        parameters: dict[str, str | int] = {"path": path}
        if "$longest" in query:
            parameters["longest"] = max(_OBJECT_BYTES, *map(len, lines))
        connection.execute(query, parameters)
    finally:
        os.unlink(path)  # noqa: PTH108 - the twin of mkstemp
