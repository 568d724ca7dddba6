"""What an exchange is given: the request as it came, and the desk that all exchanges share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.gateway.asked import Asked
from farthing.gateway.content import Mode
from farthing.gateway.decide import Refuse
from farthing.gateway.wire import Headers

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.gateway.content_keeper import Keeper
    from farthing.gateway.drain import Drain
    from farthing.gateway.fingerprint import Fingerprinter
    from farthing.gateway.limiting import Limiter
    from farthing.gateway.pool import Pool
    from farthing.gateway.reading import Books


class Came(msgspec.Struct, frozen=True, gc=False):
    """
    A request as it came.

    Attributes:
        entry: The name that the gateway gave it.
        path: Decoded, without the query, as :func:`farthing.gateway.routes.meant` gives it.
        target: Path and query as they came. headers: names in lower case, the credential being what the upstream gets.
        dims_of: What the request belongs to, once it is read.
        check: Gets the body, and whether it is all of it, and says why it may not be sent; None: nothing to check.
        origin: Where addresses in answers about batches are made to point; None: those pass as they are.
        upstream: Whose rate limits it counts against there: a name or a fingerprint, never a key.
        content_of: What is kept of its bodies, once it is read; None: nothing.

    """

    entry: str
    method: str
    path: str
    target: bytes
    headers: Headers
    dims_of: Callable[[Asked], dict[str, str]]
    check: Callable[[bytes, bool], Refuse | None] | None = None
    origin: bytes | None = None
    upstream: str = ""
    content_of: Callable[[Asked], Mode] | None = None

    def __repr__(self) -> str:
        return f"<Came {self.entry} {self.method}>"  # fields carry keys


class Desk(NamedTuple):
    """
    What every exchange shares.

    Attributes:
        collect: Fetches the results of a batch, with the caller's credentials.
        limiter: Budgets and rate limits; None: there are none.
        content: Where bodies go that are kept; None: none are.

    """

    pool: Pool
    books: Books
    drain: Drain
    held: Held
    now: Callable[[], datetime]
    collect: Callable[[str, Headers, dict[str, str]], None]
    fingerprinter: Fingerprinter
    limiter: Limiter | None = None
    content: Keeper | None = None


class Held:
    """How many bytes of requests are held at once, over all exchanges."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes = 0
        self._bytes_max = bytes_max

    def room(self, wanted: int) -> int:
        """How much more one exchange may hold."""
        return max(0, min(wanted, self._bytes_max - self.bytes))
