"""The gateway on a socket, in the foreground or in a thread."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import TYPE_CHECKING

from farthing.errors import BadConfig
from farthing.gateway.app import App, Options
from farthing.gateway.decide import Policy
from farthing.gateway.metrics import Metrics
from farthing.gateway.rules import read_rules
from farthing.gateway.running import Running, fingerprint_secret
from farthing.gateway.saying import never_failing
from farthing.gateway.serving import Serving, new_event_loop
from farthing.serving.address import listen

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from farthing.config import GatewaySettings
    from farthing.limits.file import Limits
    from farthing.prices.book import PriceBook
    from farthing.prices.contract_terms import ContractTerms

_NEW_OBJECTS_MAX = 10_000
"""So many more containers than before make the collector look for rings among the youngest."""
_STARTUP_S = 30.0


class GatewayServer:
    """
    One gateway that listens. The port is bound at once; requests are answered from :meth:`run` or :meth:`start` on.

    Args:
        settings: The section ``[gateway]``.
        ledger: The ledger's file; made if it is not there.
        book: What calls are posted at. terms: the contract beside it; None: none.
        host: An address of this machine.
        port: 0: any free one.
        log: Gets one line per request, without prompts or keys.
        now: The time; aware, UTC; None: the machine's.
        listener: A socket that listens already; then *host* and *port* do not count.
        metrics: Where everything is counted; None: in a place of its own.
        limits: What the limits file says; None: it is read here.
        owns_ledger: Whether it reads the journals into the ledger; else somebody else does.

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
        terms: ContractTerms | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        log: Callable[[str], None] = lambda _line: None,
        now: Callable[[], datetime] | None = None,
        listener: socket.socket | None = None,
        metrics: Metrics | None = None,
        limits: Limits | None = None,
        owns_ledger: bool = True,
    ) -> None:
        log = never_failing(log)
        self.metrics = metrics if metrics is not None else Metrics()
        clock = {} if now is None else {"now": now}
        rules = () if settings.rules is None else read_rules(settings.rules)
        keeps_content = settings.content != "none" or any(rule.content not in {None, "none"} for rule in rules)
        running = Running(
            settings,
            ledger,
            book=book,
            terms=terms,
            metrics=self.metrics,
            log=log,
            limits=limits,
            owns_ledger=owns_ledger,
            keeps_content=keeps_content,
            **clock,
        )
        options = Options(
            policy=Policy(settings.calls_max, settings.retries),
            rules=rules,
            content=settings.content if keeps_content else None,
            secret=fingerprint_secret(running.folder),
            metrics_token=_token(settings.metrics_token_file),
            log=log,
        )
        self.journals = running.folder
        self.listener = self._socket = listen(host, port) if listener is None else listener
        self._running = running
        self._log = log
        self._serving = Serving(
            self._socket,
            App(options, running, self.metrics).serve,
            head_timeout_s=settings.head_timeout_seconds,
            client_timeout_s=settings.client_timeout_seconds,
            shutdown_s=settings.shutdown_seconds,
            refused=lambda status: self.metrics.count("farthing_requests_total", str(status)),
            failed=log,
        )
        self._started = False
        self._thread: threading.Thread | None = None
        shown = f"[{host}]" if ":" in host else host
        self.base_url = f"http://{shown}:{self._socket.getsockname()[1]}"

    @property
    def started(self) -> bool:
        """Whether it could start."""
        return self._started

    def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C, then let open requests end and fill the ledger."""
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(self._run())

    def start(self) -> None:
        """Serve from a thread until :meth:`stop`."""
        self._thread = threading.Thread(target=self.run, name="farthing gateway", daemon=True)
        self._thread.start()
        waiting = threading.Event()
        for _ in range(int(_STARTUP_S / 0.01)):
            if self._started or not self._thread.is_alive():
                return
            waiting.wait(0.01)

    async def _run(self) -> None:
        with self._serving.heeding_signals():
            try:
                await self._running.start()
            except Exception as error:  # noqa: BLE001 - whatever it is, the operator must read it
                self._log(f"cannot start: {error}")
                return
            try:
                await self._serving.run(self._now_started)
            finally:
                await self._running.stop()

    def _now_started(self) -> None:
        self._started = True

    def end_soon(self) -> None:
        """Let :meth:`run` return, as on SIGTERM."""
        self._serving.end_soon()

    def stop(self) -> None:
        """End the thread, the ledger filled."""
        self.end_soon()
        if self._thread is not None:
            self._thread.join()
        self._socket.close()


def spare_collections() -> None:
    """What is there by now stays to the end, so the collector need not look at it with every few calls."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS_MAX, 20, 20)


def _token(file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        token = file.read_bytes().strip()
    except OSError as error:
        raise BadConfig(f"read {file}: {error.strerror}", "a file that holds the token for /metrics") from error
    if not token:
        raise BadConfig(f"read {file}, which is empty", "a file that holds the token for /metrics")
    return token
