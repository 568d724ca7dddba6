"""
Requests that mean harm: each is answered here or forwarded as one sound request, and the gateway serves on.

What two servers could read as two requests never reaches the upstream; nobody without credentials reaches anything;
heads and bodies that do not come are not waited for.
"""

import contextlib
import os
import re
import socket
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

DEEP = os.environ.get("FARTHING_DEEP") == "1"
SECRET = "sk-ant-api03-NobodyMaySeeThisKey0123456789"
KEY = b"x-api-key: " + SECRET.encode()
POST = b"POST /v1/messages HTTP/1.1\r\nhost: gateway\r\n" + KEY + b"\r\n"
LENGTH, CHUNKED = b"content-length: 2\r\n", b"transfer-encoding: chunked\r\n"
CHUNKS = b"2\r\n{}\r\n0\r\n\r\n"


@pytest.fixture(scope="module")
def gateway(lasting_upstream, lasting_gateway_to):
    return lasting_gateway_to(lasting_upstream.url)


@pytest.fixture
def impatient(gateway_to, lasting_upstream):
    """One that waits a second for what never comes; on a busy machine what does come may take as long."""
    gateway = gateway_to(lasting_upstream.url, client_timeout_seconds=1, head_timeout_seconds=1)
    yield gateway
    assert not [line for line in gateway.log if "failed" in line]


@pytest.fixture(autouse=True)
def serves_on(gateway, raw_upstream, wire):
    """After each test: it serves, nothing is left open, and nothing failed in a way that nobody foresaw."""
    yield
    assert wire.talk(gateway.base_url, wire.request()).status == 200
    assert b"GET / " not in b"".join(head for head, _ in raw_upstream.seen)
    assert not [line for line in gateway.log if "failed" in line]
    kept = "\n".join(gateway.log).encode() + gateway.journal
    assert SECRET.encode() not in kept


def is_sound(wire, head, body):
    """Whether what arrived upstream is one request in one reading."""
    line, *rest = head.split(b"\r\n")
    stated = [name for name, _ in wire.fields(head)]
    framing = [name for name in stated if name in {b"content-length", b"transfer-encoding"}]
    assert re.fullmatch(rb"[A-Z-]+ /v1/[!-~]* HTTP/1\.1", line), line
    assert stated.count(b"host") == 1
    assert len(framing) <= 1
    assert not any(b"\n" in one or b"\r" in one or b"\0" in one for one in rest)
    assert not {b"upgrade", b"connection", b"te", b"trailer"} & set(stated)
    if framing == [b"transfer-encoding"]:
        assert dict(wire.fields(head))[b"transfer-encoding"] == b"chunked"
        assert wire.unchunked(body)[1]
    return True


# -- one request, two readings ----------------------------------------------------------------------------------------

