"""Bytes both ways, seen on the wire itself: nothing between a client and the API may be told by what arrives."""

import gzip
import itertools
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

KEY = b"x-api-key: sk-ant-api03-test"
MESSAGE = (
    b'{"id":"msg_1","type":"message","model":"claude-sonnet-5","content":[],"stop_reason":"end_turn",'
    b'"usage":{"input_tokens":10,"output_tokens":5}}'
)


@pytest.fixture(scope="module")
def gateway(lasting_upstream, lasting_gateway_to):
    return lasting_gateway_to(lasting_upstream.url)


def chunked(pieces):
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def answer(status=b"200 OK", fields=(), body=b""):
    return b"\r\n".join([b"HTTP/1.1 " + status, *fields, b"", body])


# -- requests ---------------------------------------------------------------------------------------------------------


def br_like():
    """Bytes that no decoder of ours could read; what is packed is forwarded, not looked into."""
    return random.Random(1).randbytes(5_000)


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"zstd"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_packed_requests_arrive_packed(raw_upstream, gateway, wire, coding, framing):
    body = gzip.compress(b'{"model":"claude-sonnet-5"}') if coding == b"gzip" else br_like()
    headers = (KEY, b"content-encoding: " + coding)
    if framing == "length":
        sent = wire.request(body, headers=headers)
    else:
        sent = wire.request(None, headers=(*headers, b"transfer-encoding: chunked")) + chunked([body[:9], body[9:]])
    assert wire.talk(gateway.base_url, sent).status == 200
    ((head, came),) = raw_upstream.seen
    assert (came if framing == "length" else wire.unchunked(came)) == (body if framing == "length" else (body, True))
    assert dict(wire.fields(head))[b"content-encoding"] == coding


@pytest.mark.parametrize("target", [b"/v1/messages", b"/v1/files"])
def test_thirty_megabytes_arrive(raw_upstream, gateway, wire, target):
    body = b'{"model":"claude-sonnet-5","t":"' + os.urandom(15 * 2**20).hex().encode() + b'"}'
    assert wire.talk(gateway.base_url, wire.request(body, target=target)).status == 200
    ((_, came),) = raw_upstream.seen
    assert came == body


def test_an_empty_body_is_framed_as_it_came(raw_upstream, gateway, wire):
    for sent in (
        wire.request(b""),
        wire.request(None),
        wire.request(None, headers=(KEY, b"transfer-encoding: chunked")) + b"0\r\n\r\n",
        wire.request(None, method=b"GET", target=b"/v1/models"),
    ):
        assert wire.talk(gateway.base_url, sent).status == 200
    stated = [{name: value for name, value in wire.fields(head) if name != b"host"} for head, _ in raw_upstream.seen]
    assert [one.get(b"content-length") for one in stated] == [b"0", None, None, None]
    assert [b"transfer-encoding" in one for one in stated] == [False, False, True, False]
    assert [body for _, body in raw_upstream.seen] == [b"", b"", b"0\r\n\r\n", b""]


def test_headers_keep_their_values_order_and_number(raw_upstream, gateway, wire):
    sent = [
        b"Anthropic-Version: 2023-06-01",
        b"anthropic-beta: a-2026-01-01, b",
        b"ANTHROPIC-BETA: c",
        b"X-Odd:    spaces   inside  ",
        b"x-odd: second",
        b"X-Empty:",
        b"X-Latin: \xe9\xff",
        b"user-agent: A/1 (b; c)",
        b"x-stainless-retry-count: 0",
        b"anthropic-dangerous-direct-browser-access: true",
        b"idempotency-key: k",
        b"cookie: a=b; c=d",
        b"accept-encoding: identity",
    ]
    wire.talk(gateway.base_url, wire.request(b"{}", headers=(KEY, *sent)))
    ((head, _),) = raw_upstream.seen
    came = [one for one in wire.fields(head) if one[0] not in {b"host", b"x-api-key", b"content-length"}]
    assert came == wire.fields(b"\r\n".join([b"", *sent, b"", b""]))


@pytest.mark.parametrize("version", [b"2023-06-01", b"2026-10-21", b"2099-01-01", b"not a date"])
def test_any_version_passes(raw_upstream, gateway, wire, version):
    wire.talk(gateway.base_url, wire.request(headers=(KEY, b"anthropic-version: " + version)))
    assert dict(wire.fields(raw_upstream.seen[0][0]))[b"anthropic-version"] == version


TARGETS = [
    b"/v1/messages?beta=true",
    b"/v1/messages?",
    b"/v1/messages?a=1&a=2&b=%2F%20+%C3%A9&&=&x",
    b"/v1/messages?q=a/../b//c\\d%00;e",
    b"/v1/models/claude%2Dsonnet%2d5",
    b"/v1/files/a;v=1:x@y!$&'()*+,=~",
    b"/v1/files/%C5%BE%C3%A9",
    b"/v1/messages/",
    b"/v1/organizations/cost_report?starting_at=2026-11-01T00:00:00Z&group_by[]=model",
]


@pytest.mark.parametrize("target", TARGETS)
def test_targets_arrive_as_they_were_written(raw_upstream, gateway, wire, target):
    assert wire.talk(gateway.base_url, wire.request(target=target)).status == 200
    assert raw_upstream.seen[0][0].split(b"\r\n")[0] == b"POST %b HTTP/1.1" % target.removesuffix(b"?")


