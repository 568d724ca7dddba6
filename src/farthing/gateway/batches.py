"""
Bills of Message Batches: one call per succeeded line of a results file, each once however often it is fetched.

The address of a results file that the API names is its own, so an SDK fetches it past the gateway. Therefore, when an
answer says that a batch has ended, the gateway fetches the results itself, once, with the caller's own credentials, and
reads them only for their counts.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.call import Call
from farthing.gateway.meters import BatchMeter, read_batch
from farthing.limits.replay import cost_pusd

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.gateway.limiting import Limiter
    from farthing.gateway.metrics import Metrics
    from farthing.gateway.recorder import Recorder
    from farthing.usage.batch import BatchResult

_REMEMBERED_MAX = 10_000
_NOTE = "when the batch was made is not known: dated when its results were fetched"


class Batches:
    """
    What this process knows of batches: when they were made, and which are metered to the end.

    Args:
        recorder: Where results go.
        metrics: Where failures are counted.
        now: The time; aware, UTC.
        limiter: Told what a batch comes to; None: there are no limits.

    """

    def __init__(
        self, recorder: Recorder, metrics: Metrics, now: Callable[[], datetime], limiter: Limiter | None = None
    ) -> None:
        self._recorder = recorder
        self._limiter = limiter
        self._metrics = metrics
        self._now = now
        self._made_at: OrderedDict[str, datetime] = OrderedDict()
        self._metered: OrderedDict[str, None] = OrderedDict()

    def seen(self, body: bytes) -> str | None:
        """Take note of an answer about a batch; its id where its results are there and not metered yet."""
        batch = read_batch(body)
        if batch is None:
            return None
        with contextlib.suppress(ValueError, OverflowError):
            _remember(self._made_at, batch.id, datetime.fromisoformat(batch.created_at).astimezone(UTC))
        ended = batch.processing_status == "ended" and batch.results_url
        return batch.id if ended and batch.id not in self._metered else None

    def finished(self, batch_id: str, came_to_pusd: int | None) -> None:
        """All its results were read, in one download, and came to that; None: some could not be read or priced."""
        _remember(self._metered, batch_id, None)
        if self._limiter is not None and came_to_pusd is not None:
            self._limiter.batch_billed(batch_id, came_to_pusd)

    def meter(self, batch_id: str, dims: dict[str, str]) -> BatchMeter:
        """A meter of one download of results; *dims* for each of its calls."""
        made_at = self._made_at.get(batch_id)
        at, notes = (made_at, ()) if made_at is not None else (self._now(), (_NOTE,))

        def take(result: BatchResult) -> None:
            if (served := result.served) is None:
                return
            served = msgspec.structs.replace(served, notes=(*served.notes, *notes)) if notes else served
            call = Call(call_id=result.call_id, sent_at=at, source="gateway", served=served, dims=dims)
            pusd = cost_pusd(self._recorder.billed(result.call_id, call))
            so_far = meter.came_to_pusd
            meter.came_to_pusd = None if pusd is None or so_far is None else so_far + pusd

        def failed(_why: str) -> None:
            meter.came_to_pusd = None
            self._metrics.count("farthing_metering_failures_total", "batch line")

        meter = BatchMeter(batch_id, take, failed)
        return meter


def _remember(kept: OrderedDict[str, Any], key: str, value: datetime | None) -> None:
    kept[key] = value
    if len(kept) > _REMEMBERED_MAX:
        kept.popitem(last=False)
