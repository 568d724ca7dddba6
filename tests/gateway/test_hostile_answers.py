"""
Answers that mean harm, or none: what can be passed on is, what cannot is a 5xx or breaks off, and nothing else changes.

No usage that makes no sense becomes money, no answer takes more memory than its bound, and no prompt ends up in the
journal or the log because somebody put it where an id belongs.
"""

import gzip
import json
import os
import threading
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

DEEP = os.environ.get("FARTHING_DEEP") == "1"
CANARY = "a prompt that nobody may keep"
ASK = json.dumps({"model": "claude-sonnet-5", "messages": [{"role": "user", "content": CANARY}]}).encode()
JSON, STREAM = b"content-type: application/json", b"content-type: text/event-stream"


@pytest.fixture(scope="module")
def gateway(lasting_upstream, lasting_gateway_to):
    return lasting_gateway_to(lasting_upstream.url)


@pytest.fixture(autouse=True)
def serves_on(gateway, raw_upstream, wire):
    """After each test: it serves, nothing is left open, and nothing of the prompt is kept."""
    yield
    raw_upstream.answer = lambda _head, _body: (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", True)
    assert wire.talk(gateway.base_url, wire.request()).status == 200
    assert at_rest(gateway)
    assert not [line for line in gateway.log if "failed" in line]
    assert CANARY not in "\n".join(gateway.log)
    assert CANARY.encode() not in gateway.journal


def at_rest(gateway):
    for _ in range(6_000):
        text = gateway.metrics.text()
        if "farthing_requests_under_way 0" in text and "farthing_upstream_connections 0" in text:
            return True
        threading.Event().wait(0.01)
    return False


def answer(body, *fields, status=b"200 OK"):
    return b"\r\n".join([b"HTTP/1.1 " + status, *fields, b"content-length: %d" % len(body), b"", body])


def message(usage, **changes):
    found = {"id": "msg_1", "type": "message", "model": "claude-sonnet-5", "content": [], "stop_reason": "end_turn"}
    return json.dumps(found | changes | {"usage": usage}).encode()


def money(gateway):
    """What was metered so far, in picodollars."""
    assert at_rest(gateway)
    return gateway.metrics.value("farthing_cost_picodollars_total")


# -- usage that makes no sense ----------------------------------------------------------------------------------------

GOOD = {"input_tokens": 10, "output_tokens": 5}
SENSELESS = {
    "negative": {**GOOD, "input_tokens": -1_000_000},
    "negative output": {**GOOD, "output_tokens": -1},
    "text": {**GOOD, "input_tokens": "10"},
    "a float": {**GOOD, "input_tokens": 1.5},
    "a list": {**GOOD, "output_tokens": [5]},
    "true": {**GOOD, "output_tokens": True},
    "null": None,
    "a number": 5,
    "a text": "usage",
    "an empty object": {},
    "beyond 64 bits": {**GOOD, "input_tokens": 2**70},
    "negative reads": {**GOOD, "cache_read_input_tokens": -7},
    "writes that do not add up": {
        **GOOD,
        "cache_creation_input_tokens": 5,
        "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": -45},
    },
    "iterations that are none": {**GOOD, "iterations": "many"},
    "negative searches": {**GOOD, "server_tool_use": {"web_search_requests": -1}},
}


@pytest.mark.parametrize("name", SENSELESS)
@pytest.mark.parametrize("kind", ["message", "stream"])
def test_usage_that_makes_no_sense_passes_and_is_no_money(raw_upstream, gateway, wire, name, kind):
    before = money(gateway)
    if kind == "message":
        body, field = message(SENSELESS[name]), JSON
    else:
        start = {"type": "message_start", "message": json.loads(message(SENSELESS[name]))}
        body, field = b"event: message_start\ndata: %b\n\n" % json.dumps(start).encode(), STREAM
    raw_upstream.answer = lambda _head, _body: (answer(body, field), True)
    got = wire.talk(gateway.base_url, wire.request(ASK))
    assert (got.status, got.body, got.whole) == (200, body, True)
    spent = money(gateway) - before
    assert 0 <= spent <= 10 * 2_000_000 + 5 * 10_000_000, "at most what the sound part of it costs"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"usage":{"input_tokens":1,"output_tokens":1}',
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'{"model":"\xff\xfe","usage":{"input_tokens":1}}',
        b'{"id":"\\ud800","model":"\\udfff","usage":{"input_tokens":1,"output_tokens":1}}',
        b"\0" * 1000,
    ],
)
@pytest.mark.parametrize("field", [JSON, STREAM, b"x: y"])
def test_answers_that_are_no_messages_pass(raw_upstream, gateway, wire, body, field):
    raw_upstream.answer = lambda _head, _body: (answer(body, field), True)
    got = wire.talk(gateway.base_url, wire.request(ASK))
    assert (got.status, got.body, got.whole) == (200, body, True)