@settings(max_examples=60)
@given(data=st.data())
def test_any_body_arrives_however_it_is_cut(raw_upstream, gateway, wire, data):
    body = data.draw(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
    cuts = sorted({0, len(body), *data.draw(st.lists(st.integers(0, len(body)), max_size=5))})
    pieces = [body[start:end] for start, end in itertools.pairwise(cuts)]
    target = data.draw(st.sampled_from([b"/v1/messages", b"/v1/files"]))
    raw_upstream.seen.clear()
    with wire.connected(gateway.base_url) as connection:
        connection.sendall(
            wire.request(None, target=target, headers=(KEY, b"transfer-encoding: chunked")) + chunked(pieces)
        )
        assert wire.read_answer(connection).status == 200
        connection.sendall(wire.request(body, target=target))
        assert wire.read_answer(connection).status == 200
    (_, first), (_, second) = raw_upstream.seen
    assert wire.unchunked(first) == (body, True)
    assert second == body


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(raw_upstream, gateway, wire):
    body = b'{"model":"claude-sonnet-5"}'
    head = wire.request(None, headers=(KEY, b"expect: 100-continue", b"content-length: %d" % len(body)))
    with wire.connected(gateway.base_url) as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert wire.read_answer(connection).status == 200
    assert raw_upstream.seen[0][1] == body


# -- answers ----------------------------------------------------------------------------------------------------------

PACKED = gzip.compress(MESSAGE)
JSON = b"content-type: application/json"
ANSWERS = {
    "plain": (answer(fields=[JSON, b"content-length: %d" % len(MESSAGE)], body=MESSAGE), MESSAGE),
    "chunked": (
        answer(fields=[JSON, b"Transfer-Encoding: chunked"], body=chunked([MESSAGE[:7], MESSAGE[7:]])),
        MESSAGE,
    ),
    "gzip": (
        answer(fields=[JSON, b"content-encoding: gzip", b"content-length: %d" % len(PACKED)], body=PACKED),
        PACKED,
    ),
    "gzip, chunked": (
        answer(fields=[JSON, b"content-encoding: gzip", b"transfer-encoding: chunked"], body=chunked([PACKED])),
        PACKED,
    ),
    "br": (answer(fields=[JSON, b"content-encoding: br", b"content-length: 5000"], body=br_like()), br_like()),
    "empty": (answer(fields=[b"content-length: 0"]), b""),
    "no content": (answer(b"204 No Content"), b""),
    "not modified": (answer(b"304 Not Modified", fields=[b'etag: "x"']), b""),
    "an odd status": (answer(b"299 Fine", fields=[b"content-length: 2"], body=b"ok"), b"ok"),
    "after 100 and 103": (
        answer(b"100 Continue")
        + answer(b"103 Early Hints", fields=[b"link: </a>"])
        + answer(fields=[b"content-length: 2"], body=b"ok"),
        b"ok",
    ),
    "an error": (answer(b"400 Bad Request", fields=[JSON, b"content-length: 2"], body=b"{}"), b"{}"),
    "chunks with extensions and trailers": (
        answer(fields=[b"transfer-encoding: chunked"], body=b"2;a=b\r\nok\r\n0\r\nx-trailer: 1\r\n\r\n"),
        b"ok",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("target", [b"/v1/messages", b"/v1/files/f"])
def test_answers_come_back_as_they_were(raw_upstream, gateway, wire, name, target):
    data, body = ANSWERS[name]
    raw_upstream.answer = lambda _head, _body: (data, True)
    with wire.connected(gateway.base_url) as connection:
        for _ in range(2):  # the connection stays good on both sides
            connection.sendall(wire.request(target=target))
            came = wire.read_answer(connection)
            assert (came.body, came.whole) == (body, True)
            final = data[data.rindex(b"HTTP/1.1 ") :]
            assert came.status == int(final.split(b" ", 2)[1])
            told = [one for one in wire.fields(final.split(b"\r\n\r\n")[0] + b"\r\n") if one[0] != b"transfer-encoding"]
            theirs = [one for one in came.fields if not one[0].startswith(b"x-farthing-")]
            assert [one for one in theirs if one[0] != b"transfer-encoding"] == told


def test_an_answer_until_the_end_of_the_connection_is_whole(raw_upstream, gateway_to, wire):
    gateway = gateway_to(raw_upstream.url)
    raw_upstream.answer = lambda _head, _body: (answer(fields=[JSON], body=MESSAGE), False)
    came = wire.talk(gateway.base_url, wire.request())
    assert (came.body, came.whole) == (MESSAGE, True)
    assert len(gateway.calls) == 1


@pytest.mark.parametrize("stated", [b"content-length: 500", b"transfer-encoding: chunked"])
def test_the_answer_to_a_head_ends_with_its_head(raw_upstream, gateway, wire, stated):
    raw_upstream.answer = lambda _head, _body: (answer(fields=[stated, b"x-mine: 1"]), True)
    for _ in range(2):
        came = wire.talk(gateway.base_url, wire.request(None, method=b"HEAD", target=b"/v1/models"), to_head=True)
        assert (came.status, came.body, came.field(b"x-mine")) == (200, b"", b"1")
    assert len(raw_upstream.seen) == 2


def test_repeated_headers_of_an_answer_stay_repeated(raw_upstream, gateway, wire):
    told = [b"Set-Cookie: a=1", b"set-cookie: b=2", b"X-Latin: \xe9", b"request-id: req_1", b"content-length: 2"]
    raw_upstream.answer = lambda _head, _body: (answer(fields=told, body=b"{}"), True)
    came = wire.talk(gateway.base_url, wire.request(target=b"/v1/files"))
    assert came.fields[: len(told)] == wire.fields(b"\r\n".join([b"", *told, b""]))
