"""Addresses of this machine: who can reach one, and how to listen on it."""

from __future__ import annotations

import ipaddress
import socket

from farthing.errors import BadInput


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """
    Listen, so that nobody is refused between now and the first answer; port 0: any free one.

    Raises:
        BadInput: The address cannot be had.

    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # asyncio sends small packets at once only on sockets that name their protocol; otherwise an answer of several
        # packets waits for the client's delayed acknowledgement, 40 ms.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise _unavailable(host, port, error) from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen()
    except OSError as error:
        bound.close()
        raise _unavailable(host, port, error) from error
    return bound


def _unavailable(host: str, port: int, error: OSError) -> BadInput:
    told = f"tried to listen on {host} port {port}: {error.strerror}"
    return BadInput(told, "an address that is free", "port 0 takes any")
