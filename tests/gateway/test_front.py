"""A client's connection: what clients may do with it beside one plain request, and how it ends."""

import asyncio
import contextlib
import socket
import sys
import threading
import time

import pytest

from farthing.gateway import serving
from farthing.gateway.serving import Serving, new_event_loop

BODY = b'{"model":"claude-sonnet-5"}'


def chunked(*pieces):
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


@pytest.fixture
def gateway(raw_upstream, gateway_to):
    return gateway_to(raw_upstream.url)


def test_requests_follow_one_another_on_one_connection(raw_upstream, gateway, wire):
    with wire.connected(gateway.base_url) as connection:
        for method in (b"POST", b"GET", b"HEAD", b"DELETE", b"POST"):
            target = b"/v1/messages" if method == b"POST" else b"/v1/files/f"
            connection.sendall(wire.request(BODY if method == b"POST" else None, method=method, target=target))
            answer = wire.read_answer(connection, to_head=method == b"HEAD")
            assert (answer.status, answer.whole, answer.field(b"connection")) == (200, True, None)
    assert [head.split(b" ")[0] for head, _ in raw_upstream.seen] == [b"POST", b"GET", b"HEAD", b"DELETE", b"POST"]


def test_a_connection_that_should_close_closes(raw_upstream, gateway, wire):
    with wire.connected(gateway.base_url) as connection:
        connection.sendall(wire.request(BODY, headers=(b"x-api-key: k", b"connection: close")))
        answer = wire.read_answer(connection)
        assert (answer.status, answer.field(b"connection"), answer.whole) == (200, b"close", True)
        assert connection.recv(100) == b""


