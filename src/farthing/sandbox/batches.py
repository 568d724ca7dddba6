"""
Message Batches as a state machine on the sandbox's clock.

Each request of a batch has its moment, spread evenly over the batch's processing time in an order that the seed
decides; it is answered then, whenever somebody looks. What is left when the batch expires or is cancelled is never
answered and never billed. Counts move when the whole batch has ended.

Source: facts: claude-api 6 and 8.5, checked 2026-11-20. UNCONFIRMED and chosen here: the status of a cancelled or
deleted batch that is in the wrong state (400), and of results that are not there yet or no longer (404); that a batch
is refused where a spend limit is reached, as its requests would be.
"""

from __future__ import annotations

import copy
import hashlib
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.sandbox import spend
from farthing.sandbox.batch import Batch, Item, read_requests
from farthing.sandbox.buckets import Bucket
from farthing.sandbox.clock import VirtualClock
from farthing.sandbox.messages import Begun, begin
from farthing.sandbox.problems import ApiError, invalid
from farthing.sandbox.replies import Seconds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from farthing.sandbox.accounts import Caller
    from farthing.sandbox.world import World

PER_MINUTE = {"Start": 1000, "Build": 2000, "Scale": 4000}
"""Requests to the batch endpoints, by tier."""
QUEUED_MAX = {"Start": 200_000, "Build": 300_000, "Scale": 500_000}
"""Requests of batches that have not ended, by tier."""
SLICE_REQUESTS, SLICE_BYTES = 50, 1_000_000
"""Where a slice ends: about 7 ms of small requests, fewer of large ones."""
_BETWEEN_SLICES_S = 0.0002
"""A lock that is let go and taken again at once is never another thread's."""


class Pace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    How fast batches go.

    Attributes:
        processing_s: From creation to the end; over 24 hours lets requests expire.
        cancel_s: How long a cancelled batch stays ``canceling``.

    """

    processing_s: Seconds = 0.0
    cancel_s: Seconds = 0.0


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
            while due := [batch for batch in self._live.values() if batch.next_at <= now]:
                if requests >= SLICE_REQUESTS or size >= SLICE_BYTES:
                    return True
                requests += 1
                size += self._step(min(due, key=lambda batch: (batch.next_at, batch.id)))
            return False

    def backlog(self, now: datetime) -> int:
        """How many requests should have been answered by *now* and have not been."""
        with self._world.lock:
            return sum(batch.due(now) for batch in self._live.values())

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
            ApiError: The envelope is wrong, too large or too much, or a spend limit is reached.

        """
        requests = read_requests(body)
        with self._world.lock:
            self._check_queue(caller, len(requests))
            accounts, now = self._world.accounts, self._world.clock.now()
            organization = accounts.organizations[caller.organization_id]
            spend.check(self._world.books, organization, accounts.workspaces[caller.workspace_id], now)
            batch_id = self._world.new_id("msgbatch_")
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
                batch.give_up("canceled")
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
        at, size = batch.next_at, 0
        if batch.waiting and batch.waiting[-1].at == at and at < batch.expires_at:
            item = batch.waiting.pop()
            size = len(item.params)
            self._answer(batch, item)
        elif batch.waiting:
            batch.give_up("expired")
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


def _shuffled(seed: int, what: str, custom_id: str) -> bytes:
    return hashlib.blake2b(f"{seed}:{what}:{custom_id}".encode(), digest_size=8).digest()
