"""One worker of a gateway of several: gets its orders through standard input, and ends when that does."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import threading
from pathlib import Path  # noqa: TC003 - pickle
from typing import TYPE_CHECKING, NamedTuple

from farthing.config import GatewaySettings  # noqa: TC001 - pickle
from farthing.errors import FarthingError
from farthing.gateway.board import Board
from farthing.gateway.metrics import Metrics
from farthing.gateway.server import GatewayServer, spare_collections
from farthing.limits.file import Limits  # noqa: TC001 - pickle

if TYPE_CHECKING:
    from farthing.prices.book import PriceBook
    from farthing.prices.contract_terms import ContractTerms

CANNOT_START = 3
"""Exit code of a worker that never served."""


class Orders(NamedTuple):
    """
    What a worker is told.

    Attributes:
        limits: What the limits file said when the first worker started: all go by the same, whenever they begin.
        listener: Descriptor of the socket that all workers take connections from.
        board: Folder of the figures. slot: which of them are this worker's, from 1.

    """

    settings: GatewaySettings
    ledger: Path
    book: PriceBook
    terms: ContractTerms | None
    limits: Limits | None
    listener: int
    board: Path
    slot: int


def main() -> None:
    """Serve as ordered, until SIGTERM or until whoever gave the orders is gone."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the server heeds it itself
    try:
        orders: Orders = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent
    except (EOFError, pickle.UnpicklingError):  # which is gone before it had said all
        sys.exit(CANNOT_START)
    metrics = Metrics(Board(orders.board, orders.slot, orders.settings.workers))
    try:
        server = GatewayServer(
            orders.settings,
            orders.ledger,
            book=orders.book,
            terms=orders.terms,
            listener=socket.socket(fileno=orders.listener),
            metrics=metrics,
            limits=orders.limits,
            owns_ledger=False,
            log=_log,
        )
    except FarthingError as error:
        _log(f"a worker cannot start: {error}")
        sys.exit(CANNOT_START)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.end_soon())
    threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
    spare_collections()
    server.run()
    sys.exit(0 if server.started else CANNOT_START)


def _end_with_parent(server: GatewayServer) -> None:
    while os.read(0, 4096):  # not through sys.stdin, whose lock a thread must not hold at the end
        pass
    server.end_soon()


def _log(line: str) -> None:
    os.write(2, f"{line}\n".encode())  # in one piece: lines of several workers do not mix
