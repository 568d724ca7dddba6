"""
Message Batches as a state machine on the sandbox's clock.

Each request of a batch has its moment, spread evenly over the batch's processing time in an order that the seed
decides; it is answered then, whenever somebody looks. What is left when the batch expires or is cancelled is never
answered and never billed. Counts move when the whole batch has ended.

Source: facts: claude-api 6 and 8.5, checked 2026-11-20. UNCONFIRMED and chosen here: the status of a cancelled or
deleted batch that is in the wrong state (400), and of results that are not there yet or no longer (404).
"""

from __future__ import annotations

import copy
import hashlib
import re
import time
from bisect import bisect_left
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from farthing.sandbox.buckets import Bucket
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.messages import Begun, begin
from farthing.sandbox.paging import rfc3339
from farthing.sandbox.problems import ApiError, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from farthing.sandbox.accounts import Caller
    from farthing.sandbox.world import World

REQUESTS_MAX = 100_000
BODY_BYTES_MAX = 256 * 1000 * 1000
LIFETIME = timedelta(hours=24)
RETENTION = timedelta(days=29)
PER_MINUTE = {"Start": 1000, "Build": 2000, "Scale": 4000}
"""Requests to the batch endpoints, by tier."""
QUEUED_MAX = {"Start": 200_000, "Build": 300_000, "Scale": 500_000}
"""Requests of batches that have not ended, by tier."""
SLICE_REQUESTS, SLICE_BYTES = 50, 1_000_000
"""Where a slice ends: about 7 ms of small requests, fewer of large ones."""
_BETWEEN_SLICES_S = 0.0002
"""A lock that is let go and taken again at once is never another thread's."""
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class Pace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    How fast batches go.

    Attributes:
        processing_s: From creation to the end; over 24 hours lets requests expire.
        cancel_s: How long a cancelled batch stays ``canceling``.

    """

    processing_s: float = 0.0
    cancel_s: float = 0.0


class Item(NamedTuple):
    """One request of a batch, waiting."""

    custom_id: str
    params: bytes
    at: datetime


class Batch:
    """One batch. Everything about it is read through :class:`Batches`."""

    def __init__(
        self, batch_id: str, caller: Caller, headers: Mapping[str, str], waiting: list[Item], created_at: datetime
    ) -> None:
        self.id = batch_id
        self.caller = caller
        self.headers = headers
        self.waiting = waiting
        self.size = len(waiting)
        self.created_at = created_at
        self.ends_at = waiting[0].at
        self.expires_at = created_at + LIFETIME
        self.cancelled_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.results: list[tuple[str, bytes]] = []
        self.counts = {"succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}

    @property
    def archived_at(self) -> datetime:
        """When its results go away."""
        return self.created_at + RETENTION

    def to_json(self, now: datetime, base_url: str) -> dict[str, Any]:
        """The API's object, with a link to the results on this server."""
        ended, archived = self.ended_at is not None, self.archived_at <= now
        status = "ended" if ended else "canceling" if self.cancelled_at else "in_progress"
        nothing = dict.fromkeys(self.counts, 0)
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": {"processing": 0 if ended else self.size, **(self.counts if ended else nothing)},
            "created_at": rfc3339(self.created_at),
            "expires_at": rfc3339(self.expires_at),
            "ended_at": rfc3339(self.ended_at) if self.ended_at else None,
            "cancel_initiated_at": rfc3339(self.cancelled_at) if self.cancelled_at else None,
            "archived_at": rfc3339(self.archived_at) if archived else None,
            "results_url": f"{base_url}/v1/messages/batches/{self.id}/results" if ended and not archived else None,
        }

    def finish(self, custom_id: str, kind: str, **more: Any) -> None:
        """Write one result."""
        self.counts[kind] += 1
        line = msgspec.json.encode({"custom_id": custom_id, "result": {"type": kind, **more}})
        self.results.append((custom_id, line))


