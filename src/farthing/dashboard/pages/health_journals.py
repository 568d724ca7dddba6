"""The gateway's journals beside the ledger: what it does not have yet, and what nobody can read. Under *Health*."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from farthing.dashboard.blocks import Cell, Column, Table, Tile
from farthing.dashboard.cells import count, text
from farthing.errors import FarthingError
from farthing.ledger import journal
from farthing.units import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from farthing.dashboard.visit import Visit

_SHOWN = 50
_CHECKED_BYTES_MAX = 16 * 2**20
"""Lines of more than this are not gone through while somebody waits."""


class Journal(NamedTuple):
    """
    One file.

    Attributes:
        name: Of the file. size: in bytes. written_at: aware, UTC.
        behind: Bytes that the ledger has not read.
        damaged: Lines that cannot be read; None: not gone through.

    """

    name: str
    size: int
    written_at: datetime
    behind: int
    damaged: int | None


def journals(visit: Visit) -> list[Journal]:
    """Those in the folder, oldest first."""
    read_to = visit.reader.read_to()
    found: list[Journal] = []
    left = _CHECKED_BYTES_MAX
    for path in sorted(visit.desk.journals.glob(f"*{journal.SUFFIX}")) if visit.desk.journals.is_dir() else ():
        try:
            at = path.stat()
        except OSError:
            continue  # it was deleted while we looked
        left -= at.st_size
        damaged = _damaged(path) if left >= 0 else None
        behind = max(0, at.st_size - read_to.get(path.name, 0))
        found.append(Journal(path.name, at.st_size, datetime.fromtimestamp(at.st_mtime, UTC), behind, damaged))
    return found


def _damaged(path: Path) -> int | None:
    try:
        return sum(1 for one in journal.read(path) if one.error is not None)
    except FarthingError:
        return None


def tiles(found: list[Journal]) -> tuple[Tile, Tile]:
    """What is on its way into the ledger, and what was lost on it."""
    behind = sum(one.behind for one in found)
    damaged = sum(one.damaged or 0 for one in found)
    unchecked = sum(1 for one in found if one.damaged is None)
    return (
        Tile(
            "behind",
            "Not yet in the ledger",
            Cell(f"{behind:,} bytes" if behind else "nothing", behind),
            str(Kind.MEASURED),
            "of the journals; the next round takes it" if behind else "every line of every journal is in it",
        ),
        Tile(
            "dropped",
            "Records that cannot be read",
            count(damaged),
            str(Kind.MEASURED),
            f"{unchecked:,} journals were not gone through" if unchecked else "in the journals that are there",
            tone="bad" if damaged else "good",
        ),
    )


def table(visit: Visit, found: list[Journal]) -> Table:
    """The newest, with what the ledger has of each."""
    columns = (
        Column("journal", "Journal"),
        Column("bytes", "Bytes", is_number=True),
        Column("behind_bytes", "Not yet in the ledger", is_number=True),
        Column("damaged", "Damaged lines", is_number=True),
        Column("written", "Last written"),
    )
    rows = tuple(
        (
            text(one.name),
            count(one.size),
            count(one.behind),
            Cell("not gone through", None, tone="quiet") if one.damaged is None else count(one.damaged),
            Cell(f"{one.written_at.astimezone(visit.zone):%-d %b %Y %H:%M}", one.written_at.isoformat()),
        )
        for one in found[-_SHOWN:]
    )
    note = f"The newest {_SHOWN} of {len(found):,}." if len(found) > _SHOWN else ""
    empty = "There are none: farthing serve writes them."
    return Table("journals", "The gateway's journals", columns, rows, note=note, empty=empty)
