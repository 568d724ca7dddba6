"""Outcomes in files: JSON lines or CSV with a header, one a row. A bad row is an error record beside the good ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from farthing.errors import BadInput, ErrorRecord
from farthing.sources.csv_file import read_cells
from farthing.sources.jsonl import NumberedRow
from farthing.sources.lines import read_lines
from farthing.sources.outcomes import DECODER, FIELDS, LACKS, is_event, read_outcome
from farthing.sources.rows import at_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from farthing.ledger.outcome import Outcome

_TAG = "tag:"


def parse_outcome_map(texts: Iterable[str]) -> dict[str, str]:
    """
    Where a file has the fields of an outcome: ``id=ticket_no,tag:ticket=ticket_no``. ``tag:NAME`` joins by that tag.

    Raises:
        BadInput: A part is no such pair, or names no field of an outcome.

    """
    found: dict[str, str] = {}
    for part in (part.strip() for text in texts for part in text.split(",")):
        name, equals, path = (piece.strip() for piece in part.partition("="))
        if not (equals and name and path):
            raise BadInput(f"read --map {part!r}", "name=path, such as id=ticket_no")
        if name not in FIELDS and not (name.startswith(_TAG) and len(name) > len(_TAG)):
            raise BadInput(f"read --map {part!r}", f"a field of an outcome ({', '.join(FIELDS)}) or tag:NAME")
        found[name] = path
    return found


def read_outcome_lines(stream: BinaryIO, name: str, mapping: Mapping[str, str]) -> Iterator[Outcome | ErrorRecord]:
    """
    Every outcome in JSON lines: our own shape, CloudEvents, or with *mapping* anybody's.

    Args:
        stream: Bytes; read line by line.
        name: What error records call it.
        mapping: As :func:`parse_outcome_map` reads it; a dotted path for a field. Not empty: other fields are ignored.

    """
    lines = read_lines(stream, decode=DECODER.decode)
    rows = (NumberedRow(line.number, line.value, line.error) for line in lines)
    return _outcomes(rows, name, mapping, strict=not mapping)


def read_outcome_csv(stream: BinaryIO, name: str, mapping: Mapping[str, str]) -> Iterator[Outcome | ErrorRecord]:
    """As :func:`read_outcome_lines`, from CSV with a header; empty cells are absent, unknown columns are ignored."""
    rows = (
        one if one.row is None else one._replace(row={column: cell for column, cell in one.row.items() if cell.strip()})
        for one in read_cells(stream)
    )
    return _outcomes(rows, name, mapping, strict=False)


def _outcomes(
    rows: Iterable[NumberedRow], name: str, mapping: Mapping[str, str], *, strict: bool
) -> Iterator[Outcome | ErrorRecord]:
    for number, row, error in rows:
        if row is None:
            yield ErrorRecord(source=name, line=number, error=error)
            continue
        read = read_outcome(_mapped(row, mapping), strict=strict)
        if isinstance(read, BadInput):
            hint = "" if mapping else "; --map says where a file has it under another name"
            yield ErrorRecord(source=name, line=number, error=f"{read}{hint if read.read in LACKS else ''}")
        else:
            yield read


def _mapped(row: Mapping[str, Any], mapping: Mapping[str, str]) -> Mapping[str, Any]:
    if not mapping or is_event(row):
        return row
    found = dict(row)
    for name, path in mapping.items():
        value = at_path(row, path)
        if name.startswith(_TAG):
            found["tag"] = None if value is None else {name.removeprefix(_TAG): value}
        else:
            found[name] = value
    return found