class Batches:
    """
    The batches of one world. :meth:`tick` before anything else looks at the world, so that time has passed for both.

    Args:
        world: Whose clock, books and replies they use.

    Attributes:
        pace: For batches created from now on; replace it at will.

    """

    def __init__(self, world: World, pace: Pace | None = None) -> None:
        self._world = world
        self._batches: dict[str, Batch] = {}
        self._live: dict[str, Batch] = {}
        self._buckets: dict[str, Bucket] = {}
        self.pace = pace or Pace()

    def tick(self) -> None:
        """Let everything happen that should have happened by now, in order of time; other threads get their turns."""
        now = self._world.clock.now()
        while self.step(now):
            time.sleep(_BETWEEN_SLICES_S)

    def step(self, now: datetime) -> bool:
        """One slice of what should have happened by *now*, in order of time; tells whether there is more."""
        with self._world.lock:
            requests, size = 0, 0
            while due := [batch for batch in self._live.values() if _next(batch) <= now]:
                if requests >= SLICE_REQUESTS or size >= SLICE_BYTES:
                    return True
                requests += 1
                size += self._step(min(due, key=lambda batch: (_next(batch), batch.id)))
            return False

    def backlog(self, now: datetime) -> int:
        """How many requests should have been answered by *now* and have not been."""
        with self._world.lock:
            return sum(_due(batch, now) for batch in self._live.values())

    def admit(self, caller: Caller) -> None:
        """
        Count one request to the batch endpoints.

        Raises:
            ApiError: Too many in this minute.

        """
        tier = self._world.accounts.organizations[caller.organization_id].tier
        per_minute, now = PER_MINUTE.get(tier or ""), self._world.clock.now()
        if per_minute is None:
            return
        bucket = self._buckets.setdefault(caller.organization_id, Bucket(per_minute, now))
        bucket.resize(per_minute, now)
        wait_s = bucket.wait_s(1, now)
        if wait_s:
            message = f"This request would exceed your organization's rate limit of {per_minute:,} batch requests"
            raise ApiError("rate_limit_error", f"{message} per minute", retry_after_s=wait_s)
        bucket.take(1, now)

    def create(self, caller: Caller, headers: Mapping[str, str], body: bytes) -> Batch:
        """
        Take a batch. Its ``params`` are looked at later, each at its time.

        Raises:
            ApiError: The envelope is wrong, too large or too much.

        """
        requests = read_requests(body)
        with self._world.lock:
            self._check_queue(caller, len(requests))
            batch_id, now = self._world.new_id("msgbatch_"), self._world.clock.now()
            order = sorted(requests, key=lambda one: _shuffled(self._world.seed, batch_id, one[0]))
            whole = timedelta(seconds=self.pace.processing_s)
            waiting = [Item(*one, now + whole * at / len(order)) for at, one in enumerate(order, 1)]
            waiting.reverse()  # the next one is popped off the end
            batch = Batch(batch_id, caller, dict(headers), waiting, now)
            self._batches[batch_id] = self._live[batch_id] = batch
        return batch

    def find(self, caller: Caller, batch_id: str) -> Batch:
        """
        One batch of the caller's workspace.

        Raises:
            ApiError: There is none.

        """
        batch = self._batches.get(batch_id)
        if batch is None or batch.caller.workspace_id != caller.workspace_id:
            raise ApiError("not_found_error", "Message batch not found")
        return batch

    def owned_by(self, caller: Caller) -> list[Batch]:
        """The workspace's batches, the newest first."""
        return [one for one in reversed(self._batches.values()) if one.caller.workspace_id == caller.workspace_id]

    def cancel(self, caller: Caller, batch_id: str) -> Batch:
        """
        Answer no more of its requests. Cancelling again changes nothing.

        Raises:
            ApiError: There is no such batch, or it has ended.

        """
        with self._world.lock:
            batch, now = self.find(caller, batch_id), self._world.clock.now()
            if batch.ended_at is not None:
                raise invalid("This message batch has ended and cannot be canceled")
            if batch.cancelled_at is None:
                batch.cancelled_at = now
                batch.ends_at = now + timedelta(seconds=self.pace.cancel_s)
                _give_up(batch, "canceled")
        return batch

    def delete(self, caller: Caller, batch_id: str) -> dict[str, Any]:
        """
        Forget a batch that has ended.

        Raises:
            ApiError: There is none, or it has not.

        """
        batch = self.find(caller, batch_id)
        if batch.ended_at is None:
            raise invalid("This message batch has not ended; cancel it first")
        del self._batches[batch_id]
        return {"id": batch_id, "type": "message_batch_deleted"}

    def results(self, caller: Caller, batch_id: str) -> list[bytes]:
        """
        One line of JSON for each request, in an order of its own.

        Raises:
            ApiError: There is no such batch, or its results are not there yet or no longer.

        """
        batch = self.find(caller, batch_id)
        if batch.ended_at is None or batch.archived_at <= self._world.clock.now():
            raise ApiError("not_found_error", "This message batch has no results")
        seed = self._world.seed
        shuffled = sorted(batch.results, key=lambda one: _shuffled(seed, f"{batch_id} results", one[0]))
        return [line for _, line in shuffled]

    def _check_queue(self, caller: Caller, more: int) -> None:
        most = QUEUED_MAX.get(self._world.accounts.organizations[caller.organization_id].tier or "")
        mine = [one for one in self._live.values() if one.caller.organization_id == caller.organization_id]
        if most is not None and sum(one.size for one in mine) + more > most:
            raise ApiError("rate_limit_error", f"More than {most:,} batch requests would be in the queue")

    def _step(self, batch: Batch) -> int:
        """What happens next to a batch; tells how many bytes were read for it."""
        at, size = _next(batch), 0
        if batch.waiting and batch.waiting[-1].at == at and at < batch.expires_at:
            item = batch.waiting.pop()
            size = len(item.params)
            self._answer(batch, item)
        elif batch.waiting:
            _give_up(batch, "expired")
            batch.ends_at = batch.expires_at
        if not batch.waiting and batch.ends_at <= at:
            batch.ended_at = batch.ends_at
            del self._live[batch.id]
        return size

    def _answer(self, batch: Batch, item: Item) -> None:
        then = copy.copy(self._world)  # everything is shared but for the time
        then.clock = VirtualClock(item.at)
        begun = begin(then, batch.caller, batch.headers, item.params, service_tier="batch")
        if isinstance(begun, Begun):
            begun.first_byte()
            batch.finish(item.custom_id, "succeeded", message=begun.message())
            begun.settle()
        else:
            batch.finish(item.custom_id, "errored", error=msgspec.Raw(begun.body))