REFUSED = {
    "length and chunks": POST + LENGTH + CHUNKED + b"\r\n" + CHUNKS,
    "chunks and length": POST + CHUNKED + LENGTH + b"\r\n" + CHUNKS,
    "two lengths": POST + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}x",
    "one length twice": POST + LENGTH + b"CONTENT-LENGTH: 2\r\n\r\n{}",
    "a list of lengths": POST + b"content-length: 2, 2\r\n\r\n{}",
    "a signed length": POST + b"content-length: +2\r\n\r\n{}",
    "a negative length": POST + b"content-length: -2\r\n\r\n{}",
    "a length in hexadecimal": POST + b"content-length: 0x2\r\n\r\n{}",
    "a length with a space": POST + b"content-length: 2 2\r\n\r\n{}",
    "a length beyond counting": POST + b"content-length: 18446744073709551618\r\n\r\n{}",
    "no length": POST + b"content-length:\r\n\r\n{}",
    "xchunked": POST + b"transfer-encoding: xchunked\r\n\r\n" + CHUNKS,
    "chunked, then identity": POST + b"transfer-encoding: chunked, identity\r\n\r\n" + CHUNKS,
    "gzip, then chunked": POST + b"transfer-encoding: gzip, chunked\r\n\r\n" + CHUNKS,
    "two codings": POST + CHUNKED + b"transfer-encoding: identity\r\n\r\n" + CHUNKS,
    "chunked twice": POST + CHUNKED + CHUNKED + b"\r\n" + CHUNKS,
    "a coding behind a control character": POST + b"transfer-encoding: \x0bchunked\r\n\r\n" + CHUNKS,
    "a quoted coding": POST + b'transfer-encoding: "chunked"\r\n\r\n' + CHUNKS,
    "a space before the colon": POST + b"transfer-encoding : chunked\r\n\r\n" + CHUNKS,
    "a space before the length's colon": POST + b"content-length : 2\r\n\r\n{}",
    "a folded line": POST + b"x-a: b\r\n c\r\n" + LENGTH + b"\r\n{}",
    "a folded coding": POST + b"transfer-encoding:\r\n chunked\r\n\r\n" + CHUNKS,
    "a first line that is folded": b"POST /v1/messages HTTP/1.1\r\n x: y\r\n" + KEY + b"\r\n\r\n",
    "bare line feeds": POST.replace(b"\r\n", b"\n") + b"content-length: 2\n\n{}",
    "one bare line feed": POST + b"x: y\n" + LENGTH + b"\r\n{}",
    "a bare carriage return": POST + b"x: y\rz: w\r\n" + LENGTH + b"\r\n{}",
    "a field without a name": POST + b": x\r\n" + LENGTH + b"\r\n{}",
    "a field without a colon": POST + b"x\r\n" + LENGTH + b"\r\n{}",
    "a zero byte in a value": POST + b"x: a\0b\r\n" + LENGTH + b"\r\n{}",
    "a control character in a value": POST + b"x: a\x01b\r\n" + LENGTH + b"\r\n{}",
    "a zero byte in a name": POST + b"x\0: a\r\n" + LENGTH + b"\r\n{}",
    "a chunk extension with a line feed": POST + CHUNKED + b"\r\n2;\nx\r\n{}\r\n0\r\n\r\n",
    "a chunk beyond counting": POST + CHUNKED + b"\r\n10000000000000002\r\n{}\r\n0\r\n\r\n",
    "a negative chunk": POST + CHUNKED + b"\r\n-2\r\n{}\r\n0\r\n\r\n",
    "a chunk in C's way": POST + CHUNKED + b"\r\n0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk that is longer than it says": POST + CHUNKED + b"\r\n2\r\n{}XX0\r\n\r\n",
    "chunks with bare line feeds": POST + CHUNKED + b"\r\n2\n{}\n0\n\n",
    "a length among trailers": POST + CHUNKED + b"\r\n2\r\n{}\r\n0\r\ncontent-length: 5\r\n\r\n",
    "HTTP/1.0 with chunks": POST.replace(b"1.1", b"1.0") + CHUNKED + b"\r\n" + CHUNKS,
    "HTTP/2.0": POST.replace(b"1.1", b"2.0") + LENGTH + b"\r\n{}",
    "HTTP/1.2": POST.replace(b"1.1", b"1.2") + LENGTH + b"\r\n{}",
    "HTTP/0.9": b"GET /v1/models\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no host": b"POST /v1/messages HTTP/1.1\r\n" + KEY + b"\r\n" + LENGTH + b"\r\n{}",
    "two hosts": POST + b"host: other\r\n" + LENGTH + b"\r\n{}",
    "a tunnel": b"CONNECT evil.example:443 HTTP/1.1\r\nhost: gateway\r\n" + KEY + b"\r\n\r\n",
    "a tunnel to a path": b"CONNECT /v1/messages HTTP/1.1\r\nhost: gateway\r\n" + KEY + b"\r\n\r\n",
    "a trace": b"TRACE /v1/messages HTTP/1.1\r\nhost: gateway\r\n" + KEY + b"\r\n\r\n",
    "the whole server": b"OPTIONS * HTTP/1.1\r\nhost: gateway\r\n" + KEY + b"\r\n\r\n",
    "an unknown method": POST.replace(b"POST", b"STEAL") + LENGTH + b"\r\n{}",
    "a method in lower case": POST.replace(b"POST", b"post") + LENGTH + b"\r\n{}",
    "a space in the target": POST.replace(b"/messages", b"/mess ages") + LENGTH + b"\r\n{}",
    "a tab in the target": POST.replace(b"/messages", b"/mess\tages") + LENGTH + b"\r\n{}",
    "a fragment": POST.replace(b"/messages", b"/messages#x") + LENGTH + b"\r\n{}",
    "raw UTF-8 in the path": POST.replace(b"/messages", "/é".encode()) + LENGTH + b"\r\n{}",
    "another scheme": POST.replace(b"/v1/messages", b"file:///v1/messages") + LENGTH + b"\r\n{}",
    "a long field": POST + b"x: " + b"a" * 5_000_000 + b"\r\n" + LENGTH + b"\r\n{}",
    "many fields": POST + b"x: a\r\n" * 20_000 + LENGTH + b"\r\n{}",
    "a long target": POST.replace(b"messages", b"a" * 60_000) + LENGTH + b"\r\n{}",
    "a very long target": POST.replace(b"messages", b"a" * 2_000_000) + LENGTH + b"\r\n{}",
    "a long query": POST.replace(b"messages", b"messages?" + b"a" * 60_000) + LENGTH + b"\r\n{}",
    "a field name without end": POST + b"a" * 2_000_000,
    "a method without end": b"A" * 2_000_000,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_be_read_in_two_ways_is_refused(raw_upstream, gateway, wire, name):
    smuggled = b"GET /v1/smuggled HTTP/1.1\r\nhost: gateway\r\n" + KEY + b"\r\n\r\n"
    with wire.connected(gateway.base_url) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(REFUSED[name] + smuggled)
        got = wire.read_answer(connection)
        if got is not None:  # bytes behind a refusal may reset the connection before it can be read
            assert got.status in {400, 404, 405, 408, 414, 431, 501, 505}, got
            assert b"farthing: " in got.body
    if got is not None and got.status in {404, 405}:  # refused, but there is no doubt where it ended
        assert [head.split(b" ")[1] for head, _ in raw_upstream.seen] in ([], [b"/v1/smuggled"])
    else:
        assert raw_upstream.seen == []


