"""
Files of usage payloads as the API gave them: responses, arrays of them, JSON lines, batch results, saved streams.

Such payloads seldom say when they were sent; then the import must be told (``--at``).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO

import msgspec

from farthing.call import Call, call_identity
from farthing.errors import BadInput, ErrorRecord
from farthing.sources.jsonl import NumberedRow, calls_of, read_jsonl
from farthing.sources.rows import Origin, content_id
from farthing.usage.detect import read_any
from farthing.usage.interface import Quarantined, type_name

WHOLE_FILE_BYTES_MAX = 512 * 2**20
_DOCUMENT_START = re.compile(rb"\s*[\[{]\s*\n")  # no JSON line ends behind its first brace
_STREAM_STARTS = (b"event:", b"data:", b"id:", b"retry:", b":")


def read_payloads(stream: BinaryIO, name: str, origin: Origin) -> Iterator[Call | ErrorRecord]:
    """
    Every call in *stream*, in order, with an error record for each payload that tells none.

    Args:
        stream: One JSON document, JSON lines, or one saved event stream; which one is told by its beginning.
        name: What error records call it.
        origin: What is known of all its payloads.

    """
    data = stream.read(WHOLE_FILE_BYTES_MAX + 1).removeprefix(b"\xef\xbb\xbf")
    if len(data) > WHOLE_FILE_BYTES_MAX:
        error = f"read more than {WHOLE_FILE_BYTES_MAX:,} bytes; expected less; import JSON lines with the jsonl source"
        return iter([ErrorRecord(source=name, error=error)])
    if data.lstrip().startswith(_STREAM_STARTS):
        return iter([_stream_call(data, name, origin)])
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        lines = read_jsonl(io.BytesIO(data), name, origin)
        return _one_error(list(lines), name) if _DOCUMENT_START.match(data) else lines
    rows = document if isinstance(document, list) else [document]
    return calls_of(_numbered(rows), name, origin)


def _one_error(items: list[Call | ErrorRecord], name: str) -> Iterator[Call | ErrorRecord]:
    """The lines of a document that is broken: one error for all of them, unless a call is among them after all."""
    if any(isinstance(item, Call) for item in items):
        return iter(items)
    error = "read a JSON document that ends too early or is not JSON; expected a whole one"
    return iter([ErrorRecord(source=name, error=error)])


def _numbered(rows: list[object]) -> Iterator[NumberedRow]:
    for number, row in enumerate(rows, 1):
        if isinstance(row, Mapping):
            yield NumberedRow(number, row)
        else:
            yield NumberedRow(number, None, f"read {type_name(row)}; expected a response or a usage object")


def _stream_call(data: bytes, name: str, origin: Origin) -> Call | ErrorRecord:
    served = read_any(data, model=origin.model, channel=origin.channel)
    if isinstance(served, Quarantined):
        return ErrorRecord(source=name, error=served.reason)
    if origin.at is None:
        error = BadInput("read a saved stream, which says no time", "--at, when it was sent")
        return ErrorRecord(source=name, error=str(error))
    identity = call_identity(served.message_id, served.request_id)
    own = content_id(origin.source, {"stream": data.hex()}, 0)
    return Call(call_id=identity or own, sent_at=origin.at, source=origin.source, served=served)
