"""JSON lines, one call each, in anybody's shape: see :mod:`farthing.sources.rows` for what is found in them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import msgspec

from farthing.errors import BadInput, ErrorRecord
from farthing.sources.lines import read_lines
from farthing.sources.rows import Origin, content_id, read_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from farthing.call import Call


class NumberedRow(NamedTuple):
    """A decoded row, or why there is none, and its line."""

    number: int
    row: Mapping[str, Any] | None
    error: str = ""


def read_jsonl(stream: BinaryIO, name: str, origin: Origin) -> Iterator[Call | ErrorRecord]:
    """
    Every call in *stream*, in order, with an :class:`~farthing.errors.ErrorRecord` for each line that tells none.

    Args:
        stream: Bytes; read line by line.
        name: What error records call it.
        origin: What is known of all its rows.

    """
    rows = (NumberedRow(line.number, line.value, line.error) for line in read_lines(stream))
    return calls_of(rows, name, origin)


def calls_of(rows: Iterable[NumberedRow], name: str, origin: Origin) -> Iterator[Call | ErrorRecord]:
    """Rows of one file as calls. Equal rows without an id of their own are told apart by their order."""
    seen: Counter[str] = Counter()
    for number, row, error in rows:
        if row is None:
            yield ErrorRecord(source=name, line=number, error=error)
            continue
        try:
            call = read_row(row, origin)
        except BadInput as bad:
            yield ErrorRecord(source=name, line=number, error=str(bad))
            continue
        if not call.call_id:
            first = content_id(origin.source, row, 0)
            call = msgspec.structs.replace(call, call_id=f"{first[:-1]}{seen[first]}")
            seen[first] += 1
        yield call