def test_prompts_in_the_place_of_ids_are_not_kept(raw_upstream, gateway, wire):
    before = gateway.metrics.value("farthing_unpriced_calls_total")
    for changes in ({"id": CANARY}, {"model": CANARY}, {"stop_reason": CANARY}, {"type": CANARY}):
        body = message({**GOOD, "service_tier": CANARY, "inference_geo": CANARY, "speed": CANARY}, **changes)
        raw_upstream.answer = lambda _head, _body, body=body: (
            answer(body, JSON, b"request-id: " + CANARY.encode()),
            True,
        )
        assert wire.talk(gateway.base_url, wire.request(ASK)).body == body
    assert at_rest(gateway)
    assert gateway.metrics.value("farthing_unpriced_calls_total") == before + 4


# -- packing ----------------------------------------------------------------------------------------------------------

BOMB = gzip.compress(b"0" * 100_000_000)


@pytest.mark.parametrize("field", [JSON, STREAM])
def test_a_bomb_passes_packed_and_takes_no_memory(raw_upstream, gateway, wire, field):
    raw_upstream.answer = lambda _head, _body: (answer(BOMB, field, b"content-encoding: gzip"), True)
    before = memory_mb()
    got = wire.talk(gateway.base_url, wire.request(ASK))
    assert got.body == BOMB
    assert at_rest(gateway)
    assert memory_mb() - before < 80  # one message of at most 32 MB, held twice for a moment


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"gzip, gzip", b"x" * 5_000, b"\xff"])
@pytest.mark.parametrize("body", [b"no such packing", b"", gzip.compress(b"{}")[:9], zlib.compress(b"{}")])
def test_wrong_packing_passes(raw_upstream, gateway, wire, coding, body):
    raw_upstream.answer = lambda _head, _body: (answer(body, JSON, b"content-encoding: " + coding), True)
    assert wire.talk(gateway.base_url, wire.request(ASK)).body == body


# -- framing ----------------------------------------------------------------------------------------------------------

NO_ANSWER = {
    "nothing": b"",
    "garbage": b"\0\xff no HTTP \r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\ncontent-le",
    "a status that is none": b"HTTP/1.1 abc OK\r\n\r\n",
    "a negative length": b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "length and chunks": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a line feed in a field": b"HTTP/1.1 200 OK\r\nx: a\nset-cookie: b\r\n\r\n",
    "a zero byte in a field": b"HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n",
    "a field without end": b"HTTP/1.1 200 OK\r\nx: " + b"a" * 2_000_000,
    "fields without end": b"HTTP/1.1 200 OK\r\n" + b"x: aaaaaaaa\r\n" * 100_000,
    "an upgrade": b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nhello",
    "interim answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 50_000,
}


@pytest.mark.parametrize("name", NO_ANSWER)
def test_what_is_no_answer_is_a_502(raw_upstream, gateway, wire, name):
    raw_upstream.answer = lambda _head, _body: (NO_ANSWER[name], False)
    before = memory_mb()
    got = wire.talk(gateway.base_url, wire.request(ASK))
    assert (got.status, got.whole) == (502, True)
    assert json.loads(got.body)["error"]["type"] == "api_error"
    assert memory_mb() - before < 40


