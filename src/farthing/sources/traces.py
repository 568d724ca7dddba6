"""
Traces of prompts as lists of blocks: when each call came, how long it was, and which prefix each block completes.

Two formats. Mooncake's JSON lines (github.com/kvcache-ai/Mooncake, ``FAST25-release/traces``, checked 2026-11-21)::

    {"timestamp": 0, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1, 2, ...]}

and CSV with the same four columns, the ids separated by spaces. ``timestamp`` is in milliseconds from any start; an id
stands for one block of a fixed number of tokens, the last block may be partial. There is no text in either.
"""

from __future__ import annotations

import csv
import io
import re
from array import array
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import msgspec

from farthing.errors import BadInput, ErrorRecord
from farthing.sources.lines import LINE_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TOKENS_MAX = 2**40
"""No prompt is near it: a larger length is a slip."""
_TIME_MAX_MS = 2**53
_COLUMNS = ("timestamp", "input_length", "hash_ids")


class TraceCall(NamedTuple):
    """
    One call of a trace.

    Attributes:
        at_ms: When it was sent, in milliseconds from the trace's start.
        input_tokens: Its whole prompt.
        block_ids: One unsigned 64-bit id per block, in order.
        output_tokens: What it generated; 0 where the trace does not say.

    """

    at_ms: int
    input_tokens: int
    block_ids: array[int]
    output_tokens: int = 0


class _Row(msgspec.Struct, gc=False):
    timestamp: float
    input_length: int
    hash_ids: list[int]
    output_length: int = 0


def read_mooncake(stream: BinaryIO, name: str, block_tokens: int = 512) -> Iterator[TraceCall | ErrorRecord]:
    """
    Every call of a Mooncake trace, in file order, with an error record for each line that tells none.

    Args:
        stream: JSON lines; read one by one.
        name: What error records call it.
        block_tokens: Tokens of a block.

    """
    decoder = msgspec.json.Decoder(_Row)
    number = 0
    while raw := stream.readline(LINE_BYTES_MAX):
        number += 1
        if not raw.strip():
            continue
        try:
            yield _call(decoder.decode(raw.removeprefix(b"\xef\xbb\xbf")), block_tokens)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            told = f"read a line that is no trace call ({_safe(error)}); expected timestamp, input_length, hash_ids"
            yield ErrorRecord(source=name, line=number, error=told)
        except BadInput as bad:
            yield ErrorRecord(source=name, line=number, error=str(bad))


def read_csv_trace(stream: BinaryIO, name: str, block_tokens: int = 512) -> Iterator[TraceCall | ErrorRecord]:
    """
    Every call of a CSV trace, in file order, with an error record for each row that tells none.

    Args:
        stream: UTF-8 with a header of ``timestamp``, ``input_length``, ``hash_ids`` and perhaps ``output_length``.
        name: What error records call it.
        block_tokens: Tokens of a block.

    """
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
    try:
        csv.field_size_limit(LINE_BYTES_MAX)
        reader = csv.reader(text)
        header = [cell.strip() for cell in next(reader, [])]
        if missing := [column for column in _COLUMNS if column not in header]:
            told = f"read a CSV header without {', '.join(missing)}; expected {', '.join(_COLUMNS)}"
            yield ErrorRecord(source=name, line=1, error=told)
            return
        for cells in filter(None, reader):
            try:
                yield _call(_csv_row(dict(zip(header, cells, strict=False))), block_tokens)
            except BadInput as bad:
                yield ErrorRecord(source=name, line=reader.line_num, error=str(bad))
    except csv.Error as error:
        yield ErrorRecord(source=name, error=f"read a file that is not CSV: {error}")
    finally:
        text.detach()  # the stream is its opener's to close


def in_time_order(calls: Iterable[TraceCall]) -> list[TraceCall]:
    """Calls by time, those of one instant in the order in which they came."""
    return sorted(calls, key=lambda call: call.at_ms)


def _call(row: _Row, block_tokens: int) -> TraceCall:
    if not 0 <= row.timestamp <= _TIME_MAX_MS:
        raise BadInput("read a timestamp out of range", "milliseconds from 0 on")
    if not 0 <= row.input_length <= TOKENS_MAX or not 0 <= row.output_length <= TOKENS_MAX:
        raise BadInput("read a length out of range", f"0 to {TOKENS_MAX:,} tokens")
    blocks = -(-row.input_length // block_tokens)
    if len(row.hash_ids) < blocks:
        raise BadInput(
            f"read {len(row.hash_ids)} block ids for {row.input_length:,} tokens",
            f"{blocks}, one per {block_tokens} tokens",
            "or say the block size with --block-tokens",
        )
    try:
        ids = array("Q", islice(row.hash_ids, blocks))
    except OverflowError:
        raise BadInput("read a block id out of range", "0 to 2**64 - 1") from None
    return TraceCall(int(row.timestamp), row.input_length, ids, row.output_length)


def _csv_row(cells: dict[str, str]) -> _Row:
    def whole(column: str) -> int:
        text = cells.get(column, "").strip()
        if not re.fullmatch("[0-9]{1,19}", text):
            raise BadInput(f"read a {column} that is no whole number", "digits")
        return int(text)

    ids = cells.get("hash_ids", "").split()
    if not all(re.fullmatch("[0-9]{1,20}", one) for one in ids):
        raise BadInput("read hash_ids that are no whole numbers", "ids separated by spaces")
    output = whole("output_length") if cells.get("output_length", "").strip() else 0
    return _Row(whole("timestamp"), whole("input_length"), [int(one) for one in ids], output)


def _safe(error: Exception) -> str:
    """Only what a decoder says about shape and place; msgspec repeats no values."""
    return str(error) if isinstance(error, msgspec.DecodeError) else type(error).__name__
