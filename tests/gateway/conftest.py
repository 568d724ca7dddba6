"""A gateway in front of a sandbox, both on loopback, with the ledger that it fills."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

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
    return msgspec.structs.replace(defaults, upstream=upstream, **{"shutdown_seconds": 30, **changes})


@pytest.fixture
def gateway_to(tmp_path):
    """Starts a gateway to an address."""
    with starting(lambda: tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
def lasting_gateway_to(tmp_path_factory):
    """Starts a gateway that serves all tests of a module, with a folder of its own."""
    with starting(lambda: tmp_path_factory.mktemp("gateway")) as started:
        yield started


@contextlib.contextmanager
def starting(folder):
    with contextlib.ExitStack() as stack:

        def started(upstream, *, now=None, **changes):
            log = []
            ledger = folder() / "ledger.duckdb"
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


class RawUpstream:
    """
    A socket that keeps the bytes of each request and answers as it is told.

    ``answer`` gets the head and the raw body, and gives the bytes to send and whether the connection goes on.
    """

    def __init__(self, listener):
        self.listener = listener
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.seen = []
        self.answer = lambda _head, _body: (OK, True)
        self._open = set()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.add(connection)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection):
        with connection, contextlib.suppress(OSError), connection.makefile("rb") as file:
            while head := read_head(file):
                body = raw_body(file, head)
                self.seen.append((head, body))
                data, goes_on = self.answer(head, body)
                connection.sendall(data)
                if not goes_on:
                    break
        self._open.discard(connection)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


def read_head(file):
    """Everything up to and with the blank line; empty at the end."""
    lines = []
    while line := file.readline():
        lines.append(line)
        if line == b"\r\n":
            return b"".join(lines)
    return b""


def fields(head):
    """The lower-case names and the values of a head's fields."""
    pairs = [line.split(b":", 1) for line in head.split(b"\r\n")[1:] if line]
    return [(name.lower(), value.strip()) for name, value in pairs]


def raw_body(file, head):
    """A body as it is framed, chunk lines included."""
    stated = dict(fields(head))
    if b"transfer-encoding" not in stated:
        return file.read(int(stated.get(b"content-length", 0)))
    raw = []
    while True:
        raw.append(file.readline())
        size = int(raw[-1].split(b";")[0] or b"0", 16)
        raw.append(file.read(size + 2))
        if size == 0:
            return b"".join(raw)


def unchunked(raw):
    """The payload of a chunked body and whether it came to its end, by a reading of its own."""
    payload, at = b"", 0
    while (end := raw.find(b"\r\n", at)) >= 0:
        size = int(raw[at:end].split(b";")[0], 16)
        if size == 0:
            return payload, raw[end:] == b"\r\n\r\n"
        payload += raw[end + 2 : end + 2 + size]
        at = end + 2 + size + 2
    return payload, False


class Answer(NamedTuple):
    """One answer of the gateway: ``whole`` says whether its framing came to an end."""

    status: int
    fields: list
    body: bytes
    whole: bool
    head: bytes

    def field(self, name):
        return dict(self.fields).get(name)


def read_answer(connection, *, to_head=False):
    """The next answer on a connection, interim ones passed over; None where the connection ends without one."""
    data = bytearray()
    while True:
        while (end := data.find(b"\r\n\r\n")) < 0:
            if not (piece := receive(connection)):
                return None
            data += piece
        head = bytes(data[: end + 4])
        del data[: end + 4]
        status = int(head.split(b" ", 2)[1])
        if status >= 200:
            break
    stated = fields(head)
    named = dict(stated)
    if to_head or status in {204, 304}:
        return Answer(status, stated, bytes(data), not data, head)
    if b"content-length" in named:
        length = int(named[b"content-length"])
        while len(data) < length and (piece := receive(connection)):
            data += piece
        return Answer(status, stated, bytes(data), len(data) == length, head)
    chunked = b"transfer-encoding" in named
    while not (chunked and data.endswith(b"0\r\n\r\n") and unchunked(data)[1]) and (piece := receive(connection)):
        data += piece
    payload, whole = unchunked(bytes(data)) if chunked else (bytes(data), True)
    return Answer(status, stated, payload, whole, head)


def read_one(connection):
    """As :func:`read_answer`, byte by byte, so that what follows stays on the connection; only for stated lengths."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        if not (byte := receive(connection, 1)):
            return None
        head += byte
    stated = fields(head)
    length, body = int(dict(stated).get(b"content-length", 0)), b""
    while len(body) < length and (piece := receive(connection, length - len(body))):
        body += piece
    return Answer(int(head.split(b" ", 2)[1]), stated, body, len(body) == length, head)


def receive(connection, bytes_max=65_536):
    """Some bytes; none where the other side is gone in whatever way."""
    try:
        return connection.recv(bytes_max)
    except ConnectionError:
        return b""


@contextlib.contextmanager
def connected(base_url, timeout_s=60):
    """A plain connection to a gateway."""
    where = urlsplit(base_url)
    with socket.create_connection((where.hostname, where.port), timeout=timeout_s) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


class Wire:
    """Bytes to a gateway and its answers back, for tests that look at each byte."""

    connected = staticmethod(connected)
    read_answer = staticmethod(read_answer)
    read_one = staticmethod(read_one)
    unchunked = staticmethod(unchunked)
    fields = staticmethod(fields)

    @staticmethod
    def talk(base_url, data, *, to_head=False, timeout_s=60):
        """Send *data* on a connection of its own and read one answer; None where there is none."""
        with connected(base_url, timeout_s) as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
            return read_answer(connection, to_head=to_head)

    @staticmethod
    def request(body=b"{}", *, method=b"POST", target=b"/v1/messages", headers=(b"x-api-key: sk-ant-api03-test",)):
        """A well-formed request."""
        lines = [b"%b %b HTTP/1.1" % (method, target), b"host: gateway", *headers]
        if body is not None:
            lines.append(b"content-length: %d" % len(body))
        return b"\r\n".join([*lines, b"", body or b""])


@pytest.fixture
def wire():
    return Wire


@pytest.fixture
def raw_upstream(lasting_upstream):
    """An upstream made of bytes, with nothing seen and nothing told."""
    lasting_upstream.seen.clear()
    lasting_upstream.answer = lambda _head, _body: (OK, True)
    return lasting_upstream


@pytest.fixture(scope="module")
def lasting_upstream():
    """An upstream made of bytes for all tests of a module."""
    upstream = RawUpstream(socket.create_server(("127.0.0.1", 0), backlog=512))
    thread = threading.Thread(target=upstream.serve, daemon=True)
    thread.start()
    yield upstream
    upstream.close()
    thread.join()


class Nursery:
    """Starts gateways in processes of their own, which may be told to die: see crashing.py."""

    def __init__(self, process):
        self._process = process
        self.pids = set()

    def _order(self, order):
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, folder, upstream, kill=None, *, port=0, file_bytes_max=0, **settings):
        order = {"folder": str(folder), "upstream": upstream, "kill": kill, "settings": settings, "port": port}
        order["file_bytes_max"] = file_bytes_max
        told = self._order({"start": order})
        self.pids.add(told["pid"])
        return told["pid"], told["base_url"]

    def end(self, pid, number=signal.SIGTERM):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        code = self._order({"wait": pid})["code"]
        self.pids.discard(pid)
        return code


@pytest.fixture(scope="module")
def nursery():
    command = [sys.executable, str(Path(__file__).with_name("crashing.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        nursery = Nursery(process)
        yield nursery
        for pid in list(nursery.pids):
            nursery.end(pid, signal.SIGKILL)
        process.stdin.close()
