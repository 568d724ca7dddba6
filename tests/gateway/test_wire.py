"""The upstream's bytes, cut anywhere, give the same answer; what is no HTTP is refused."""

import pytest

from farthing.gateway.failures import Broken
from farthing.gateway.wire import HEAD_BYTES_MAX, ResponseReader, request_head

ANSWERS = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nx-a: 2\r\n\r\nhello",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: t\r\n\r\n",
    "after an interim one": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_may_be_cut_anywhere(name):
    data = ANSWERS[name]
    for cut in range(len(data) + 1):
        reader = ResponseReader()
        for piece in (data[:cut], data[cut:]):
            if piece:
                reader.feed(piece)
        assert (reader.status, reader.take(), reader.complete, reader.keep_alive) == (200, b"hello", True, True)
        assert not any(key.lower() == b"trailer" for key, _ in reader.headers)
    one = ResponseReader()
    for byte in data:
        one.feed(bytes([byte]))
    assert one.take() == b"hello"


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_cut_short_is_broken_wherever_it_is(name):
    data = ANSWERS[name]
    for cut in range(len(data)):
        reader = ResponseReader()
        if cut:
            reader.feed(data[:cut])
        with pytest.raises(Broken) as broken:
            reader.end()
        assert broken.value.answered is (cut > 0)


def test_without_a_length_the_end_of_the_connection_ends_the_answer():
    reader = ResponseReader()
    reader.feed(b"HTTP/1.1 200 OK\r\n\r\nhello")
    assert not reader.complete
    reader.end()
    assert (reader.complete, reader.keep_alive, reader.take()) == (True, False, b"hello")


def test_the_answer_to_a_head_has_no_body():
    reader = ResponseReader(to_head=True)
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    assert (reader.complete, reader.keep_alive) == (True, False)


@pytest.mark.parametrize(
    "data",
    [
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
def test_what_is_no_http_is_broken(data):
    reader = ResponseReader()
    with pytest.raises(Broken):
        reader.feed(data)


def test_a_head_without_end_is_broken():
    reader = ResponseReader()
    line = b"X-A: " + b"a" * 1_000 + b"\r\n"
    with pytest.raises(Broken):
        reader.feed(b"HTTP/1.1 200 OK\r\n" + line * (HEAD_BYTES_MAX // len(line) + 1))


def test_more_than_one_answer_ends_the_connection():
    reader = ResponseReader()
    reader.feed(ANSWERS["length"])
    with pytest.raises(Broken):
        reader.feed(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("cut", range(1, len(ANSWERS["length"])))
def test_a_second_answer_in_the_same_packet_is_no_part_of_the_first(cut):
    reader = ResponseReader()
    reader.feed(ANSWERS["length"] + ANSWERS["length"].replace(b"200 OK", b"500 No")[:cut])
    assert (reader.status, reader.take(), reader.complete, reader.keep_alive) == (200, b"hello", True, False)
    assert len(reader.headers) == 3


def test_a_head_is_written_as_it_is_given():
    assert request_head(b"POST", b"/v1/messages?x=%20", [(b"host", b"h"), (b"x", b"1")]) == (
        b"POST /v1/messages?x=%20 HTTP/1.1\r\nhost: h\r\nx: 1\r\n\r\n"
    )
