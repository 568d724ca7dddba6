"""Heads that are bounded and can be read in one way only."""

import pytest

from farthing.gateway.heads import FIELDS_MAX, HEAD_BYTES_MAX, TARGET_BYTES_MAX, bad_head

HOST = (b"host", b"gateway")
CHUNKED = (b"transfer-encoding", b"chunked")


@pytest.mark.parametrize(
    ("version", "target", "headers"),
    [
        ("1.1", b"/v1/messages?beta=true", [HOST]),
        ("1.1", b"/v1/messages", [HOST, CHUNKED]),
        ("1.1", b"/v1/messages", [HOST, (b"transfer-encoding", b"\tChunked ")]),
        ("1.0", b"/v1/messages", []),
        ("1.1", b"/" + b"a" * (TARGET_BYTES_MAX - 1), [HOST]),
        ("1.1", b"/", [HOST, *[(b"x", b"")] * (FIELDS_MAX - 1)]),
        ("1.1", b"/", [HOST, (b"x", b"a" * (HEAD_BYTES_MAX - 13))]),
    ],
)
def test_heads_that_are_served(version, target, headers):
    assert bad_head(version, target, headers) is None


@pytest.mark.parametrize(
    ("status", "version", "target", "headers"),
    [
        (414, "1.1", b"/" + b"a" * TARGET_BYTES_MAX, [HOST]),
        (431, "1.1", b"/", [HOST, *[(b"x", b"")] * FIELDS_MAX]),
        (431, "1.1", b"/", [HOST, (b"x", b"a" * (HEAD_BYTES_MAX - 12))]),
        (505, "2.0", b"/", [HOST]),
        (505, "0.9", b"/", []),
        (501, "1.1", b"/", [HOST, (b"transfer-encoding", b"gzip, chunked")]),
        (501, "1.1", b"/", [HOST, (b"transfer-encoding", b"identity")]),
        (400, "1.1", b"/", [HOST, CHUNKED, CHUNKED]),
        (400, "1.0", b"/", [CHUNKED]),
        (400, "1.1", b"/", []),
        (400, "1.1", b"/", [HOST, HOST]),
        (400, "1.1", b"/v1/a#b", [HOST]),
    ],
)
def test_heads_that_are_not(status, version, target, headers):
    found = bad_head(version, target, headers)
    assert found is not None
    assert found.status == status
    assert found.message.startswith("farthing: ")
