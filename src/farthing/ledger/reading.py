"""
A ledger file to look at: opened for reading alone, and only for as long as somebody looks.

DuckDB lets many processes read a file or one write it. Whoever fills the ledger opens it for short rounds, so a reader
that finds it locked tries again for a moment, and keeps it open no longer than one answer takes.
"""

from __future__ import annotations

import re
import time
from threading import RLock
from typing import TYPE_CHECKING

import duckdb

from farthing.errors import LedgerFault
from farthing.ledger.duckdb import DuckDBLedger
from farthing.ledger.store import migrations

if TYPE_CHECKING:
    from pathlib import Path

_STEP_S = 0.05
_LOCKED = re.compile(r"\block\b|different configuration")  # a damaged file's message speaks of a *block*


class DuckDBReader(DuckDBLedger):
    """
    A :class:`~farthing.ledger.duckdb.DuckDBLedger` that cannot be written to.

    Args:
        path: The file, which must be there.
        wait_s: How long to try again while another process writes it.
        memory_mb_max: What DuckDB may use.

    Raises:
        LedgerFault: It cannot be opened, is still being written after *wait_s*, or is of another version of farthing.

    """

    def __init__(self, path: Path, *, wait_s: float = 5.0, memory_mb_max: int = 1_000) -> None:
        self.path = path
        self._lock = RLock()
        self._next_no = 0
        self._connection = _opened(path, wait_s, memory_mb_max)
        version, newest = self._number("SELECT coalesce(max(version), 0) FROM schema_version"), migrations()[-1][0]
        if version != newest:
            self.close()
            what = "a newer farthing wrote it; upgrade" if version > newest else "farthing report brings it up to date"
            raise LedgerFault(f"cannot read the ledger {path}: its tables are version {version}, not {newest}; {what}")


def _opened(path: Path, wait_s: float, memory_mb_max: int) -> duckdb.DuckDBPyConnection:
    if not path.is_file():
        raise LedgerFault(f"found no ledger at {path}; run farthing import, farthing serve or farthing demo first")
    ends_at_s = time.monotonic() + wait_s
    while True:
        try:
            return duckdb.connect(str(path), read_only=True, config={"memory_limit": f"{memory_mb_max}MB"})
        except duckdb.Error as error:
            if not _LOCKED.search(str(error)):
                raise LedgerFault(f"cannot read the ledger {path}: {str(error).partition(chr(10))[0]}") from error
            if time.monotonic() >= ends_at_s:
                raise LedgerFault(f"cannot read the ledger {path} now: another process is writing it") from error
        time.sleep(_STEP_S)
