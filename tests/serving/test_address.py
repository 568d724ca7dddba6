"""Addresses of this machine."""

import socket

import pytest

from farthing.errors import BadInput
from farthing.serving.address import is_loopback, listen


@pytest.mark.parametrize(
    ("host", "is_own"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("box", False)]
)
def test_only_this_machine_reaches_loopback(host, is_own):
    assert is_loopback(host) is is_own


def test_somebody_can_connect_at_once_and_small_packets_are_sent_at_once():
    with listen("127.0.0.1", 0) as bound:
        assert bound.proto == socket.IPPROTO_TCP  # else asyncio leaves Nagle's algorithm on
        socket.create_connection(bound.getsockname()).close()


def test_a_port_that_is_taken_is_said_with_a_way_out():
    with listen("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        with pytest.raises(BadInput, match=rf"listen on 127\.0\.0\.1 port {port}: .* in use; .*; port 0 takes any"):
            listen("127.0.0.1", port)
