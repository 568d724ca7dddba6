"""
A gateway of several processes on one port: this one keeps the workers and owns the ledger, and serves nothing itself.

Workers inherit one listening socket. A connection waits in one queue for whoever is free, and if a worker dies, those
in the queue are taken by the others; with a socket for each (SO_REUSEPORT) they would be reset with it. Each worker
writes a journal of its own, and the owner here reads them all, those of the dead as well: a ledger has one writer.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from farthing.gateway.board import Board
from farthing.gateway.content_keeper import retention
from farthing.gateway.metrics import Metrics
from farthing.gateway.owner import Owner
from farthing.gateway.saying import never_failing
from farthing.gateway.server import GatewayServer
from farthing.gateway.truth import Truth
from farthing.gateway.worker import CANNOT_START, Orders
from farthing.limits.file import read_limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.config import GatewaySettings
    from farthing.prices.book import PriceBook
    from farthing.prices.contract_terms import ContractTerms

_START = "import sys; sys.path[:] = sys.argv[1:]; from farthing.gateway.worker import main; main()"
_PAUSE_S_MIN, _PAUSE_S_MAX, _SOUND_S = 0.1, 30.0, 10.0
_SLACK_S = 20.0


def pause_s(last_s: float, lived_s: float) -> float:
    """
    How long until a worker that ended is replaced: at once where it lived, ever longer where it keeps dying.

    Args:
        last_s: The pause before it started; 0 for the first one.
        lived_s: How long it lived.

    >>> pause_s(0, 3600), pause_s(0.1, 0.5), pause_s(30, 0.5)
    (0.1, 0.2, 30.0)

    """
    return _PAUSE_S_MIN if lived_s >= _SOUND_S else min(_PAUSE_S_MAX, max(_PAUSE_S_MIN, 2 * last_s))


class Supervisor:
    """
    A gateway of ``settings.workers`` processes. The port is bound at once; requests are answered from :meth:`run` on.

    Args:
        settings: The section ``[gateway]``.
        ledger: The ledger's file; made if it is not there.
        book: What calls are posted at. terms: the contract beside it; None: none.
        host: An address of this machine.
        port: 0: any free one.
        log: Gets one line where something happens to a worker or to the ledger; workers write to standard error.

    Attributes:
        base_url: Where it listens.
        started: Whether it could start.

    Raises:
        BadInput: The address cannot be had. BadConfig: a setting cannot be used.
        LedgerFault: The folder of journals cannot be made.

    """

    def __init__(
        self,
        settings: GatewaySettings,
        ledger: Path,
        *,
        book: PriceBook,
        terms: ContractTerms | None,
        host: str,
        port: int,
        log: Callable[[str], None],
    ) -> None:
        self._limits = limits = None if settings.limits is None else read_limits(settings.limits)
        # A server that is never run: it binds the port and checks what every worker will be told.
        server = GatewayServer(settings, ledger, book=book, terms=terms, host=host, port=port, log=log, limits=limits)
        self.base_url, self.journals = server.base_url, server.journals
        self.started = True
        self._bound = server.listener
        self._told = (settings, ledger, book, terms)
        self._settings = settings
        self._log = never_failing(log)
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._end_asked = False

    def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C, then let open requests end and fill the ledger."""
        with tempfile.TemporaryDirectory(prefix="farthing-") as folder:
            asyncio.run(self._run(Path(folder)))

    def end_soon(self) -> None:
        """Let :meth:`run` return, as on SIGTERM."""
        self._end_asked = True
        if self._loop is not None and self._ending is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended already
                self._loop.call_soon_threadsafe(self._ending.set)

    async def _run(self, folder: Path) -> None:
        loop = self._loop = asyncio.get_running_loop()
        ending = self._ending = asyncio.Event()
        if self._end_asked:
            ending.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end_soon)
        loop.add_signal_handler(signal.SIGHUP, self._pass_on_hangup)
        board = Board(folder, 0, self._settings.workers)
        metrics = Metrics(board)
        ledger, days = self._told[1], self._settings.journal_days
        tidy = retention(self._settings, ledger, self._log, lambda: datetime.now(UTC))
        truth = Truth(self._limits, ledger, self.journals, self._log)
        after = (tidy.round, truth.round)
        owner = Owner(ledger, self.journals, metrics, self._log, journal_days=days, after=after)
        truth.begin(datetime.now(UTC), unsettled=await owner.recover())
        rounds = loop.create_task(owner.run(self._settings.ingest_seconds, metrics.publish), name="gateway: ledger")
        keepers = [
            loop.create_task(self._keep(slot, folder, board, metrics), name=f"gateway: worker {slot}")
            for slot in range(1, self._settings.workers + 1)
        ]
        await ending.wait()
        self._bound.close()
        self._tell(signal.SIGTERM)
        _, late = await asyncio.wait(keepers, timeout=2 * self._settings.shutdown_seconds + _SLACK_S)
        if late:
            self._tell(signal.SIGKILL)
        await asyncio.gather(*keepers)
        rounds.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await rounds
        await asyncio.to_thread(owner.ingest)

    async def _keep(self, slot: int, folder: Path, board: Board, metrics: Metrics) -> None:
        """Keep one worker running."""
        assert self._loop is not None
        assert self._ending is not None
        waited_s, first = 0.0, True
        while not self._ending.is_set():
            begun_s = self._loop.time()
            code = await self._one_life(slot, folder)
            board.slots[slot].take_down()
            if self._ending.is_set():
                return
            if first and code == CANNOT_START:
                self.started = False
                self.end_soon()
                return
            first, waited_s = False, pause_s(waited_s, self._loop.time() - begun_s)
            metrics.count("farthing_worker_restarts_total")
            self._log(f"worker {slot} ended with {code}; another one starts in {waited_s:g} s")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(waited_s):
                    await self._ending.wait()

    async def _one_life(self, slot: int, folder: Path) -> int:
        """Start one worker and wait for its end; its exit code."""
        settings, ledger, book, terms = self._told
        orders = Orders(settings, ledger, book, terms, self._limits, self._bound.fileno(), folder, slot)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _START, *sys.path),
            stdin=asyncio.subprocess.PIPE,  # stays open: its end tells the worker that we are gone
            pass_fds=(self._bound.fileno(),),
            start_new_session=True,  # Ctrl-C is for us, and we tell the workers
        )
        self._processes[slot] = process
        assert process.stdin is not None
        try:
            with contextlib.suppress(ConnectionError):
                process.stdin.write(pickle.dumps(orders))
                await process.stdin.drain()
            if self._end_asked:
                process.terminate()
            return await process.wait()
        finally:
            del self._processes[slot]

    def _tell(self, number: signal.Signals) -> None:
        for process in tuple(self._processes.values()):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    def _pass_on_hangup(self) -> None:
        self._tell(signal.SIGHUP)
