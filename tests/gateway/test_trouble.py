"""Clients that leave, upstreams that fail, and a gateway that is killed: no call is lost or counted twice."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import anthropic
import pytest
from tests.announced import announced

from farthing import testing
from farthing.gateway.client import Client
from farthing.ledger import open_ledger
from farthing.ledger.interface import Query
from farthing.ledger.journal import Begun, Settled, read

BODY = {"model": "claude-sonnet-5", "max_tokens": 400, "messages": [{"role": "user", "content": "Say <<output:40>>."}]}


@pytest.fixture
def live():
    """A sandbox on the machine's clock, where delays take time."""
    with testing.sandbox(start=None) as box:
        yield box


def until(true):
    for _ in range(6_000):
        if true():
            return
        threading.Event().wait(0.01)
    pytest.fail("it never came")


def leave_in_the_middle(gateway, box):
    """Read a little of a stream, then close the connection."""
    connection = http.client.HTTPConnection(urlsplit(gateway.base_url).netloc, timeout=20)
    body = json.dumps({**BODY, "stream": True})
    headers = {"x-api-key": box.key, "anthropic-version": "2023-06-01", "content-type": "application/json"}
    connection.request("POST", "/v1/messages", body, headers)
    answer = connection.getresponse()
    assert b"message_start" in answer.read1()
    answer.close()
    connection.close()


def test_a_client_that_leaves_is_drained_and_metered_exactly(live, gateway_to):
    gateway = gateway_to(live.base_url)
    live.reply(testing.Reply(output_tokens=40, event_s=0.1))
    leave_in_the_middle(gateway, live)
    (stored,) = gateway.calls  # stopping waits for what is drained
    (entry,) = live.books
    assert not entry.aborted
    assert (stored.posting.list_pusd, stored.call.served.kind) == (entry.pusd, "measured")
    assert stored.call.dims["client_left"] == "drained"
    assert gateway.metrics.value("farthing_client_left_total", "drained") == 1


@pytest.mark.parametrize("changes", [{"client_gone": "abort"}, {"drain_calls_max": 0}])
def test_a_client_that_leaves_is_aborted_and_its_counts_recovered(live, gateway_to, changes):
    gateway = gateway_to(live.base_url, **changes)
    live.reply(testing.Reply(output_tokens=400, event_s=0.05))
    leave_in_the_middle(gateway, live)
    (stored,) = gateway.calls
    assert stored.call.served.kind == "assumed"
    assert stored.call.served.notes[0].startswith("recovered")
    assert stored.call.dims["client_left"] == "aborted"
    assert stored.call.served.usage.output_tokens < 400
    until(lambda: len(live.books))  # the sandbox hears of it in its own time
    (entry,) = live.books
    assert entry.aborted
    assert stored.call.served.usage.input_tokens == entry.call.served.usage.input_tokens


@pytest.mark.parametrize(("policy", "known"), [("drain", (1, 0)), ("abort", (0, 1))])
def test_a_client_that_leaves_before_any_answer(live, gateway_to, wire, policy, known):
    gateway = gateway_to(live.base_url, client_gone=policy)
    live.fail(testing.Fault(first_byte_s=0.5 if policy == "drain" else 60))
    headers = (b"x-api-key: " + live.key.encode(), b"anthropic-version: 2023-06-01")
    with wire.connected(gateway.base_url) as connection:
        connection.sendall(wire.request(json.dumps(BODY).encode(), headers=headers))
        until(lambda: "farthing_upstream_connections 1" in gateway.metrics.text())
    assert (len(gateway.calls), len(gateway.unsettled)) == known
    if policy == "drain":
        assert gateway.total_pusd == live.books.total_pusd > 0


def test_a_stream_that_breaks_breaks_here_as_well_and_is_recovered(box, gateway):
    box.fail(testing.Fault(cut_after_events=8))
    box.reply(testing.Reply(output_tokens=400))
    with (
        anthropic.Anthropic(base_url=gateway.base_url, api_key=box.key, max_retries=0) as client,
        client.messages.stream(**BODY) as stream,
        pytest.raises(Exception, match=r"(?i)peer closed|incomplete|protocol|connection"),
    ):
        stream.get_final_message()
    (stored,) = gateway.calls
    (entry,) = box.books
    assert stored.call.served.kind == "assumed"
    assert stored.call.served.message_id == entry.call.served.message_id
    assert gateway.metrics.value("farthing_upstream_faults_total", "Broken") == 1


def test_an_answer_cut_before_its_usage_stays_unsettled(box, gateway):
    box.fail(testing.Fault(cut_after_bytes=20))
    with (
        anthropic.Anthropic(base_url=gateway.base_url, api_key=box.key, max_retries=0) as client,
        pytest.raises(anthropic.APIConnectionError),
    ):
        client.messages.create(**BODY)
    assert gateway.calls == []
    assert [begun.model for begun in gateway.unsettled] == ["claude-sonnet-5"]


