"""An answer about batches on its way to a caller with a virtual key: held, and its addresses pointed to us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.gateway.addresses import ANSWER_BYTES_MAX, with_results_at
from farthing.gateway.failures import Broken

if TYPE_CHECKING:
    from farthing.gateway.connection import Connection
    from farthing.gateway.wire import ResponseReader


async def readdressed(connection: Connection, response: ResponseReader, origin: bytes, prefix: bytes) -> bytes:
    """
    The body of an answer with its addresses at *origin*; its length in *response* is made to fit.

    Args:
        connection: What it comes on.
        response: Its head.
        origin: Scheme and host.
        prefix: What the upstream's address has before ``/v1``.

    Raises:
        Broken: It cannot be read, so nothing of it may slip by. TooSlow: it did not come in time.

    """
    if response.named.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise Broken("the upstream packed an answer that has to be rewritten", answered=True)
    pieces, size = [], 0
    while data := await connection.body():
        pieces.append(data)
        size += len(data)
        if size > ANSWER_BYTES_MAX:
            raise Broken("the upstream's answer is too long to be rewritten", answered=True)
    body = with_results_at(b"".join(pieces), origin, prefix)
    if b"content-length" in response.named:
        length, both = b"%d" % len(body), zip(response.headers, response.fields, strict=True)
        response.headers = [
            (name, length if field == b"content-length" else value) for (name, value), (field, _) in both
        ]
    return body
