"""Wherever a client leaves, what was held for its call ends right: given back, settled, or counted at its worst."""

import contextlib
import json
import socket
import threading
import time
from datetime import UTC, datetime

import pytest

from farthing import testing
from farthing.limits.store import STORE_NAME, SqliteBank
from farthing.limits.worst import worst_case
from farthing.prices.book import shipped_book

LIMITS = """
[[budget]]
name = "all"
limit_usd = 1
window = "total"

[[rate]]
name = "one at a time"
concurrent = 1
queue_seconds = {queue_seconds}

[upstream]
slow_down = false
"""
LONG_S = 60
"""Longer than any of these tests takes: what would come after it never comes, however loaded the machine is."""
ASK = {"model": "claude-sonnet-5", "max_tokens": 400, "messages": [{"role": "user", "content": "Say <<output:40>>."}]}


@pytest.fixture
def live():
    """A sandbox on the machine's clock, where delays take time."""
    with testing.sandbox(start=None) as box:
        yield box


@pytest.fixture
def limited(gateway_to, tmp_path):
    """Starts a gateway that lets one call through at a time, under a budget."""

    def started(upstream, *, queue_seconds=0, **changes):
        file = tmp_path / "limits.toml"
        file.write_text(LIMITS.format(queue_seconds=queue_seconds))
        return gateway_to(upstream, limits=file, **changes)

    return started


def request(wire, **changes):
    body = json.dumps({**ASK, **changes}).encode()
    headers = (b"x-api-key: " + testing.Sandbox.key.encode(), b"anthropic-version: 2023-06-01")
    return wire.request(body, headers=headers), body


@contextlib.contextmanager
def client_of(wire, gateway, **changes):
    """A client whose request has been sent; at the end of the block it leaves."""
    with wire.connected(gateway.base_url) as connection:
        connection.sendall(request(wire, **changes)[0])
        yield connection


def counted(folder):
    """What the store says is spent or held; which holds nothing once all is settled."""
    bank = SqliteBank(folder / STORE_NAME)
    try:
        return sum(line.spent_pusd + line.held_pusd for line in bank.lines())
    finally:
        bank.close()


def worst(wire, **changes):
    return worst_case(shipped_book(), request(wire, **changes)[1], datetime.now(UTC))


def until(true):
    for _ in range(6_000):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("it never came")


def until_over(gateway):
    until(lambda: "farthing_requests_under_way 0" in gateway.metrics.text())


def goes_through(wire, gateway):
    """Whether the one place is free again."""
    return wire.talk(gateway.base_url, request(wire)[0]).status == 200


def test_while_it_waits_for_its_turn(wire, raw_upstream, limited, tmp_path):
    may_answer = threading.Event()
    usage = b'{"input_tokens": 100, "output_tokens": 20}'
    body = b'{"type": "message", "id": "msg_%d", "model": "claude-sonnet-5", "usage": %b}'

    def answer(_head, _body):
        may_answer.wait(LONG_S)
        message = body % (len(raw_upstream.seen), usage)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        return head % len(message) + message, True

    raw_upstream.answer = answer
    gateway = limited(raw_upstream.url, queue_seconds=LONG_S)
    with client_of(wire, gateway) as first:
        until(lambda: raw_upstream.seen)
        with client_of(wire, gateway):
            until(lambda: "farthing_calls_waiting 1" in gateway.metrics.text())
        until(lambda: "farthing_calls_waiting 0" in gateway.metrics.text())
        may_answer.set()
        assert wire.read_answer(first).status == 200
    assert goes_through(wire, gateway)
    gateway.stop()
    assert [stored.call.served.message_id for stored in gateway.calls] == ["msg_1", "msg_2"]
    assert counted(tmp_path) == gateway.total_pusd == 2 * (100 * 2_000_000 + 20 * 10_000_000)


def test_after_its_reservation_before_there_is_a_connection(wire, limited, tmp_path):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as others:
        for _ in range(3):  # nobody accepts: the next ones wait to be connected
            other = others.enter_context(socket.socket())
            other.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                other.connect(full.getsockname())
        gateway = limited(f"http://127.0.0.1:{full.getsockname()[1]}", connect_timeout_seconds=1)
        with client_of(wire, gateway):
            until(lambda: "farthing_requests_under_way 1" in gateway.metrics.text())
        until_over(gateway)
        assert wire.talk(gateway.base_url, request(wire)[0]).status == 502  # not 429: the place is free
    gateway.stop()
    assert counted(tmp_path) == 0
    assert (gateway.calls, gateway.unsettled) == ([], [])


