"""Where calls are kept: one interface, an engine in memory and one in DuckDB, and the journals they are filled from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from farthing.ledger.interface import Ledger


def open_ledger(path: Path | None) -> Ledger:
    """
    Open the ledger in a file, made if it is not there; None or ``:memory:`` is one that ends with the process.

    Raises:
        LedgerFault: It cannot be opened; the message says why and what to do.

    """
    if path is None or str(path) == ":memory:":
        from farthing.ledger.memory import MemoryLedger  # noqa: PLC0415 - each engine loads only where it is used

        return MemoryLedger()
    from farthing.ledger.duckdb import DuckDBLedger  # noqa: PLC0415

    return DuckDBLedger(path)