FORWARDED = {
    "chunk extensions": POST + CHUNKED + b'\r\n2;a=b;c="d"\r\n{}\r\n0\r\n\r\n',
    "trailers": POST + CHUNKED + b"\r\n2\r\n{}\r\n0\r\nx-api-key: another\r\nx-y: z\r\n\r\n",
    "a tab before the coding": POST + b"transfer-encoding:\tchunked\r\n\r\n" + CHUNKS,
    "an address as the target": POST.replace(b"/v1/messages", b"http://evil.example/v1/messages") + LENGTH + b"\r\n{}",
    "HTTP/1.0": POST.replace(b"1.1", b"1.0") + LENGTH + b"\r\n{}",
    "HTTP/1.0 that stays": POST.replace(b"1.1", b"1.0") + b"connection: keep-alive\r\n" + LENGTH + b"\r\n{}",
    "a wish for a WebSocket": POST + b"connection: upgrade\r\nupgrade: websocket\r\n" + LENGTH + b"\r\n{}",
    "a wish for HTTP/2": POST
    + b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
    + LENGTH
    + b"\r\n{}",
    "a wish for HTTP/2, in chunks": POST + b"connection: upgrade\r\nupgrade: h2c\r\n" + CHUNKED + b"\r\n" + CHUNKS,
    "fields named as hop by hop": POST + b"connection: content-length, host, x-y\r\nx-y: z\r\n" + LENGTH + b"\r\n{}",
    "a name with an underscore": POST + b"transfer_encoding: chunked\r\n" + LENGTH + b"\r\n{}",
    "empty lines before it": b"\r\n\r\n" + POST + LENGTH + b"\r\n{}",
}


@pytest.mark.parametrize("name", FORWARDED)
def test_what_is_odd_but_sound_arrives_as_one_sound_request(raw_upstream, gateway, wire, name):
    assert wire.talk(gateway.base_url, FORWARDED[name]).status == 200
    ((head, body),) = raw_upstream.seen
    assert is_sound(wire, head, body)
    assert (
        b"2\r\n{}\r\n0\r\n\r\n" if b"chunked" in dict(wire.fields(head)).get(b"transfer-encoding", b"") else b"{}"
    ) == body
    assert head.startswith(b"POST /v1/messages HTTP/1.1\r\n")
    assert b"x-y" not in head
    assert [value for key, value in wire.fields(head) if key == b"x-api-key"] == [SECRET.encode()]


