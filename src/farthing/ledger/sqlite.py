"""
The small SQLite files that lie beside a ledger: opened one way, each with a version of its own.

Several processes of one machine may open one at the same time: whoever is first makes the tables.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from farthing.errors import LedgerFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

WAL = ("journal_mode = WAL", "synchronous = NORMAL")
"""For files that are written often: who reads never waits for who writes, and a power cut may lose the last moment."""


class Layout(NamedTuple):
    """
    What is in a file.

    Attributes:
        what: The file in words, for errors. version: of its tables.
        tables: Statements that make them, each ended by a semicolon.

    """

    what: str
    version: int
    tables: str


def open_file(path: Path, layout: Layout, *, busy_s: float, pragmas: Sequence[str] = ()) -> sqlite3.Connection:
    """
    Open a file, or make it; transactions are begun by hand (:func:`transaction`).

    Args:
        path: The file; its folder is made as well.
        layout: What is in it.
        busy_s: How long a statement waits for other processes.
        pragmas: Set before anything else.

    Raises:
        LedgerFault: It was made by another version of farthing.
        sqlite3.Error, OSError: It cannot be opened, or is no such file.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=busy_s, isolation_level=None)
    try:
        for pragma in pragmas:
            db.execute(f"PRAGMA {pragma}")
        version = _version(db)
        if version == 0:
            with transaction(db):
                version = _version(db)
                if version == 0:
                    for statement in filter(str.strip, layout.tables.split(";")):
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version = {layout.version}")
                    version = layout.version
    except BaseException:
        db.close()
        raise
    if version != layout.version:
        db.close()
        raise LedgerFault(
            f"read {path.name}: version {version} of {layout.what}, expected {layout.version}; use the farthing that "
            "made it, or move it away: a new one is made"
        )
    return db


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)


@contextmanager
def transaction(db: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """Everything in it, or, where it raises, nothing of it."""
    db.execute(begin)
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # some errors end it by themselves
            db.execute("ROLLBACK")
        raise