@pytest.mark.parametrize("framing", ["length", "chunks", "in two parts"])
def test_an_offer_of_another_protocol_is_passed_over(raw_upstream, gateway, wire, framing):
    offer = (b"x-api-key: k", b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: AAMA")
    data = wire.request(BODY, headers=offer)
    if framing == "chunks":
        head = data.partition(b"content-length")[0]
        data = head + b"transfer-encoding: chunked\r\n\r\n" + chunked(BODY[:5], BODY[5:]) + b"0\r\n\r\n"
    with wire.connected(gateway.base_url) as connection:
        cut = len(data) - 10
        pieces = [data[:cut], data[cut:]] if framing == "in two parts" else [data]
        for piece in pieces:
            connection.sendall(piece)
        assert wire.read_answer(connection).status == 200
        connection.sendall(wire.request(BODY))
        assert wire.read_answer(connection).status == 200
    (head, body), _ = raw_upstream.seen
    assert (wire.unchunked(body)[0] if framing == "chunks" else body) == BODY
    assert not {b"upgrade", b"http2-settings", b"connection"} & {name for name, _ in wire.fields(head)}


def test_the_head_of_a_stream_does_not_wait_for_its_first_event(gateway_to):
    seen = threading.Event()

    def answer(listener):
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            assert seen.wait(60)
            connection.sendall(chunked(b"event: ping\ndata: {}\n\n") + b"0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        upstream = threading.Thread(target=answer, args=(listener,))
        upstream.start()
        gateway = gateway_to(f"http://127.0.0.1:{listener.getsockname()[1]}")
        host, port = gateway.base_url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            request = b"POST /v1/messages HTTP/1.1\r\nhost: g\r\nx-api-key: k\r\ncontent-length: 2\r\n\r\n{}"
            connection.sendall(request)
            assert connection.recv(65_536).endswith(b"transfer-encoding: chunked\r\n\r\n")
            seen.set()
            assert b"event: ping" in connection.recv(65_536)
        upstream.join()


def test_a_slow_reader_slows_the_upstream_and_gets_every_byte(gateway_to):
    """The upstream may send more only as the client takes it: far less than all of it is held in between."""
    total, piece, sent = 64 * 2**20, b"x" * 65_536, []

    def answer(listener):
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total)
            for _ in range(total // len(piece)):
                connection.sendall(piece)
                sent.append(len(piece))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        upstream = threading.Thread(target=answer, args=(listener,))
        upstream.start()
        gateway = gateway_to(f"http://127.0.0.1:{listener.getsockname()[1]}")
        host, port = gateway.base_url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(b"GET /v1/files/f/content HTTP/1.1\r\nhost: g\r\nx-api-key: k\r\n\r\n")
            with connection.makefile("rb") as file:
                while file.readline() != b"\r\n":
                    pass
                held_at_most, got = 0, 0
                while got < total:
                    data = file.read(2**20)
                    assert data == b"x" * len(data)
                    got += len(data)
                    held_at_most = max(held_at_most, sum(sent) - got)
        upstream.join()
    assert got == total
    assert held_at_most < total // 2


def test_a_client_that_takes_nothing_is_given_up(gateway_to):
    def answer(listener):
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            try:
                for _ in range(2_000):
                    connection.sendall(chunked(b"x" * 65_536))
            except OSError:
                gone.set()

    gone = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        upstream = threading.Thread(target=answer, args=(listener,))
        upstream.start()
        gateway = gateway_to(
            f"http://127.0.0.1:{listener.getsockname()[1]}", client_timeout_seconds=1, client_gone="abort"
        )
        host, port = gateway.base_url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(b"GET /v1/files/f/content HTTP/1.1\r\nhost: g\r\nx-api-key: k\r\n\r\n")
            assert gone.wait(60)
        upstream.join()
    gateway.stop()
    assert gateway.metrics.value("farthing_client_left_total", "aborted") == 1


def test_what_is_left_of_a_body_nobody_wants_is_passed_over(raw_upstream, gateway, wire):
    with wire.connected(gateway.base_url) as connection:
        head = b"POST /v2/nothing HTTP/1.1\r\nhost: g\r\nx-api-key: k\r\ncontent-length: 300000\r\n\r\n"
        connection.sendall(head)
        assert wire.read_answer(connection).status == 404
        connection.sendall(b"POST /v1/messages" * 17_647 + b"x")
        connection.sendall(wire.request(BODY))
        assert wire.read_answer(connection).status == 200
    assert len(raw_upstream.seen) == 1


def test_an_idle_connection_ends_with_the_server_and_an_open_request_ends_whole(raw_upstream, gateway, wire):
    go_on, under_way = threading.Event(), threading.Event()

    def later(_head, _body):
        under_way.set()
        assert go_on.wait(60)
        return b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", True

    with wire.connected(gateway.base_url) as idle, wire.connected(gateway.base_url) as busy:
        idle.sendall(wire.request(BODY))
        assert wire.read_answer(idle).status == 200
        raw_upstream.answer = later
        busy.sendall(wire.request(BODY))
        assert under_way.wait(60)
        gateway.server.end_soon()
        assert idle.recv(100) == b""
        go_on.set()
        answer = wire.read_answer(busy)
        assert (answer.status, answer.body, answer.whole) == (200, b"{}", True)
        assert busy.recv(100) == b""


def test_a_request_that_fails_by_a_fault_of_ours_is_a_500_and_ends_no_server(raw_upstream, gateway, wire, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr("farthing.gateway.decide.decide", lambda *_: 1 / 0)
        answer = wire.talk(gateway.base_url, wire.request(BODY))
    assert (answer.status, b"farthing: the gateway failed" in answer.body) == (500, True)
    assert wire.talk(gateway.base_url, wire.request(BODY)).status == 200
    assert any("ZeroDivisionError" in line for line in gateway.log)


def test_the_event_loop_is_uvloops_where_there_is_one():
    uvloop = pytest.importorskip("uvloop")
    loop = new_event_loop()
    loop.close()
    assert isinstance(loop, uvloop.Loop)


def test_the_gateway_runs_without_uvloop(raw_upstream, gateway_to, wire, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)  # as where it is not installed
    loop = new_event_loop()
    loop.close()
    assert isinstance(loop, asyncio.BaseEventLoop)
    gateway = gateway_to(raw_upstream.url)
    for _ in range(2):
        assert wire.talk(gateway.base_url, wire.request(BODY)).status == 200
    gateway.stop()
    assert len(gateway.unsettled) == 2


# -- the end ----------------------------------------------------------------------------------------------------------


class Ending:
    """A server whose requests take until they are let go, and what it saw of its own end."""

    def __init__(self, shutdown_s):
        self.bound = socket.create_server(("127.0.0.1", 0))
        self.port = self.bound.getsockname()[1]
        self.begun, self.after_the_end = 0, 0
        self.go_on = False
        self.ended = False
        self.serving = Serving(
            self.bound,
            self.serve,
            head_timeout_s=5,
            client_timeout_s=5,
            shutdown_s=shutdown_s,
            refused=lambda status: None,
            failed=lambda line: None,
        )
        self.listening = threading.Event()
        self.thread = threading.Thread(target=self.run)

    async def serve(self, scope, client):
        self.begun += 1
        while not self.go_on:  # noqa: ASYNC110 - the test's thread sets it
            await asyncio.sleep(0.005)
        self.after_the_end += self.ended
        client.answer(200, [], b"{}")

    def run(self):
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(self.till_the_end())

    async def till_the_end(self):
        await self.serving.run(self.listening.set)
        self.ended = True
        await asyncio.sleep(0.3)  # whatever would run after the end gets the time to

    def __enter__(self):
        self.thread.start()
        assert self.listening.wait(60)
        return self

    def __exit__(self, *_):
        self.go_on = True
        self.thread.join(60)
        self.bound.close()
        assert not self.thread.is_alive()

    def until(self, begun):
        for _ in range(6_000):
            if self.begun == begun:
                return
            time.sleep(0.005)
        pytest.fail(f"{self.begun} requests began, not {begun}")


def test_at_the_end_requests_that_are_coming_in_are_served_too(wire, monkeypatch):
    """One connection has a request under way, one is new, one sent half a head; a fourth rests and is closed."""
    monkeypatch.setattr(serving, "_COMING_S", 8.0)
    with Ending(shutdown_s=10) as server, contextlib.ExitStack() as stack:
        server.go_on = True
        busy, new, half, resting = (
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10)) for _ in range(4)
        )
        resting.sendall(wire.request(None, method=b"GET"))
        assert wire.read_answer(resting).status == 200
        server.go_on = False
        data = wire.request(None, method=b"GET")
        half.sendall(data[:20])
        busy.sendall(data)
        server.until(2)
        server.serving.end_soon()
        assert resting.recv(100) == b""
        half.sendall(data[20:])
        new.sendall(data)
        server.until(4)
        server.go_on = True
        assert [wire.read_answer(connection).status for connection in (busy, new, half)] == [200] * 3
    assert server.after_the_end == 0


def test_at_the_end_a_request_that_takes_too_long_is_broken_off_and_none_begins_after_it(wire):
    with Ending(shutdown_s=0.3) as server, contextlib.ExitStack() as stack:
        slow, silent = (
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10)) for _ in range(2)
        )
        slow.sendall(wire.request(None, method=b"GET"))
        server.until(1)
        server.serving.end_soon()
        assert slow.recv(100) == b""
        with contextlib.suppress(ConnectionError):
            silent.sendall(wire.request(None, method=b"GET"))
            assert silent.recv(100) == b""
    assert server.begun == 1
