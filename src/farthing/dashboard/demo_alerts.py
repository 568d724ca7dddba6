"""The demo's incidents: what a watcher would have found in its last days, by the real engine at the demo's clock."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from farthing.alerts.evaluate import Settings, evaluate
from farthing.alerts.store import STORE_NAME, AlertStore
from farthing.limits.file import read_limits

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from farthing.ledger.interface import Ledger

_ROUNDS = tuple(timedelta(days=days) for days in (5, 3, 1, 0))
"""How long before the clock's time. A watcher looks every hour; these few find the same, only later."""
_SMALL = Settings(stake_min_pusd=20 * 10**10)
"""The fleet spends some three dollars a day: twenty cents at stake are worth a line."""


def write_incidents(folder: Path, ledger: Ledger, limits: Path, now: datetime) -> None:
    """Judge the demo's ledger at a few times up to *now*; what a former run kept is dropped."""
    path = folder / STORE_NAME
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        file.unlink(missing_ok=True)
    store = AlertStore(path)
    try:
        for before in _ROUNDS:
            evaluate(ledger, now - before, store=store, budgets=read_limits(limits).budgets, settings=_SMALL)
    finally:
        store.close()
