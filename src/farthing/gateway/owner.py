"""
The journals' owner: fills the ledger from them, at the start, every few seconds and at the end.

The ledger's file is opened for each round and closed after it, so that reports can be made while the gateway runs. A
ledger that is locked or gone costs nothing but time: journals are kept, and the next round reads on.
"""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from farthing.errors import FarthingError
from farthing.gateway.outcome_rounds import OutcomeRounds
from farthing.ledger import outcome_spool
from farthing.ledger.journal import SUFFIX, is_written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from farthing.gateway.metrics import Metrics

_SELDOM = 30
"""So many times as long as a round took passes before the next one, where that is longer than was set."""
_ROUNDS_LEFT_OUT_MAX = 4


class Owner:
    """
    Ingests every journal of a folder, and the outcomes that lie beside them.

    Args:
        ledger: The ledger's file; made if it is not there.
        folder: Where journals lie, of this process and of others.
        metrics: Where failures are counted.
        journal_days: How many days after its last record a journal that is in the ledger, and whose writer is gone, is
            deleted; 0: never.
        log: Gets one line where something went wrong or a call is left unsettled by a former run.
        after: Called in turn at the end of each round, in the round's thread; they must not raise.
        now: The time; aware, UTC.

    """

    def __init__(
        self,
        ledger: Path,
        folder: Path,
        metrics: Metrics,
        log: Callable[[str], None],
        *,
        journal_days: int = 0,
        after: Sequence[Callable[[], None]] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._outcomes = OutcomeRounds(ledger, folder / outcome_spool.FOLDER, metrics, now, log)
        self._journal_days = journal_days
        self._after = after
        self._ended: set[Path] = set()
        self._ledger = ledger
        self._folder = folder
        self._metrics = metrics
        self._log = log
        self._read_bytes: dict[Path, int] = {}
        self._said = ""
        self._unsettled = 0
        self._turn = threading.Lock()
        metrics.gauge("farthing_unsettled_calls", lambda: self._unsettled)

    async def recover(self) -> int:
        """The first round, before any new call: says and returns how many calls a former run left unsettled."""
        await asyncio.to_thread(self.ingest)
        if self._unsettled:
            self._log(f"{self._unsettled} calls began in a former run and have no outcome; they may have been billed")
        return self._unsettled

    async def run(self, every_s: float, before: Callable[[], None]) -> None:
        """
        Rounds until cancelled, and *before* each *every_s*.

        Opening and closing the ledger costs the same whatever is read, so rounds that take long come seldom.
        """
        waited_s = wait_s = 0.0
        while True:
            await asyncio.sleep(every_s)
            before()
            waited_s += every_s
            if waited_s >= wait_s:
                began_s = time.monotonic()
                await asyncio.to_thread(self.ingest)
                wait_s = min((time.monotonic() - began_s) * _SELDOM, every_s * _ROUNDS_LEFT_OUT_MAX)
                waited_s = 0.0

    def ingest(self) -> None:
        """
        One round; raises nothing that a ledger can cause.

        A round goes on in its thread when whoever awaited it is cancelled, and the next one waits for it: two at a time
        would share the ledger's file, see nothing of each other's postings, and post the same calls twice.
        """
        with self._turn:
            self._ingest()
            self._outcomes.round()
            for then in self._after:
                then()

    def _ingest(self) -> None:
        from farthing.ledger.duckdb import DuckDBLedger  # noqa: PLC0415 - heavy, and not needed to forward

        try:
            sizes = {path: path.stat().st_size for path in sorted(self._folder.glob(f"*{SUFFIX}"))}
            # Judged before they are read, so that nothing can come after what is read of one that has ended.
            ended = {path for path, size in sizes.items() if size and not is_written(path)}
            grown = [path for path, size in sizes.items() if size != self._read_bytes.get(path)]
            grown += sorted(ended - self._ended - set(grown))
            if not grown:
                self._delete_old(ended)
                return
            with DuckDBLedger(self._ledger) as ledger:
                done = ledger.ingest(grown, ended)
        except (FarthingError, OSError) as error:
            self._failed(str(error))
            return
        except Exception as error:  # noqa: BLE001 - a defect of ours must not end the rounds, nor the gateway's last one
            self._failed(f"{type(error).__name__}, a defect of farthing")
            return
        self._said = ""
        self._unsettled = len(done.unsettled)
        self._read_bytes |= {path: sizes[path] for path in grown}
        self._ended = ended
        if done.recovered.new:
            self._metrics.count("farthing_recovered_calls_total", more=done.recovered.new)
            self._log(
                f"{done.recovered.new} calls whose process was killed were posted from the starts of their answers"
            )
        for bad in done.errors:
            self._log(f"journal {bad.source}: {bad.error}")
        self._delete_old(ended)

    def _delete_old(self, ended: Iterable[Path]) -> None:
        """Delete journals that are in the ledger and old. The ledger keeps in mind that it read them."""
        if not self._journal_days:
            return
        before_s = time.time() - self._journal_days * 86_400
        for path in ended:
            try:
                stat = path.stat()
                if stat.st_mtime < before_s and stat.st_size == self._read_bytes.get(path):
                    path.unlink()
                    del self._read_bytes[path]
            except OSError as error:
                self._say(f"cannot delete the journal {path.name}: {error.strerror}")

    def _failed(self, why: str) -> None:
        self._metrics.count("farthing_ingest_failures_total")
        self._say(f"the ledger did not take the journals, they are kept: {why}")

    def _say(self, line: str) -> None:
        """Log a line, but not the same one round after round."""
        if line != self._said:
            self._said = line
            self._log(line)