BROKEN = {
    "too short": b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
    "a chunk that is none": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n",
    "a chunk that is longer": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshortlonger\r\n0\r\n\r\n",
    "no last chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n",
    "a chunk beyond counting": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n"
    + b"f" * 17
    + b"\r\n",
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("target", [b"/v1/messages", b"/v1/files/f"])
def test_what_breaks_there_breaks_here(raw_upstream, gateway, wire, name, target):
    raw_upstream.answer = lambda _head, _body: (BROKEN[name], False)
    got = wire.talk(gateway.base_url, wire.request(ASK, target=target))
    if got.status == 502:  # it broke before its head was passed on
        assert got.whole
    else:
        assert (got.status, got.whole) == (200, False)
        assert b"short".startswith(got.body)


def test_what_follows_an_answer_is_never_taken_for_the_next_one(raw_upstream, gateway, wire):
    stuffed = answer(b"{}") + answer(b'{"poisoned":true}')
    raw_upstream.answer = lambda _head, _body: (stuffed, True)
    got = [wire.talk(gateway.base_url, wire.request(ASK, target=b"/v1/files/f")) for _ in range(20)]
    assert all(b"poisoned" not in one.body for one in got)


def test_an_answer_before_it_was_asked_for_is_thrown_away(raw_upstream, gateway, wire):
    late = threading.Event()

    def send(_head, _body):
        threading.Timer(0.05, late.set).start()
        return answer(b"{}"), True

    raw_upstream.answer = send
    assert wire.talk(gateway.base_url, wire.request(ASK)).body == b"{}"
    for connection in list(raw_upstream._open):
        connection.sendall(answer(b'{"poisoned":true}'))
    assert late.wait(5)
    for _ in range(5):
        got = wire.talk(gateway.base_url, wire.request(ASK))
        assert (got.status, got.body) == (200, b"{}")


@pytest.mark.parametrize("drip", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab"])
def test_an_upstream_that_falls_silent_is_not_waited_for(raw_upstream, gateway_to, wire, drip):
    impatient = gateway_to(raw_upstream.url, read_timeout_seconds=1)
    raw_upstream.answer = lambda _head, _body: (drip, True)
    got = wire.talk(impatient.base_url, wire.request(ASK))
    assert (got.status, got.whole) == ((200, False) if drip.endswith(b"ab") else (504, True))
    assert at_rest(impatient)


# -- streams ----------------------------------------------------------------------------------------------------------


def test_a_line_without_end_takes_no_memory(raw_upstream, gateway, wire):
    body = b"data: " + b"x" * 60_000_000
    raw_upstream.answer = lambda _head, _body: (answer(body, STREAM), True)
    wire.talk(gateway.base_url, wire.request(ASK))
    raw_upstream.seen.clear()
    before = memory_mb()
    got = wire.talk(gateway.base_url, wire.request(ASK))
    assert len(got.body) == len(body)
    del got
    assert at_rest(gateway)
    assert memory_mb() - before < 100  # the client above holds all of it, the gateway holds a bound of it


EVENTS = [
    {"type": "message_start", "message": json.loads(message({"input_tokens": 10, "output_tokens": 1}))},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": CANARY}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
]


@st.composite
def odd_streams(draw):
    data = b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode())
        for event in draw(st.lists(st.sampled_from(EVENTS), max_size=8))
    )
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        piece = st.sampled_from(
            [b"\n\n", b"data: ", b"\r", b"event: message_delta\n", b"-1", b"1e400", b'"', b"{", b"null"]
        )
        data = data[:at] + draw(piece | st.binary(max_size=6)) + data[at + draw(st.integers(0, 9)) :]
    return data


@settings(max_examples=2_000 if DEEP else 100)
@given(odd=st.tuples(odd_streams(), st.sampled_from([b"", b"gzip"]), st.sampled_from([JSON, STREAM])))
def test_any_stream_passes(raw_upstream, gateway, wire, odd):
    body, coding, field = odd
    sent = gzip.compress(body) if coding else body
    raw_upstream.answer = lambda _head, _body: (answer(sent, field, b"content-encoding: " + coding), True)
    got = wire.talk(gateway.base_url, wire.request(ASK))
    assert (got.status, got.body, got.whole) == (200, sent, True)


def memory_mb():
    """Resident memory of this process, gateway and all."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError
