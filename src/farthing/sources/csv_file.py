"""
CSV with a header line, one call a row.

Token columns may carry Anthropic's names (``input_tokens``, ``cache_read_input_tokens``, ...) or the ledger's
(``cache_read_tokens``, ``cache_write_5m_tokens``, ...). Every other column is what it would be in a JSON row.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from farthing.sources.jsonl import NumberedRow, calls_of
from farthing.sources.lines import IS_WIDE, WIDE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from farthing.call import Call
    from farthing.errors import ErrorRecord
    from farthing.sources.rows import Origin

FIELD_BYTES_MAX = 16 * 2**20

_COUNT_COLUMNS = {
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "cache_read_tokens": ("cache_read_input_tokens",),
    "cache_read_input_tokens": ("cache_read_input_tokens",),
    "cache_creation_input_tokens": ("cache_creation_input_tokens",),
    "cache_write_5m_tokens": ("cache_creation", "ephemeral_5m_input_tokens"),
    "cache_write_1h_tokens": ("cache_creation", "ephemeral_1h_input_tokens"),
    "ephemeral_5m_input_tokens": ("cache_creation", "ephemeral_5m_input_tokens"),
    "ephemeral_1h_input_tokens": ("cache_creation", "ephemeral_1h_input_tokens"),
    "thinking_tokens": ("output_tokens_details", "thinking_tokens"),
    "web_search_requests": ("server_tool_use", "web_search_requests"),
    "web_fetch_requests": ("server_tool_use", "web_fetch_requests"),
}
"""Where a column goes in a ``usage`` object."""
_TEXT_COLUMNS = ("service_tier", "speed", "inference_geo")
_NUMBER_COLUMNS = ("duration_ms", "ttft_ms")


def read_csv(stream: BinaryIO, name: str, origin: Origin) -> Iterator[Call | ErrorRecord]:
    """
    Every call in *stream*, in order, with an error record for each row that tells none.

    Args:
        stream: UTF-8 with or without a byte order mark; comma, semicolon or tab between columns.
        name: What error records call it.
        origin: What is known of all its rows.

    """
    rows = (one if one.row is None else one._replace(row=usage_row(one.row)) for one in read_cells(stream))
    return calls_of(rows, name, origin)


def usage_row(cells: Mapping[str, str]) -> dict[str, Any]:
    """
    One row of cells as the JSON row it stands for; empty cells are absent.

    A count that is no number stays text, so that the usage reader names it.
    """
    row: dict[str, Any] = {}
    usage: dict[str, Any] = {}
    for column, cell in cells.items():
        text = cell.strip()
        if not text:
            continue
        if column in _COUNT_COLUMNS:
            *holders, leaf = _COUNT_COLUMNS[column]
            target = usage
            for holder in holders:
                target = target.setdefault(holder, {})
            target[leaf] = _count(text)
        elif column in _TEXT_COLUMNS:
            usage[column] = text
        else:
            row[column] = _count(text) if column in _NUMBER_COLUMNS else text
    return row | {"usage": usage}


def read_cells(stream: BinaryIO) -> Iterator[NumberedRow]:
    """Every row of *stream* as its cells by their columns, or why there are none; as :func:`read_csv` reads it."""
    csv.field_size_limit(FIELD_BYTES_MAX)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield from _rows_of(text)
    finally:
        text.detach()  # the stream is its opener's to close


def _rows_of(text: TextIO) -> Iterator[NumberedRow]:
    head = text.readline()
    if head.encode(errors="surrogateescape").startswith(WIDE):
        yield NumberedRow(1, None, IS_WIDE)
        return
    delimiter = _delimiter(head)
    columns = [column.strip() for column in next(csv.reader([head], delimiter=delimiter), [])]
    if not columns or len(set(columns)) != len(columns):
        yield NumberedRow(1, None, "read a CSV file whose first line names no columns or one twice; expected a header")
        return
    reader = csv.reader(text, delimiter=delimiter)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield NumberedRow(reader.line_num + 1, None, f"read a row that is not CSV: {error}")
            continue
        if cells:
            yield _numbered(reader.line_num + 1, columns, cells)


def _numbered(number: int, columns: list[str], cells: list[str]) -> NumberedRow:
    if len(cells) != len(columns):
        return NumberedRow(number, None, f"read a row of {len(cells)} cells; expected {len(columns)}, as in the header")
    if any("\udc80" <= character <= "\udcff" for cell in cells for character in cell):
        return NumberedRow(number, None, "read bytes that are not UTF-8; expected CSV in UTF-8")
    return NumberedRow(number, dict(zip(columns, cells, strict=True)))


def _delimiter(head: str) -> str:
    return max(",;\t", key=head.count)


def _count(text: str) -> Any:
    digits = text.replace("_", "")
    return int(digits) if digits.lstrip("-").isascii() and digits.lstrip("-").isdigit() and len(digits) < 25 else text
