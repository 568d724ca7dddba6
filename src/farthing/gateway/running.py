"""What a gateway needs while it runs, opened in order and closed in the opposite one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from farthing.errors import BadConfig, LedgerFault
from farthing.gateway.batches import Batches
from farthing.gateway.collect import Collector
from farthing.gateway.content import Terms
from farthing.gateway.content_keeper import Keeper, retention
from farthing.gateway.desk import Desk, Held
from farthing.gateway.drain import Drain
from farthing.gateway.fingerprint import Fingerprinter
from farthing.gateway.key_file import KeyFile
from farthing.gateway.limiting import Limiter
from farthing.gateway.outcomes import OutcomeDesk
from farthing.gateway.owner import Owner
from farthing.gateway.pool import Pool, upstream
from farthing.gateway.reading import Books
from farthing.gateway.recorder import Recorder
from farthing.gateway.truth import Truth
from farthing.ledger import outcome_spool
from farthing.ledger.content import CONTENT_NAME
from farthing.limits.file import read_limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farthing.config import GatewaySettings
    from farthing.gateway.keys import Ring
    from farthing.gateway.metrics import Metrics
    from farthing.limits.file import Limits
    from farthing.prices.book import PriceBook
    from farthing.prices.contract_terms import ContractTerms

_HELD_BYTES_MAX = 512 * 2**20
"""Requests held at once, over all clients."""
_COLLECT_S_MAX = 10.0
_CONTENT_S_MAX = 10.0
_SMALL_ROUND_S = 1.0


class Running:
    """
    Journal, ledger's owner and connections of one process.

    Args:
        settings: The section ``[gateway]``.
        ledger: The ledger's file.
        book: What calls are posted at. terms: the contract beside it; None: none.
        metrics: Where everything is counted.
        log: Gets a line where something goes wrong.
        now: The time; aware, UTC.
        limits: What the limits file says; None: it is read here.
        owns_ledger: Whether the journals are read into the ledger here; else another process does.
        keeps_content: Whether there may be calls whose bodies are kept in whatever form.

    Raises:
        BadConfig: The upstream's address, its certificates or the keys cannot be read.

    """

    def __init__(
        self,
        settings: GatewaySettings,
        ledger: Path,
        *,
        book: PriceBook,
        terms: ContractTerms | None,
        metrics: Metrics,
        log: Callable[[str], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        limits: Limits | None = None,
        owns_ledger: bool = True,
        keeps_content: bool = False,
    ) -> None:
        self.folder = journals_folder(settings, ledger)
        self._ledger = ledger
        self._settings = settings
        self._book = book
        self._terms = terms
        self._metrics = metrics
        self._log = log
        self.now = now
        self._keys = None if settings.keys is None else KeyFile(settings.keys, log)
        self._limits = read_limits(settings.limits) if limits is None and settings.limits is not None else limits
        self._truth = Truth(self._limits, ledger, self.folder, log)
        self._limiter: Limiter | None = None
        self.outcomes = OutcomeDesk(self.folder / outcome_spool.FOLDER, metrics, now, log)
        self._upstream = upstream(settings.upstream, settings.ca_file)
        self._keeps_content = keeps_content
        self._keeper: Keeper | None = None
        self._owner: Owner | None = None
        if owns_ledger:
            tidy, days = retention(settings, ledger, log, now), settings.journal_days
            after = (tidy.round, self._truth.round)
            self._owner = Owner(ledger, self.folder, metrics, log, journal_days=days, after=after, now=now)
        self._desk: Desk | None = None
        self._collector: Collector | None = None
        self._recorder: Recorder | None = None
        self._rounds: list[asyncio.Task[None]] = []

    @property
    def ring(self) -> Ring | None:
        """The virtual keys in force; None: callers use credentials of their own."""
        return None if self._keys is None else self._keys.ring

    def reload(self) -> None:
        """Read the file of keys again."""
        if self._keys is not None:
            self._keys.reload()

    @property
    def is_ready(self) -> bool:
        """Whether requests can be taken."""
        return self._desk is not None

    @property
    def desk(self) -> Desk:
        """What exchanges share."""
        assert self._desk is not None
        return self._desk

    async def start(self) -> None:
        """
        Recover what former runs left, and begin a journal.

        Raises:
            LedgerFault: The journal cannot be begun.

        """
        if self._owner is not None:
            unsettled = await self._owner.recover()
            self._truth.begin(self.now(), unsettled=unsettled)
        settings, metrics, now = self._settings, self._metrics, self.now
        recorder = Recorder(
            self.folder,
            book=self._book,
            terms=self._terms,
            metrics=metrics,
            now=now,
            fsync=settings.fsync,
            log=self._log,
        )
        limiter = self._limiter = self._new_limiter(recorder.path.stem)
        books = Books(recorder, Batches(recorder, metrics, now, limiter), metrics)
        pool = Pool(
            self._upstream,
            connect_timeout_s=settings.connect_timeout_seconds,
            read_timeout_s=settings.read_timeout_seconds,
        )
        metrics.gauge("farthing_upstream_connections", lambda: pool.open)
        metrics.gauge("farthing_upstream_connections_idle", lambda: pool.idle)
        drain = Drain(settings.client_gone, calls_max=settings.drain_calls_max, seconds_max=settings.drain_seconds_max)
        self._recorder, self._collector = recorder, Collector(pool, books, now)
        self._desk = Desk(
            pool,
            books,
            drain,
            Held(_HELD_BYTES_MAX),
            now,
            self._collector.collect,
            Fingerprinter(self._prompt_failed),
            limiter,
            self._new_keeper(),
        )
        metrics.gauge("farthing_workers", lambda: int(self._desk is not None))
        metrics.publish()
        self._heed_hangup()
        loop = asyncio.get_running_loop()
        self._rounds.append(loop.create_task(self._small_rounds(), name="gateway: small rounds"))
        if self._owner is not None:
            rounds = self._owner.run(settings.ingest_seconds, recorder.flush)
            self._rounds.append(loop.create_task(rounds, name="gateway: journals into the ledger"))

    def _new_limiter(self, holder: str) -> Limiter | None:
        if self._limits is None:
            return None
        return Limiter(
            self._limits,
            self._ledger.parent,
            holder=holder,
            book=self._book,
            metrics=self._metrics,
            log=self._log,
            now=self.now,
        )

    def _new_keeper(self) -> Keeper | None:
        if self._keeps_content:
            terms = Terms(self._settings.content_bytes_max, fingerprint_secret(self.folder))
            self._keeper = Keeper(self._ledger.with_name(CONTENT_NAME), terms, self._metrics, self._log)
        return self._keeper

    def _heed_hangup(self) -> None:
        """SIGHUP means :meth:`reload`, where this is the main thread; it ends nothing, or calls would be lost."""
        if threading.current_thread() is threading.main_thread():
            with contextlib.suppress(NotImplementedError):  # Windows
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload)

    async def _small_rounds(self) -> None:
        while True:
            await asyncio.sleep(_SMALL_ROUND_S)
            try:
                self._small_round()
            except Exception as error:  # noqa: BLE001 - a defect of ours must not end the rounds
                self._log(f"a round failed: {type(error).__name__}, a defect of farthing")
            self._metrics.publish()

    def _small_round(self) -> None:
        assert self._recorder is not None
        self._recorder.flush()
        if self._limiter is not None:
            self._limiter.tick()
        if self._keeper is not None:
            self._keeper.tick()
        if self._keys is not None:
            self._keys.refresh()

    def _prompt_failed(self, why: str) -> None:
        self._metrics.count("farthing_metering_failures_total", why)

    async def stop(self) -> None:
        """Close everything, the ledger last; what fails is logged and stops nothing else."""
        desk, recorder, self._desk = self._desk, self._recorder, None
        self._metrics.publish()
        if self._collector is not None:
            await self._collector.close(_COLLECT_S_MAX)
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.close, _CONTENT_S_MAX)
            self._keeper.tick()
        for task in self._rounds:
            task.cancel()
        await asyncio.gather(*self._rounds, return_exceptions=True)
        if self._limiter is not None:
            self._limiter.close()
        if desk is not None:
            desk.pool.close()
        try:
            if recorder is not None:
                recorder.close()
        except OSError as error:
            self._log(f"closing the journal: {error.strerror}")
        await self.outcomes.close()
        if self._owner is not None:
            await asyncio.to_thread(self._owner.ingest)


def journals_folder(settings: GatewaySettings, ledger: Path) -> Path:
    """
    Where journals lie: where the settings say, or beside the ledger. Made if it is not there.

    Raises:
        LedgerFault: It cannot be made.

    """
    folder = settings.journals if settings.journals is not None else ledger.parent / "journals"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise LedgerFault(f"cannot make the folder of journals {folder}: {error.strerror}") from error
    return folder


def fingerprint_secret(folder: Path) -> bytes:
    """
    The key of key fingerprints, made on first use and kept beside the journals.

    Raises:
        BadConfig: It cannot be read or made.

    """
    path = folder / "fingerprint.key"
    try:
        with contextlib.suppress(FileExistsError):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "w", encoding="ascii") as made:
                made.write(secrets.token_hex(32))
        return bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise BadConfig(f"read {path}", "64 hexadecimal digits, or no such file yet") from error
