"""
Many records into DuckDB at once: JSON lines in a temporary file, which its reader takes in parallel.

DuckDB's Python package has no appender and binds values one by one; without NumPy or Arrow this is its fast way in.
"""

from __future__ import annotations

import os
import tempfile
from datetime import UTC
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec

from farthing.call import Call
from farthing.ledger.interface import Posting
from farthing.ledger.prompt_runs import PackedRequest
from farthing.ledger.store import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import duckdb

    from farthing.call import Request
    from farthing.ledger.interface import Stored

_ENCODER = msgspec.json.Encoder()


class _RequestLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A :class:`~farthing.call.Request` as queries/stage.sql reads it: its fields, then where its blocks are."""

    model: str = ""
    stream: bool = False
    max_tokens: int | None = None
    effort: str | None = None
    thinking: str | None = None
    thinking_budget_tokens: int | None = None
    speed: str | None = None
    inference_geo: str | None = None
    service_tier: str | None = None
    tools: int = 0
    tools_tokens: int = 0
    cache_automatic: bool = False
    prompt: str | None = None
    breakpoints_5m: tuple[int, ...] = ()
    breakpoints_1h: tuple[int, ...] = ()


class _Line(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    call_no: int
    call_key: int
    message_key: int | None
    is_total_of_unknown: bool
    unpriced: str
    call: Call
    posting: Posting
    request: _RequestLine | None = None


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
    lines = []
    for number, stored in numbered:
        call = stored.call
        message_id = call.served.message_id
        message_key = id_key(message_id) if message_id else None
        total_of_unknown = call.served.calls_in_total is None
        reasons = unpriced_text(stored.posting.unpriced)
        call_key = id_key(call.call_id)
        request = None
        if call.request is not None:
            request = _request_line(call.request)
            call = msgspec.structs.replace(call, request=None)
        lines.append(_Line(number, call_key, message_key, total_of_unknown, reasons, call, stored.posting, request))
    load(connection, sql("stage"), lines)


def _request_line(request: Request) -> _RequestLine:
    assert isinstance(request, PackedRequest), "prompts are packed before their calls are staged"
    packed = request.packed
    *values, _, _ = msgspec.structs.astuple(request)
    named = dict(zip(_RequestLine.__struct_fields__, values, strict=False))
    return _RequestLine(
        **named, prompt=packed.leaf.hex() or None, breakpoints_5m=packed.ttl_5m, breakpoints_1h=packed.ttl_1h
    )


def load(connection: duckdb.DuckDBPyConnection, query: str, rows: Sequence[Any]) -> None:
    """Run a query that reads JSON lines from ``$path`` over *rows*."""
    encoded = _ENCODER.encode_lines(rows)
    file, path = tempfile.mkstemp(prefix="farthing-", suffix=".ndjson")
    try:
        with os.fdopen(file, "wb") as out:
            out.write(encoded)
        connection.execute(query, {"path": path})
    finally:
        os.unlink(path)  # noqa: PTH108 - the twin of mkstemp