def test_pipelined_requests_are_answered_in_their_order(raw_upstream, gateway, wire):
    def answer(head, body):
        said = head.split(b" ")[1] + b" " + body
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(said), said), True

    raw_upstream.answer = answer
    sent = [wire.request(b"%d" % number, target=b"/v1/files/%d" % number) for number in range(40)]
    with wire.connected(gateway.base_url) as connection:
        connection.sendall(b"".join(sent))
        got = [wire.read_one(connection) for _ in sent]
    assert [one.body for one in got] == [b"/v1/files/%d %d" % (number, number) for number in range(40)]


def test_garbage_behind_a_request_does_not_end_up_in_its_answer(raw_upstream, gateway, wire):
    data = b"HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n" + b"x" * 300_000
    raw_upstream.answer = lambda _head, _body: (data, True)
    with wire.connected(gateway.base_url) as connection:
        connection.sendall(wire.request(target=b"/v1/files/f") + b"\0garbage\r\n\r\n")
        got = wire.read_answer(connection)
    assert got is None or got.status in {200, 400}
    assert got is None or set(got.body) <= {ord("x")} or got.status == 400
    raw_upstream.answer = lambda _head, _body: (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", True)


# -- paths ------------------------------------------------------------------------------------------------------------

TRICKS = [
    b"//v1/messages",
    b"/v1//messages",
    b"/v1/../messages",
    b"/v1/./messages",
    b"/v1/..",
    b"/v1/messages/..",
    b"/v1/%2e%2e/admin",
    b"/v1/%2E%2e%2fadmin",
    b"/v1/%252e%252e/admin",
    b"/v1/..%5cadmin",
    b"/v1/\\admin",
    b"/v1/%00",
    b"/v1/messages%00.txt",
    b"/v1/messages%0d%0ax:%20y",
    b"/v1/messages%0a",
    b"/v1/messages%20HTTP/1.1",
    b"/v1/%c0%ae%c0%ae/admin",
    b"/v1/%e0%80%ae/admin",
    b"/v1/%ff",
    b"/v1/%zz",
    b"/v1/%",
    b"/v1%2fmessages",
    b"/v1/messages/%2e",
    b"//evil.example/v1/messages",
    b"/%76%31/..%2f",
]
TRICKS += [  # some upstreams would bill for these, or take them for outcomes, and others know no such path
    b"/v1/Messages",
    b"/v1/%4dessages/",
    b"/v1/messages;v=1",
    b"/v1/messages;/batches",
    b"/v1/messages%3fbeta=true",
    b"/v1/messages%23",
    b"/v1/messages.",
    b"/v1/messages/Batches",
    b"/v1/messages/batches/msgbatch_1;x/results",
    b"/v1/messages/batches/msgbatch_1/RESULTS",
    b"/v1/Outcomes",
    b"/v1/outcomes;x",
]
OUTSIDE = [
    b"/",
    b"/v1",
    b"/V1/messages",
    b"/v1;/messages",
    b"/v1.0/messages",
    b"/v2/messages",
    b"/api/hello",
    b"/admin",
]
OUTSIDE += [
    b"/metrics/",
    b"/metrics;x",
    b"/healthz/v1/messages",
    b"/dashboard",
    b"/.env",
    b"/server-status",
    b"/v1messages",
]


@pytest.mark.parametrize("target", [*TRICKS, *OUTSIDE])
def test_no_path_leads_anywhere_else(raw_upstream, gateway, wire, target):
    got = wire.talk(gateway.base_url, wire.request(target=target))
    assert got.status in ({400} if target in TRICKS else {404})
    assert raw_upstream.seen == []


OWN = [b"/healthz", b"/readyz"]
METHODS = [b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH", b"CONNECT", b"TRACE"]


@pytest.mark.parametrize(
    "credential", [b"x-y: z", b"x-api-key:", b"authorization: Basic eDp5", b"authorization: Bearer "]
)
def test_nobody_without_credentials_reaches_anything(raw_upstream, gateway, wire, credential):
    """Every kind of path with every method: alive or ready is all that anybody may learn."""
    paths = [b"/v1/messages", b"/v1/messages/batches", b"/v1/models", b"/v1/files", b"/v1/anything/at/all", b"/v1/"]
    paths += [b"/v1/organizations/cost_report", b"/metrics", *OWN, *OUTSIDE, *TRICKS]
    for path in paths:
        for method in METHODS:
            sent = wire.request(method=method, target=path, headers=(credential,))
            got = wire.talk(gateway.base_url, sent, to_head=method == b"HEAD")
            if path in OWN:
                assert (got.status, got.body) in {(200, b"ok\n"), (200, b""), (405, got.body), (400, got.body)}, path
            else:
                assert got.status in {400, 401, 404, 405}, (method, path)
                assert b"farthing_" not in got.body
    assert raw_upstream.seen == []


# -- slowness ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [b"\r\n", b"POST /v1/mess", POST + b"x: "])
def test_a_head_that_does_not_come_is_not_waited_for(impatient, wire, begun):
    with wire.connected(impatient.base_url) as connection:
        connection.sendall(begun)
        got = wire.read_answer(connection)
    assert got is None or got.status == 408


def test_a_head_that_trickles_is_not_waited_for(impatient, wire):
    with wire.connected(impatient.base_url) as connection:
        for byte in POST * 10:
            try:
                connection.sendall(bytes([byte]))
            except ConnectionError:
                break
            time.sleep(0.05)
        else:
            pytest.fail("it was taken, byte by byte")


@pytest.mark.parametrize("target", [b"/v1/messages", b"/v1/files"])
def test_a_body_that_does_not_come_is_not_waited_for(raw_upstream, impatient, wire, target):
    sent = POST.replace(b"/v1/messages", target) + b"content-length: 1000\r\n\r\n{"
    got = wire.talk(impatient.base_url, sent)
    assert got is None or got.status == 408


def test_many_slow_clients_keep_nobody_from_being_served(raw_upstream, gateway, wire):
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(wire.connected(gateway.base_url)).sendall(POST + b"x: ")
        for _ in range(20):
            assert wire.talk(gateway.base_url, wire.request()).status == 200


# -- keys and prompts -------------------------------------------------------------------------------------------------


def test_a_key_is_kept_nowhere_wherever_it_stands(raw_upstream, gateway_to, wire):
    gateway = gateway_to(raw_upstream.url)
    key = SECRET.encode()
    body = b'{"model":"%b","metadata":{"user_id":"%b"},"x":"%b"}' % (key, key, key)
    for sent in (
        wire.request(target=b"/v1/messages?api_key=" + key),
        wire.request(target=b"/v1/files/" + key),
        wire.request(target=b"/v1/messages/batches/" + key),
        wire.request(target=b"/v2/" + key),
        wire.request(target=b"/v1/" + key, headers=()),
        wire.request(target=b"/v1/..%2f" + key),
        wire.request(target=b"http://user:%b@gateway/v1/messages" % key),
        wire.request(body),
        wire.request(headers=(KEY, b"cookie: key=" + key, b"referer: https://x/" + key, b"user-agent: " + key)),
        wire.request(headers=(b"authorization: Bearer " + key,)),
        wire.request(headers=(b"authorization: Basic " + key,)),
        wire.request(headers=(b"authorization: " + key,)),
        wire.request(headers=(KEY, b"x-claude-code-session-id: " + key, b"helicone-user-id: " + key)),
        wire.request(headers=(KEY, b"x-farthing-tag-team: my key is %b indeed" % key)),
        wire.request(headers=(KEY, b"x-farthing-tag-%b: x" % key)),
        POST + b"x: \0\r\n\r\n",
        b"GET /v1/%b" % key,
        key,
    ):
        with wire.connected(gateway.base_url) as connection:
            connection.sendall(sent)
            connection.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                wire.read_answer(connection)
    gateway.stop()
    kept = "\n".join(gateway.log).encode() + gateway.journal + gateway.metrics.text().encode()
    kept += gateway.ledger.read_bytes()
    assert key not in kept
    assert b"NobodyMaySeeThisKey" not in kept


# -- bodies -----------------------------------------------------------------------------------------------------------

ODD_BODIES = {
    "deep arrays": b'{"model":"claude-sonnet-5","a":' + b"[" * 500_000 + b"]" * 500_000 + b"}",
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep and cut": b"[" * 1_000_000,
    "a huge number": b'{"model":"claude-sonnet-5","n":' + b"9" * 100_000 + b"}",
    "a huge exponent": b'{"model":"claude-sonnet-5","n":1e999999999999}',
    "a lone surrogate": b'{"model":"claude-\\ud800","metadata":{"user_id":"\\udfff"}}',
    "no UTF-8": b'{"model":"\xff\xfe","metadata":{"user_id":"\xc3\x28"}}',
    "a zero byte": b'{"model":"a\\u0000b","metadata":{"user_id":"\\u0000"}}',
    "wrong types": b'{"model":{},"stream":"yes","metadata":[{}]}',
    "a long model": b'{"model":"' + b"a" * 1_000_000 + b'"}',
    "a long user": b'{"model":"m","metadata":{"user_id":"' + b"u" * 1_000_000 + b'"}}',
    "many keys": b"{" + b",".join(b'"%d":0' % number for number in range(100_000)) + b"}",
    "not a number": b'{"model":"m","x":NaN,"y":Infinity}',
    "a byte order mark": b'\xef\xbb\xbf{"model":"m"}',
    "UTF-16": '{"model":"m"}'.encode("utf-16"),
}


@pytest.mark.parametrize("name", ODD_BODIES)
def test_odd_bodies_pass_as_they_are(raw_upstream, gateway, wire, name):
    assert wire.talk(gateway.base_url, wire.request(ODD_BODIES[name])).status == 200
    assert raw_upstream.seen[0][1] == ODD_BODIES[name]


# -- anything at all --------------------------------------------------------------------------------------------------

WHOLE = [
    POST + LENGTH + b"\r\n{}",
    POST + CHUNKED + b"\r\n" + CHUNKS,
    POST + b"expect: 100-continue\r\n" + LENGTH + b"\r\n{}",
    b"GET /v1/models?limit=10 HTTP/1.1\r\nhost: gateway\r\n" + KEY + b"\r\n\r\n",
    POST + b"connection: upgrade\r\nupgrade: h2c\r\n" + LENGTH + b"\r\n{}",
]
PIECES = [
    *[
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b"\0",
        b"%00",
        b"//",
        b"..",
        b"\x80",
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"#",
        b"?",
    ],
    *[LENGTH, CHUNKED, CHUNKS, b"content-length: 0\r\n", b"connection: close\r\n", b"upgrade: x\r\n", b"host: b\r\n"],
    *[
        b"transfer-encoding: identity\r\n",
        b"0\r\n\r\n",
        b"ffffffff\r\n",
        b"GET /v1/smuggled HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
]


@st.composite
def mutated(draw):
    data = draw(st.sampled_from(WHOLE)) + draw(st.sampled_from([b"", *WHOLE]))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        until = min(len(data), at + draw(st.integers(0, 30)))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=8) | st.just(data[at:until] * 2))
        data = data[:at] + piece + data[until if draw(st.booleans()) else at :]
    return data


@settings(max_examples=3_000 if DEEP else 150)
@given(data=mutated())
def test_mutated_requests_arrive_sound_or_not_at_all(raw_upstream, gateway, wire, data):
    raw_upstream.seen.clear()
    with wire.connected(gateway.base_url) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(data)
        # Long enough for most; what is still waiting for more is left.
        connection.settimeout(0.02)
        with contextlib.suppress(TimeoutError, ValueError):
            while got := wire.read_one(connection):
                assert 200 <= got.status < 600
        connection.shutdown(socket.SHUT_WR)
    assert all(is_sound(wire, head, body) for head, body in list(raw_upstream.seen) if b"\r\n\r\n" in head)
