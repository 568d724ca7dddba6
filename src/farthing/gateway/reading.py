"""
One answer, read while it passes: which meter it needs, and what it comes to in the end.

Whatever goes wrong in here is counted by a word and by nothing else: the client's bytes flow on.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.call import Call, Served, call_identity
from farthing.gateway.codings import UnknownCoding
from farthing.gateway.hidden import only_names
from farthing.gateway.meters import (
    BatchMeter,
    HeldBody,
    JsonMeter,
    Meter,
    decoded,
    read_batch,
    stream_meter,
)
from farthing.gateway.routes import Route, batch_of
from farthing.ledger.content import Content, Part
from farthing.ledger.merge import RECOVERED
from farthing.usage.interface import Known
from farthing.usage.sse import SseMeter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farthing.call import Request
    from farthing.gateway.batches import Batches
    from farthing.gateway.content import Mode
    from farthing.gateway.content_keeper import Capture, Keeper
    from farthing.gateway.metrics import Metrics
    from farthing.gateway.recorder import Recorder
    from farthing.ledger.interface import Stored
    from farthing.usage.stream import EventMeter

_BATCH_BYTES_MAX = 256 * 2**10
_READ_TOGETHER_BYTES = 16 * 2**10
"""So much of an answer is read at a time once its content has begun: often all of a stream's hundred small pieces."""


class Books(NamedTuple):
    """Where the outcomes of answers go."""

    recorder: Recorder
    batches: Batches
    metrics: Metrics


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """
    One request as it was sent upstream once.

    Attributes:
        entry: Its name in the journal; empty for one that cannot be billed.
        sent_at: When; aware, UTC.
        model: What was asked for; empty where that could not be read.
        path: Decoded, without the query.
        dims: Whom it belongs to.
        begun_s: When by a clock that only runs forward (``time.monotonic``).

    """

    entry: str
    sent_at: datetime
    route: Route
    model: str
    path: str
    dims: dict[str, str]
    begun_s: float = 0.0


