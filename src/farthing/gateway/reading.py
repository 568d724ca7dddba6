"""
One answer, read while it passes: which meter it needs, and what it comes to in the end.

Whatever goes wrong in here is counted by a word and by nothing else: the client's bytes flow on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.call import Call, Served, call_identity
from farthing.gateway.headers import first
from farthing.gateway.hidden import only_names
from farthing.gateway.meters import (
    BatchMeter,
    HeldBody,
    JsonMeter,
    Meter,
    UnknownCoding,
    decoded,
    stream_meter,
)
from farthing.gateway.routes import Route, batch_of
from farthing.usage.interface import Known
from farthing.usage.sse import SseMeter

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.gateway.batches import Batches
    from farthing.gateway.metrics import Metrics
    from farthing.gateway.recorder import Recorder
    from farthing.gateway.wire import Headers
    from farthing.ledger.interface import Stored

_BATCH_BYTES_MAX = 256 * 2**10


class Books(NamedTuple):
    """Where the outcomes of answers go."""

    recorder: Recorder
    batches: Batches
    metrics: Metrics


class Attempt(NamedTuple):
    """
    One request as it was sent upstream once.

    Attributes:
        entry: Its name in the journal; empty for one that cannot be billed.
        sent_at: When; aware, UTC.
        model: What was asked for; empty where that could not be read.
        path: Decoded, without the query.
        dims: Whom it belongs to.

    """

    entry: str
    sent_at: datetime
    route: Route
    model: str
    path: str
    dims: dict[str, str]


class Reading:
    """
    The answer to one attempt.

    Args:
        books: Where its outcome goes.
        attempt: What was sent.
        status: Of the answer. headers: its fields, names in lower case.

    """

    def __init__(self, books: Books, attempt: Attempt, status: int, headers: Headers) -> None:
        self._books = books
        self._attempt = attempt
        self._status = status
        self._headers = headers
        self._settled = False
        self._failed = ""
        self._target: JsonMeter | SseMeter | BatchMeter | HeldBody | None = None
        self._meter: Meter | None = None
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
        if self._meter is None:
            return
        try:
            self._meter.feed(data)
        except Exception:  # noqa: BLE001 - as above
            self._fail("body")

    def settle(self, ended_at: datetime, *, whole: bool, left: str = "") -> Stored | None:
        """
        Write down the outcome, once.

        Args:
            ended_at: When the last byte came.
            whole: Whether the answer came to its end.
            left: What was done because the client had left: ``drained`` or ``aborted``; empty where it had not.

        """
        if self._settled:
            return None
        self._settled = True
        try:
            return self._outcome(ended_at, whole=whole, left=left)
        except Exception:  # noqa: BLE001 - as above
            self._fail("settle")
            return None

    # -- which meter ----------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if not 200 <= self._status < 300:
            return
        route, kind = self._attempt.route, (first(self._headers, b"content-type") or b"").lower()
        if route is Route.MESSAGES:
            known = Known(requested_model=self._attempt.model or None, request_id=self._request_id())
            self._target = stream_meter(known) if kind.startswith(b"text/event-stream") else JsonMeter(known)
        elif route is Route.BATCH_RESULTS:
            self._target = self._books.batches.meter(batch_of(self._attempt.path), self._attempt.dims)
        elif route is Route.BATCH:
            self._target = HeldBody(_BATCH_BYTES_MAX)
        if self._target is not None:
            self._meter = decoded(self._target, first(self._headers, b"content-encoding") or b"")

    def _request_id(self) -> str | None:
        value = first(self._headers, b"request-id")
        return value.decode("latin-1")[:128] if value else None

    # -- what it came to ------------------------------------------------------------------------------------------

    def _outcome(self, ended_at: datetime, *, whole: bool, left: str) -> Stored | None:
        target, recorder, entry = self._target, self._books.recorder, self._attempt.entry
        if isinstance(target, BatchMeter):
            self._batch_read(target, whole=whole)
        if not entry:
            return None
        if not 200 <= self._status < 300:
            recorder.free(entry, f"HTTP {self._status}")
            return None
        served = target.finish() if isinstance(target, JsonMeter | SseMeter) and not self._failed else None
        if isinstance(served, Served):
            return recorder.billed(entry, self._call(only_names(served), ended_at, left))
        if whole and not self._failed:
            self._books.metrics.count("farthing_metering_failures_total", "not readable")
        recorder.unknown(entry)
        return None

    def _call(self, served: Served, ended_at: datetime, left: str) -> Call:
        attempt = self._attempt
        dims = {**attempt.dims, "gateway_call": attempt.entry}
        if left:
            dims["client_left"] = left
        return Call(
            call_id=call_identity(served.message_id, served.request_id) or attempt.entry,
            sent_at=attempt.sent_at,
            source="gateway",
            served=served,
            dims=dims,
            duration_ms=max(0, round((ended_at - attempt.sent_at).total_seconds() * 1000)),
        )

    def _batch_read(self, meter: BatchMeter, *, whole: bool) -> None:
        if whole and not self._failed:
            meter.finish()
            self._books.batches.finished(batch_of(self._attempt.path))

    def batch_to_fetch(self) -> str | None:
        """After a whole answer about a batch: its id, where its results are there and not metered yet."""
        body = self._target.whole() if isinstance(self._target, HeldBody) and not self._failed else None
        return self._books.batches.seen(body) if body else None

    def _fail(self, reason: str) -> None:
        """Read no further; the answer's outcome stays unknown."""
        self._meter = None
        self._failed = reason
        self._books.metrics.count("farthing_metering_failures_total", reason)
