"""
The tee: what passes to the client is also read here, for its counts. Nothing of it is kept.

A meter is fed the body as it comes and asked once at the end. It may raise whatever it likes: its caller counts that
and goes on, because metering never breaks the user's call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from farthing.errors import BadInput
from farthing.gateway.codings import unpacker
from farthing.gateway.routes import is_batch_id
from farthing.usage.batch import BatchResult, read_batch_line
from farthing.usage.interface import Known, Quarantined, Unreadable
from farthing.usage.messages import read_message
from farthing.usage.sse import SseMeter

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.call import Served
    from farthing.gateway.codings import Unpacker

JSON_BYTES_MAX = 32 * 2**20
LINE_BYTES_MAX = 32 * 2**20
_UNPACKED_BYTES_FREE, _UNPACKED_RATIO_MAX = 8 * 2**20, 200
"""What a packed body may come to beside this multiple of its bytes. Answers of text come to 5 to 50 times."""


class Meter(Protocol):
    """Takes a body piece by piece."""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        ...


class JsonMeter:
    """One Messages response; a body over the bound is not read."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._body = HeldBody()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._body.feed(chunk)

    def finish(self) -> Served | Quarantined:
        """What was served."""
        body = self._body.whole()
        if body is None:
            return Unreadable("read a response that is too long to hold", "messages")
        try:
            return read_message(body, self._known)
        except BadInput as error:
            return Quarantined(str(error), "messages")


class HeldBody:
    """A body that is read as a whole, up to a bound; whoever feeds it gathers small pieces first, for each is kept."""

    def __init__(self, bytes_max: int = JSON_BYTES_MAX) -> None:
        self._pieces: list[bytes] = []
        self._bytes_left = bytes_max

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._bytes_left -= len(chunk)
        if self._bytes_left >= 0:
            self._pieces.append(chunk)
        else:
            self._pieces.clear()

    def whole(self) -> bytes | None:
        """Everything that was fed; None where that was too much."""
        return None if self._bytes_left < 0 else b"".join(self._pieces)


class BatchMeter:
    """
    A file of batch results, line by line.

    Args:
        batch_id: Whose results.
        take: Gets each result that was read.
        failed: Called for each line that was not, with one clear sentence.

    Attributes:
        came_to_pusd: What its results were posted at so far, kept by whoever takes them; None where that is not known.

    """

    def __init__(self, batch_id: str, take: Callable[[BatchResult], None], failed: Callable[[str], None]) -> None:
        self.came_to_pusd: int | None = 0
        self._batch_id = batch_id
        self._take = take
        self._failed = failed
        self._line = bytearray()
        self._too_long = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            self._hold(piece)
            self.finish()
        self._hold(rest)

    def finish(self) -> None:
        """End the line."""
        line, too_long = bytes(self._line), self._too_long
        self._line.clear()
        self._too_long = False
        if too_long:
            self._failed("a line of batch results is too long to hold")
        elif line.strip():
            try:
                result = read_batch_line(line, batch_id=self._batch_id)
            except BadInput as error:
                self._failed(str(error))
                return
            self._take(result)

    def _hold(self, piece: bytes) -> None:
        if self._too_long or len(self._line) + len(piece) > LINE_BYTES_MAX:
            self._too_long = True
            self._line.clear()
        else:
            self._line += piece


class Batch(msgspec.Struct):
    """What an answer about a batch says of it."""

    id: str = ""
    type: str = ""
    created_at: str = ""
    processing_status: str = ""
    results_url: str | None = None


def read_batch(body: bytes) -> Batch | None:
    """Read an answer about one batch; None where it is none, or gives an id that none can have."""
    try:
        batch = msgspec.json.decode(body, type=Batch)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return batch if batch.type == "message_batch" and is_batch_id(batch.id) else None


def stream_meter(known: Known) -> SseMeter:
    """A meter of one streamed response."""
    return SseMeter(known)


def decoded(meter: Meter, coding: bytes) -> Meter:
    """
    *meter*, behind whatever undoes a content coding.

    Raises:
        UnknownCoding: We cannot undo it.

    """
    found = unpacker(coding)
    return meter if found is None else _Unpacked(meter, found)


class PackedTooTight(Exception):
    """A body that comes to so much more than was sent that reading it would keep everybody else waiting."""


class _Unpacked:
    """A meter that is fed what a coding hides, in pieces of bounded size."""

    def __init__(self, meter: Meter, unpacker: Unpacker) -> None:
        self._meter = meter
        self._unpacker = unpacker
        self._bytes_left = _UNPACKED_BYTES_FREE

    def feed(self, chunk: bytes) -> None:
        self._bytes_left += len(chunk) * _UNPACKED_RATIO_MAX
        for piece in self._unpacker.pieces(chunk):
            self._bytes_left -= len(piece)
            if self._bytes_left < 0:
                raise PackedTooTight
            self._meter.feed(piece)