class Reading:
    """
    The answer to one attempt.

    Args:
        books: Where its outcome goes.
        attempt: What was sent.
        status: Of the answer. named: the first value of each of its fields, names in lower case.
        request: What was asked for; None where that could not be read.

    """

    def __init__(
        self,
        books: Books,
        attempt: Attempt,
        status: int,
        named: Mapping[bytes, bytes],
        request: Request | None = None,
    ) -> None:
        self._books = books
        self._attempt = attempt
        self._request = request
        self._status = status
        self._named = named
        self._settled = False
        self._failed = ""
        self._ttft_ms: int | None = None
        self._early = True
        self._seen = False
        self._target: JsonMeter | SseMeter | BatchMeter | HeldBody | None = None
        self._meter: Meter | None = None
        self._unread = bytearray()
        self._capture: Capture | None = None
        try:
            self._begin()
        except UnknownCoding:
            self._fail("content coding")
        except Exception:  # noqa: BLE001 - metering never breaks the user's call
            self._fail("begin")

    @property
    def is_message(self) -> bool:
        """Whether the answer is one Messages response in JSON, whose price is known when its bytes are."""
        return isinstance(self._target, JsonMeter)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        if self._capture is not None:
            self._capture.feed(data)
        if self._early:
            self._read(data)
            return
        self._unread += data
        if len(self._unread) >= _READ_TOGETHER_BYTES:
            self._read_rest()

    def _read(self, data: bytes) -> None:
        if self._meter is None or not data:
            return
        try:
            self._meter.feed(data)
        except Exception:  # noqa: BLE001 - as above
            self._fail("body")
            return
        if self._early:
            self._look()

    def _read_rest(self) -> None:
        """Read what has come and waits to be read."""
        data, self._unread = bytes(self._unread), bytearray()
        self._read(data)

    def settle(self, *, whole: bool, left: str = "") -> Stored | None:
        """
        Write down the outcome, once.

        Args:
            whole: Whether the answer came to its end.
            left: What was done because the client had left: ``drained`` or ``aborted``; empty where it had not.

        """
        if self._settled:
            return None
        self._settled = True
        if self._unread:
            self._read_rest()
        try:
            return self._outcome(whole=whole, left=left)
        except Exception:  # noqa: BLE001 - as above
            self._fail("settle")
            return None

    # -- what is kept of it ---------------------------------------------------------------------------------------

    def keep(self, keeper: Keeper, mode: Mode, request: bytes | None) -> None:
        """Keep what request and answer say; *request* is None where it was not held whole."""
        attempt, named = self._attempt, self._named
        tenant = attempt.dims.get("tenant", "")
        row = Content(
            *(attempt.entry, attempt.entry, attempt.sent_at, tenant, attempt.model, mode, self._status, Part(), Part())
        )
        is_stream = named.get(b"content-type", b"").lower().startswith(b"text/event-stream")
        self._capture = keeper.begin(row, request, named.get(b"content-encoding", b""), is_stream=is_stream)

    def end_content(self, stored: Stored | None, *, whole: bool) -> None:
        """Hand over what was to be kept, once; *stored* is what the call was posted as."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.end("" if stored is None else stored.call.call_id, whole=whole)

    # -- which meter ----------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if not 200 <= self._status < 300:
            return
        route, kind = self._attempt.route, self._named.get(b"content-type", b"").lower()
        if route is Route.MESSAGES:
            known = Known(requested_model=self._attempt.model or None, request_id=self._request_id())
            self._target = stream_meter(known) if kind.startswith(b"text/event-stream") else JsonMeter(known)
        elif route is Route.BATCH_RESULTS:
            self._target = self._books.batches.meter(batch_of(self._attempt.path), self._attempt.dims)
        elif route is Route.BATCH:
            self._target = HeldBody(_BATCH_BYTES_MAX)
        if self._target is not None:
            self._meter = decoded(self._target, self._named.get(b"content-encoding", b""))

    def _request_id(self) -> str | None:
        value = self._named.get(b"request-id")
        return value.decode("latin-1")[:128] if value else None

    # -- while it comes -------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """After the first pieces: when did content begin, and what did a stream tell with its start."""
        target = self._target
        if not isinstance(target, SseMeter):
            self._ttft_ms, self._early = self._since_ms(), False
            return
        events = target.so_far
        if events.output_started:
            self._ttft_ms, self._early = self._since_ms(), False
        if events.started and not self._seen:
            self._seen = True
            if not events.ended:
                self._write_seen(events)

    def _write_seen(self, events: EventMeter) -> None:
        """Write down what the input was: if this process is killed before the end, that is known."""
        try:
            served = events.finish()
            if isinstance(served, Served) and self._attempt.entry:
                call = self._call(only_names(served), None, {RECOVERED: "message_start"})
                self._books.recorder.seen(self._attempt.entry, call)
        except Exception:  # noqa: BLE001 - as above
            self._books.metrics.count("farthing_metering_failures_total", "start of a stream")

    def _since_ms(self) -> int:
        return round((time.monotonic() - self._attempt.begun_s) * 1000)

    # -- what it came to ------------------------------------------------------------------------------------------

    def _outcome(self, *, whole: bool, left: str) -> Stored | None:
        target, recorder, entry = self._target, self._books.recorder, self._attempt.entry
        if isinstance(target, BatchMeter):
            self._batch_read(target, whole=whole)
        if not entry:
            return None
        if not 200 <= self._status < 300:
            recorder.free(entry, f"HTTP {self._status}")
            return None
        served = target.finish() if isinstance(target, (JsonMeter, SseMeter)) and not self._failed else None
        if isinstance(served, Served):
            tags = {"client_left": left} if left else {}
            return recorder.billed(entry, self._call(only_names(served), self._since_ms(), tags))
        if whole and not self._failed:
            self._books.metrics.count("farthing_metering_failures_total", "not readable")
        recorder.unknown(entry)
        return None

    def _call(self, served: Served, duration_ms: int | None, tags: dict[str, str]) -> Call:
        attempt = self._attempt
        return Call(
            call_id=call_identity(served.message_id, served.request_id) or attempt.entry,
            sent_at=attempt.sent_at,
            source="gateway",
            served=served,
            dims={**attempt.dims, "gateway_call": attempt.entry, **tags},
            duration_ms=duration_ms,
            ttft_ms=self._ttft_ms,
            request=self._request,
        )

    def _batch_read(self, meter: BatchMeter, *, whole: bool) -> None:
        if whole and not self._failed and self._status == 200:  # 206 is a part of them
            meter.finish()
            self._books.batches.finished(batch_of(self._attempt.path), meter.came_to_pusd)

    def batch_made(self) -> str | None:
        """After a whole answer about one batch: its id."""
        body = self._target.whole() if isinstance(self._target, HeldBody) and not self._failed else None
        batch = read_batch(body) if body else None
        return batch.id if batch is not None else None

    def batch_to_fetch(self) -> str | None:
        """After a whole answer about a batch: its id, where its results are there and not metered yet."""
        body = self._target.whole() if isinstance(self._target, HeldBody) and not self._failed else None
        return self._books.batches.seen(body) if body else None

    def _fail(self, reason: str) -> None:
        """Read no further; the answer's outcome stays unknown."""
        self._meter = None
        self._failed = reason
        self._books.metrics.count("farthing_metering_failures_total", reason)
