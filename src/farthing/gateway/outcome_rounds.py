"""
The owner's rounds over outcomes: from the files that gateways wrote into the ledger, and only then off the disk.

Killed anywhere between, the next round reads the same files again; the ledger knows each outcome by its id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.errors import FarthingError
from farthing.ledger import outcome_spool
from farthing.ledger.outcome_spool import Damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from farthing.gateway.metrics import Metrics
    from farthing.ledger.outcome import OutcomeStore

_AT_ONCE = 10_000
"""Outcomes in one transaction, and in memory."""


class OutcomeRounds:
    """
    Takes the outcomes of a folder into a ledger.

    Args:
        ledger: The ledger's file; made if it is not there.
        folder: Where they lie, of this process and of others.
        metrics: Where they are counted.
        now: The time; aware, UTC.
        log: Gets one line where something went wrong.

    """

    def __init__(
        self,
        ledger: Path,
        folder: Path,
        metrics: Metrics,
        now: Callable[[], datetime],
        log: Callable[[str], None],
    ) -> None:
        self._ledger = ledger
        self._folder = folder
        self._metrics = metrics
        self._now = now
        self._log = log
        self._said = ""
        self._waiting = 0
        metrics.gauge("farthing_outcomes_waiting", lambda: self._waiting)

    def round(self) -> None:
        """One round; raises nothing that a ledger can cause."""
        from farthing.ledger.duckdb import DuckDBLedger  # noqa: PLC0415 - heavy, and not needed to forward

        try:
            paths = outcome_spool.waiting(self._folder)
            self._waiting = outcome_spool.count(paths)
            if not paths:
                return
            outcome_spool.delete_parts(self._folder)
            with DuckDBLedger(self._ledger) as ledger:
                done, why = self._take(ledger, paths)
            for path in done:
                outcome_spool.delete(path)
            self._waiting -= outcome_spool.count(done)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not end the rounds
            why = _why(error)
        if why:
            self._metrics.count("farthing_ingest_failures_total")
        if why and why != self._said:
            self._log(f"the ledger did not take outcomes, they are kept: {why}")
        self._said = why

    def _take(self, ledger: OutcomeStore, paths: Sequence[Path]) -> tuple[list[Path], str]:
        """Take files, first told first; those that the ledger has now, and why it does not have the others."""
        done: list[Path] = []
        why = ""
        for group in _groups(paths):
            try:
                self._take_group(ledger, group)
                done += group
            except Exception:  # noqa: BLE001 - whatever is wrong with one of them must not keep the others out
                for path in group:
                    try:
                        self._take_group(ledger, [path])
                        done.append(path)
                    except Damaged as damaged:
                        why = _why(damaged)
                        outcome_spool.set_aside(path)
                    except Exception as error:  # noqa: BLE001 - as above
                        why = _why(error)
        return done, why

    def _take_group(self, ledger: OutcomeStore, group: Sequence[Path]) -> None:
        outcomes = [outcome for path in group for outcome in outcome_spool.read(path)]
        added = ledger.add_outcomes(outcomes, received_at=self._now())
        for what, more in added._asdict().items():
            self._metrics.count("farthing_outcomes_ingested_total", what, more)


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, FarthingError | OSError) else f"{type(error).__name__}, a defect of farthing"


def _groups(paths: Sequence[Path]) -> Iterator[list[Path]]:
    group: list[Path] = []
    held = 0
    for path in paths:
        size = outcome_spool.count([path])
        if group and held + size > _AT_ONCE:
            yield group
            group, held = [], 0
        group.append(path)
        held += size
    if group:
        yield group