def test_an_upstream_that_is_down_is_a_502_and_free(gateway_to):
    with socket.socket() as deaf:  # it has a port that nobody else can have, and does not listen
        deaf.bind(("127.0.0.1", 0))
        gateway = gateway_to(f"http://127.0.0.1:{deaf.getsockname()[1]}")
        with (
            anthropic.Anthropic(base_url=gateway.base_url, api_key="sk-ant-api03-x", max_retries=0) as client,
            pytest.raises(anthropic.InternalServerError) as failed,
        ):
            client.messages.create(**BODY)
    assert (failed.value.status_code, failed.value.type) == (502, "api_error")
    assert (gateway.calls, gateway.unsettled) == ([], [])


def test_an_upstream_that_is_silent_is_a_504_and_unsettled(gateway_to):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        gateway = gateway_to(f"http://127.0.0.1:{silent.getsockname()[1]}", read_timeout_seconds=1)
        with (
            anthropic.Anthropic(base_url=gateway.base_url, api_key="sk-ant-api03-x", max_retries=0) as client,
            pytest.raises(anthropic.APIStatusError) as failed,
        ):
            client.messages.create(**BODY)
    assert (failed.value.status_code, failed.value.type) == (504, "timeout_error")
    assert len(gateway.unsettled) == 1


def answering(listener, answers):
    """Each connection gets its list of answers, one per request, and is closed."""
    for one in answers:
        connection, _ = listener.accept()
        with connection:
            for answer in one:
                connection.recv(65_536)
                connection.sendall(answer)


