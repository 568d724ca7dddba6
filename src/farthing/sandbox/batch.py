"""
One Message Batch: the requests that it was made of, what became of them so far, and how the API shows it.

Source: facts: claude-api 6, checked 2026-11-20.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from farthing.sandbox.paging import rfc3339
from farthing.sandbox.problems import ApiError, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from farthing.sandbox.accounts import Caller

REQUESTS_MAX = 100_000
BODY_BYTES_MAX = 256 * 1000 * 1000
LIFETIME = timedelta(hours=24)
RETENTION = timedelta(days=29)
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


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

    @property
    def next_at(self) -> datetime:
        """When something happens to it, as long as it is live."""
        return min(self.waiting[-1].at, self.expires_at) if self.waiting else self.ends_at

    def due(self, now: datetime) -> int:
        """How many waiting requests have their moment by *now*; they wait in reverse order of time."""
        until = min(now, self.expires_at)
        return len(self.waiting) - bisect_left(self.waiting, -until.timestamp(), key=lambda item: -item.at.timestamp())

    def give_up(self, kind: str) -> None:
        """Answer no more: what waits is ``canceled`` or ``expired``."""
        while self.waiting:
            self.finish(self.waiting.pop().custom_id, kind)


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