def test_while_the_upstream_is_silent_and_is_drained(wire, live, limited, tmp_path):
    gateway = limited(live.base_url)
    live.fail(testing.Fault(first_byte_s=0.4))
    with client_of(wire, gateway):
        until(lambda: gateway.server.metrics.text().count("farthing_upstream_connections 1"))
    until_over(gateway)
    assert goes_through(wire, gateway)
    gateway.stop()
    assert counted(tmp_path) == live.books.total_pusd == gateway.total_pusd > 0


def test_while_the_upstream_is_silent_and_is_aborted(wire, live, limited, tmp_path):
    gateway = limited(live.base_url, client_gone="abort")
    live.fail(testing.Fault(first_byte_s=LONG_S))
    with client_of(wire, gateway):
        until(lambda: gateway.server.metrics.text().count("farthing_upstream_connections 1"))
    until_over(gateway)
    assert goes_through(wire, gateway)
    gateway.stop()
    (known,) = gateway.calls
    assert counted(tmp_path) == known.posting.list_pusd + worst(wire)  # it may have been billed


@pytest.mark.parametrize("policy", ["drain", "abort"])
def test_in_the_middle_of_a_stream(wire, live, limited, tmp_path, policy):
    gateway = limited(live.base_url, client_gone=policy)
    live.reply(testing.Reply(output_tokens=60, event_s=0.01 if policy == "drain" else 0.5))
    with client_of(wire, gateway, stream=True) as connection:
        assert b"200" in connection.recv(12)
        until(lambda: b"content_block_delta" in connection.recv(65_536))
    until_over(gateway)
    assert goes_through(wire, gateway)
    gateway.stop()
    left, known = sorted(gateway.calls, key=lambda stored: "client_left" not in stored.call.dims)
    if policy == "drain":
        assert counted(tmp_path) == live.books.total_pusd == gateway.total_pusd
    else:  # what came of it says the least that it cost, and only that
        assert counted(tmp_path) == known.posting.list_pusd + worst(wire, stream=True)
        assert left.posting.list_pusd <= live.books.total_pusd - known.posting.list_pusd < worst(wire, stream=True)


def test_before_an_answer_that_is_free(wire, raw_upstream, limited, tmp_path):
    may_answer = threading.Event()

    def refuse(_head, _body):
        may_answer.wait(LONG_S)
        return b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\n{}", True

    raw_upstream.answer = refuse
    gateway = limited(raw_upstream.url)
    with client_of(wire, gateway):
        until(lambda: raw_upstream.seen)
    until(lambda: gateway.metrics.value("farthing_client_left_total", "drained"))
    may_answer.set()
    until_over(gateway)
    assert wire.talk(gateway.base_url, request(wire)[0]).status == 500  # not 429: the place is free
    gateway.stop()
    assert counted(tmp_path) == 0
    assert (gateway.calls, gateway.unsettled) == ([], [])


def test_between_two_attempts(wire, live, limited, tmp_path):
    gateway = limited(live.base_url, retries=3)
    live.fail(*[testing.Fault(refuse="overloaded_error", retry_after_s=2)] * 3)
    with client_of(wire, gateway):
        until(lambda: gateway.metrics.value("farthing_retries_total"))
    until_over(gateway)
    live.world.faults.clear()
    assert goes_through(wire, gateway)
    gateway.stop()
    assert gateway.metrics.value("farthing_retries_total") == 1
    assert counted(tmp_path) == live.books.total_pusd == gateway.total_pusd > 0


def test_attempts_that_failed_and_one_that_did_not_hold_one_reservation(wire, live, limited, tmp_path):
    gateway = limited(live.base_url, retries=3)
    live.fail(*["overloaded_error"] * 2)
    assert goes_through(wire, gateway)
    gateway.stop()
    assert gateway.metrics.value("farthing_retries_total") == 2
    assert counted(tmp_path) == live.books.total_pusd == gateway.total_pusd > 0


def test_when_the_gateway_ends_before_the_answer(wire, live, limited, tmp_path):
    gateway = limited(live.base_url, shutdown_seconds=0.2)
    live.fail(testing.Fault(first_byte_s=LONG_S))
    with client_of(wire, gateway):
        until(lambda: gateway.server.metrics.text().count("farthing_upstream_connections 1"))
        gateway.stop()
    assert counted(tmp_path) == worst(wire)
    assert len(gateway.unsettled) == 1
    again = limited(live.base_url)
    assert goes_through(wire, again)
    again.stop()
    assert counted(tmp_path) == worst(wire) + again.total_pusd  # no outcome came, so it goes on counting


def test_an_error_while_it_is_admitted_leaves_no_place_taken(wire, live, limited, monkeypatch):
    gateway = limited(live.base_url)
    with monkeypatch.context() as broken:
        broken.setattr("farthing.gateway.limiting.worst_case", lambda *_, **__: 1 / 0)
        assert wire.talk(gateway.base_url, request(wire)[0]).status == 500
    assert goes_through(wire, gateway)