def read_requests(body: bytes) -> list[tuple[str, bytes]]:
    """
    The custom id and undecoded ``params`` of each request.

    Raises:
        ApiError: The envelope is wrong or too large.

    """
    if len(body) > BODY_BYTES_MAX:
        raise ApiError("request_too_large", "Request exceeds the maximum size")
    try:
        requests = msgspec.json.decode(body, type=_Envelope).requests
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("requests: expected a list of objects with custom_id and params") from None
    if not 1 <= len(requests) <= REQUESTS_MAX:
        raise invalid(f"requests: List should have 1 to {REQUESTS_MAX} items")
    seen = set()
    for at, one in enumerate(requests):
        if not _CUSTOM_ID.fullmatch(one.custom_id):
            raise invalid(f"requests.{at}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
        if one.custom_id in seen:
            raise invalid(f"requests.{at}.custom_id: {one.custom_id} is not unique in this batch")
        seen.add(one.custom_id)
    return [(one.custom_id, bytes(one.params)) for one in requests]


class _Request(msgspec.Struct):
    custom_id: str
    params: msgspec.Raw


class _Envelope(msgspec.Struct):
    requests: list[_Request]


def _next(batch: Batch) -> datetime:
    """When something happens to a live batch."""
    return min(batch.waiting[-1].at, batch.expires_at) if batch.waiting else batch.ends_at


def _due(batch: Batch, now: datetime) -> int:
    """How many of a batch's waiting requests have their moment by *now*; they wait in reverse order of time."""
    until = min(now, batch.expires_at)
    return len(batch.waiting) - bisect_left(batch.waiting, -until.timestamp(), key=lambda item: -item.at.timestamp())


def _give_up(batch: Batch, kind: str) -> None:
    while batch.waiting:
        batch.finish(batch.waiting.pop().custom_id, kind)


def _shuffled(seed: int, what: str, custom_id: str) -> bytes:
    return hashlib.blake2b(f"{seed}:{what}:{custom_id}".encode(), digest_size=8).digest()
