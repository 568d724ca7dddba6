"""
Many records into DuckDB at once: JSON lines in a temporary file, which its reader takes in parallel.

DuckDB's Python package has no appender and binds values one by one; without NumPy or Arrow this is its fast way in.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec

from farthing.call import Request
from farthing.ledger.interface import Stored
from farthing.ledger.prompt_runs import Packed, PackedRequest
from farthing.ledger.store import sql

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    import duckdb


_ENCODER = msgspec.json.Encoder()


class _Chain(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where the blocks of a prompt are."""

    leaf: str | None = None
    ttl_5m: tuple[int, ...] = ()
    ttl_1h: tuple[int, ...] = ()

    def packed(self) -> Packed:
        """The same, as a journal has it, without the runs."""
        return Packed(bytes.fromhex(self.leaf or ""), self.ttl_5m, self.ttl_1h)


class _Line(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What queries/stage.sql reads; a line from a journal has its ``stored`` as it stands there."""

    call_no: int
    call_key: int
    message_key: int | None = None
    is_total_of_unknown: bool = False
    unpriced: str = ""
    chain: _Chain | None = None
    stored: Stored | None = None


_OBJECT_BYTES = 2**20
"""Room for the longest line that is always made; more of it costs time."""
_STORED = b',"stored":{'
"""Where the record begins in a journal's line. Inside of a text its quotes would be escaped, so it is the key."""
_DECODER = msgspec.json.Decoder(_Line)


def id_key(text: str) -> int:
    """The narrow column that finds an id (zlib's CRC32: the same in every version of everything)."""
    return crc32(text.encode())


def message_key(message_id: str | None) -> int:
    """Likewise of a message id; negative where there is none."""
    return crc32(message_id.encode()) if message_id else -1


def naive(at: datetime) -> datetime:
    """An aware time as the file keeps it: UTC, without a zone."""
    return at.astimezone(UTC).replace(tzinfo=None)


def unpriced_text(reasons: tuple[str, ...]) -> str:
    """Why a call has no price, as one column keeps it: a JSON list, or nothing."""
    return _ENCODER.encode(reasons).decode() if reasons else ""


class StagingFile:
    """
    Records on their way into the table ``staged``, numbered from 0: a temporary file of JSON lines, made when needed.

    Attributes:
        count: How many.

    """

    def __init__(self) -> None:
        self.count = 0
        self._call_keys: list[int] = []
        self._message_keys: list[int] = []
        self._parts: list[bytes] = []
        self._longest = 0
        self._path = ""

    def put(self, stored: Stored, prompt: Packed | None, body: bytes) -> None:
        """
        Add one record.

        Args:
            stored: The record, in range; its request has no blocks.
            prompt: Where they are; None: nowhere.
            body: Its journal line's JSON, which DuckDB reads by itself; empty: the record is encoded anew.

        """
        call, number = stored.call, self.count
        message_id = call.served.message_id
        by_call, by_message = crc32(call.call_id.encode()), message_key(message_id)
        self.count += 1
        self._call_keys.append(by_call)
        self._message_keys.append(by_message)
        at = body.find(_STORED)
        if at < 0:
            self._parts += b"\n", _encoded(number, stored, prompt)
        elif prompt is None and message_id and call.served.calls_in_total is not None and not stored.posting.unpriced:
            # The same bytes as below, in a third of the time: this runs for every call.
            keys = b'\n{"call_no":%d,"call_key":%d,"message_key":%d' % (number, by_call, by_message)
            self._parts += keys, body[at:]
        else:
            self._parts += b"\n", _ENCODER.encode(_line(number, stored, prompt))[:-1], body[at:]

    def flush(self) -> None:
        """Write what was put. The file is whole after this."""
        if not self._parts:
            return
        if not self._path:
            made, self._path = tempfile.mkstemp(prefix="farthing-", suffix=".ndjson")
            os.close(made)
        self._longest = max(self._longest, 2 * max(map(len, self._parts)))
        with Path(self._path).open("ab") as file:
            file.write(b"".join(self._parts))
        self._parts.clear()

    def alike(self) -> set[int]:
        """Numbers of records that may share a call id or a message id with another one."""
        return alike(self._call_keys) | alike(self._message_keys)

    def stage(self, connection: duckdb.DuckDBPyConnection, first_no: int) -> None:
        """Make the table ``staged`` of the records; they take the numbers from *first_no* on."""
        self.flush()
        longest = max(_OBJECT_BYTES, self._longest)
        connection.execute(sql("stage"), {"path": self._path, "longest": longest, "first_no": first_no})

    def records(self, numbers: Collection[int]) -> dict[int, tuple[Stored, Packed | None]]:
        """Some of the records, read back, and where the blocks of their prompts are."""
        found: dict[int, tuple[Stored, Packed | None]] = {}
        with Path(self._path).open("rb") as file:
            next(file, b"")  # each line begins with its newline
            for number, raw in enumerate(file):
                if number in numbers:
                    line = _DECODER.decode(raw)
                    assert line.stored is not None
                    found[number] = line.stored, None if line.chain is None else line.chain.packed()
        return found

    def close(self) -> None:
        """Remove the file."""
        if self._path:
            os.unlink(self._path)  # noqa: PTH108 - the twin of mkstemp
            self._path = ""


def alike(keys: Sequence[int]) -> set[int]:
    """Positions of the keys that occur more than once; a negative one stands for no id."""
    if len(set(keys)) == len(keys):
        return set()
    counts = Counter(keys)
    return {at for at, key in enumerate(keys) if key >= 0 and counts[key] > 1}


def stage(connection: duckdb.DuckDBPyConnection, numbered: Iterable[tuple[int, Stored]]) -> None:
    """Make the table ``staged`` of these records, each under its number, checked and packed before."""
    lines = [_encoded(number, stored, _packed_of(stored)) for number, stored in numbered]
    _load(connection, sql("stage"), lines, {"first_no": 0})


def _encoded(number: int, stored: Stored, packed: Packed | None) -> bytes:
    call = stored.call
    if call.request is not None:
        fields = {name: getattr(call.request, name) for name in Request.__struct_fields__}
        request = Request(**{**fields, "blocks": ()})
        stored = Stored(msgspec.structs.replace(call, request=request), stored.posting)
    return _ENCODER.encode(_line(number, stored, packed, stored))


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
    """Run a query that reads JSON lines from ``$path`` over *rows*; the longest has room in ``$longest``."""
    _load(connection, query, list(map(_ENCODER.encode, rows)), {})


def _load(
    connection: duckdb.DuckDBPyConnection, query: str, lines: list[bytes], parameters: dict[str, str | int]
) -> None:
    file, path = tempfile.mkstemp(prefix="farthing-", suffix=".ndjson")
    try:
        with os.fdopen(file, "wb") as out:
            out.write(b"\n".join(lines))
        if "$longest" in query:
            parameters["longest"] = max(_OBJECT_BYTES, *map(len, lines))
        connection.execute(query, {"path": path, **parameters})
    finally:
        os.unlink(path)  # noqa: PTH108 - the twin of mkstemp
