"""A gateway in front of a sandbox, both on loopback, with the ledger that it fills."""

import contextlib

import msgspec
import pytest

from farthing import testing
from farthing.config import load
from farthing.gateway.server import GatewayServer
from farthing.ledger import open_ledger
from farthing.ledger.interface import Query
from farthing.prices.book import shipped_book


class Gateway:
    """A running gateway, for a test. ``stop`` fills the ledger; then ``calls`` tells what is in it."""

    def __init__(self, server, ledger, log):
        self.server = server
        self.base_url = server.base_url
        self.metrics = server.metrics
        self.ledger = ledger
        self.log = log
        self._stopped = False

    def stop(self):
        if not self._stopped:
            self._stopped = True
            self.server.stop()

    @property
    def calls(self):
        self.stop()
        with open_ledger(self.ledger) as ledger:
            return list(ledger.calls(Query()))

    @property
    def unsettled(self):
        self.stop()
        with open_ledger(self.ledger) as ledger:
            return ledger.unsettled()

    @property
    def total_pusd(self):
        return sum(stored.posting.list_pusd for stored in self.calls)

    @property
    def journal(self):
        return b"".join(path.read_bytes() for path in sorted(self.server.journals.glob("*.journal")))


def settings(upstream, **changes):
    defaults = load(environment={"HOME": "/nowhere"}).config.gateway
    return msgspec.structs.replace(defaults, upstream=upstream, **{"shutdown_seconds": 5, **changes})


@pytest.fixture
def gateway_to(tmp_path):
    """Starts a gateway to an address."""
    with contextlib.ExitStack() as stack:

        def started(upstream, *, now=None, **changes):
            log = []
            ledger = tmp_path / "ledger.duckdb"
            server = GatewayServer(settings(upstream, **changes), ledger, book=shipped_book(), log=log.append, now=now)
            server.start()
            assert server.started, log
            gateway = Gateway(server, ledger, log)
            stack.callback(gateway.stop)
            return gateway

        yield started


@pytest.fixture
def box():
    with testing.sandbox() as box:
        yield box


@pytest.fixture
def gateway(box, gateway_to):
    """A gateway in front of the sandbox, on the sandbox's clock."""
    return gateway_to(box.base_url, now=box.clock.now)