def test_an_idle_connection_that_died_is_replaced_once(gateway_to):
    body = b'{"id":"msg_%d","model":"claude-sonnet-5","content":[],"usage":{"input_tokens":1,"output_tokens":1}}'
    bodies = [body % number for number in range(3)]
    ok = [
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(one), one)
        for one in bodies
    ]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # The first connection answers once, takes a second request, and dies without a byte.
        upstream = threading.Thread(target=answering, args=(listener, [[ok[0], b""], [ok[1]]]))
        upstream.start()
        gateway = gateway_to(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with anthropic.Anthropic(base_url=gateway.base_url, api_key="sk-ant-api03-x", max_retries=0) as client:
            names = [client.messages.create(**BODY).id for _ in range(2)]
        upstream.join()
    assert names == ["msg_0", "msg_1"]
    assert len(gateway.calls) == 2
    assert gateway.unsettled == []


def test_where_no_second_connection_can_be_had_the_first_may_have_carried_the_call(gateway_to):
    def answer_once(listener):
        with listener:
            connection, _ = listener.accept()
        with connection:  # nobody listens any more
            body = b'{"id":"msg_1","model":"claude-sonnet-5","content":[],"usage":{"input_tokens":1,"output_tokens":1}}'
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
            connection.recv(65_536)
            connection.sendall(head + body)
            connection.recv(65_536)

    listener = socket.create_server(("127.0.0.1", 0))
    upstream = threading.Thread(target=answer_once, args=(listener,))
    gateway = gateway_to(f"http://127.0.0.1:{listener.getsockname()[1]}")
    upstream.start()
    with anthropic.Anthropic(base_url=gateway.base_url, api_key="sk-ant-api03-x", max_retries=0) as client:
        assert client.messages.create(**BODY).id == "msg_1"
        with pytest.raises(anthropic.InternalServerError) as failed:
            client.messages.create(**BODY)
    upstream.join()
    assert failed.value.status_code == 502
    assert (len(gateway.calls), len(gateway.unsettled)) == (1, 1)


def test_no_event_of_a_stream_is_held_back(gateway_to):
    """The upstream sends the next event only when the client has seen the last one."""
    events = [b"event: ping\ndata: {}\n\n" for _ in range(5)]
    seen = threading.Semaphore(0)

    def step(listener):
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            connection.sendall(head + b"transfer-encoding: chunked\r\n\r\n")
            for event in events:
                connection.sendall(b"%x\r\n%b\r\n" % (len(event), event))
                assert seen.acquire(timeout=10)
            connection.sendall(b"0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        upstream = threading.Thread(target=step, args=(listener,))
        upstream.start()
        gateway = gateway_to(f"http://127.0.0.1:{listener.getsockname()[1]}")
        connection = http.client.HTTPConnection(urlsplit(gateway.base_url).netloc, timeout=10)
        connection.request("POST", "/v1/messages", json.dumps({**BODY, "stream": True}), {"x-api-key": "k"})
        answer = connection.getresponse()
        for event in events:
            assert answer.read1() == event
            seen.release()
        assert answer.read() == b""
        connection.close()
        upstream.join()


def test_a_locked_ledger_keeps_the_journals(box, gateway_to, tmp_path):
    file = tmp_path / "ledger.duckdb"
    script = "import sys, duckdb; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script, str(file)], text=True, **pipes) as holder:
        assert holder.stdout.readline() == "held\n"
        gateway = gateway_to(box.base_url, now=box.clock.now, ingest_seconds=3600)
        with anthropic.Anthropic(base_url=gateway.base_url, api_key=box.key, max_retries=0) as client:
            client.messages.create(**BODY)
        gateway.stop()
        holder.communicate()
    assert gateway.metrics.value("farthing_ingest_failures_total") == 1
    assert any("they are kept" in line for line in gateway.log)
    later = gateway_to(box.base_url, now=box.clock.now)
    assert later.total_pusd == box.books.total_pusd > 0


def test_a_journal_that_cannot_be_written_stops_nobody(box, gateway, monkeypatch):
    import os

    from farthing.ledger import journal

    def full(*_):
        raise OSError(28, "No space left on device")

    with anthropic.Anthropic(base_url=gateway.base_url, api_key=box.key, max_retries=0) as client:
        with monkeypatch.context() as broken:
            broken.setattr(journal.os, "write", full)
            client.messages.create(**BODY)
        assert journal.os.write is os.write
        client.messages.create(**BODY)
    assert gateway.metrics.value("farthing_journal_failures_total") >= 1
    assert gateway.total_pusd == box.books.total_pusd
    assert (len(gateway.calls), gateway.unsettled) == (2, [])


@pytest.fixture
def serve(tmp_path):
    """Starts ``farthing serve``; kills what a test left running."""
    running = []

    def started(upstream):
        command = [sys.executable, "-m", "farthing", "serve", "--port", "0", "--no-dashboard", "--json"]
        command += ["--upstream", upstream]
        command += ["--ledger", str(tmp_path / "ledger.duckdb")]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={"HOME": str(tmp_path)}, text=True
        )
        running.append(process)
        return process, announced(process)["base_url"]

    yield started
    for process in running:
        process.kill()
        process.communicate()


def test_a_stream_ends_after_its_outcome_is_written(box, gateway, monkeypatch):
    """Whoever saw the end of one and begins another has no more than that one under way."""
    written, end = [], Client.end

    def watched(client):
        written.append(gateway.journal.count(b'"is":"settled"'))
        end(client)

    monkeypatch.setattr(Client, "end", watched)
    with anthropic.Anthropic(base_url=gateway.base_url, api_key=box.key, max_retries=0) as client:
        for _ in range(3):
            with client.messages.stream(**BODY) as stream:
                stream.get_final_message()
    assert written == [1, 2, 3]


def test_killed_under_load_each_call_is_known_once(live, serve, tmp_path):
    process, base_url = serve(live.base_url)
    enough = threading.Semaphore(0)

    def call(_):
        with anthropic.Anthropic(base_url=base_url, api_key=live.key, max_retries=0) as client:
            for _ in range(50):
                try:
                    with client.messages.stream(**BODY) as stream:
                        stream.get_final_message()
                except Exception:  # noqa: BLE001 - the gateway is gone
                    return
                enough.release()

    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(call, number) for number in range(4)]
        for _ in range(20):
            assert enough.acquire(timeout=120)
        process.send_signal(signal.SIGKILL)
        for one in calls:
            one.result()
    process.wait()

    process, base_url = serve(live.base_url)
    with urllib.request.urlopen(f"{base_url}/readyz") as ready:  # waits until it has read the journals
        assert ready.status == 200
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=120)
    with open_ledger(tmp_path / "ledger.duckdb") as ledger:
        stored = list(ledger.calls(Query()))
        metered = {one.call.served.message_id: one.posting.list_pusd for one in stored}
        recovered = {one.call.served.message_id for one in stored if "recovered" in one.call.dims}
        assert len(metered) == sum(row.calls for row in ledger.report(Query()))
        unsettled = ledger.unsettled()
    booked = {entry.call.served.message_id: entry for entry in live.books}
    assert len(metered) >= 20  # the end of a stream goes out after it is settled
    assert all(booked[name].pusd == pusd for name, pusd in metered.items() if name not in recovered)
    assert len(booked.keys() - metered.keys()) <= len(unsettled)
    records = [one.record for path in tmp_path.glob("journals/*.journal") for one in read(path)]
    begun = sum(isinstance(one, Begun) for one in records)
    open_calls = len(unsettled) + len(recovered)  # so each of the four clients has at most one under way
    assert begun - sum(isinstance(one, Settled) for one in records) == open_calls <= 4
