"""
What an answer says about the upstream's own limits: every ``anthropic-ratelimit-*`` header and its relatives. Pure.

Source: facts: claude-api 8.4 and 9, checked 2026-11-20. Headers that cannot be read are left out: they are advice.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_FAMILIES = (b"ratelimit", b"fast", b"priority")
_PARTS = ("limit", "remaining", "reset")


class Room(NamedTuple):
    """
    One limit of the upstream.

    Attributes:
        counts: ``requests``, ``input-tokens``, ``output-tokens`` or ``tokens`` (whichever is tightest there).
        family: ``ratelimit``, ``fast`` (fast mode) or ``priority`` (Priority Tier).
        limit: A minute's worth, >= 1. remaining: left of it, >= 0; token counts are rounded to thousands.
        reset_in_s: Until it is full again; >= 0.

    """

    counts: str
    family: str
    limit: int
    remaining: int
    reset_in_s: float


class Subscription(NamedTuple):
    """
    The limits of a subscription, as its answers tell them (undocumented: facts 8.4).

    Attributes:
        status: ``allowed``, ``allowed_warning``, ``rejected``, or what else was said.
        used: Window (``5h``, ``7d``) to the fraction of it that is used.
        claim: The window that decides, as reported; empty where it was not.

    """

    status: str
    used: dict[str, float]
    claim: str = ""


class Headroom(NamedTuple):
    """
    All of it.

    Attributes:
        rooms: One per limit that was told whole.
        subscription: None where there is none.
        retry_after_s: As asked for; None where it was not.
        may_retry: False where the upstream says that to retry is useless.

    """

    rooms: tuple[Room, ...] = ()
    subscription: Subscription | None = None
    retry_after_s: float | None = None
    may_retry: bool = True


NOTHING = Headroom()


def read_headroom(headers: Iterable[tuple[bytes, bytes]], now: datetime) -> Headroom:
    """
    Read an answer's headers.

    Args:
        headers: Names in lower case.
        now: The machine's time, aware; an RFC 3339 reset is judged by it.

    """
    limits: dict[tuple[bytes, bytes], list[bytes | None]] = {}
    unified: dict[str, str] = {}
    retry_after: float | None = None
    may_retry = True
    for name, value in headers:
        if name.startswith(b"anthropic-"):
            if name.startswith(b"anthropic-ratelimit-unified-"):
                unified[name[28:].decode("latin-1")] = value.decode("latin-1")
                continue
            family, _, rest = name[10:].partition(b"-")
            if family in _FAMILIES:
                counts, _, part = rest.rpartition(b"-")
                if part in {b"limit", b"remaining", b"reset"}:
                    found = limits.setdefault((family, counts), [None, None, None])
                    found[_PARTS.index(part.decode())] = value
        elif name == b"retry-after":
            retry_after = _seconds(value) if retry_after is None else retry_after
        elif name == b"retry-after-ms":
            ms = _seconds(value)
            retry_after = retry_after if ms is None else ms / 1000
        elif name == b"x-should-retry":
            may_retry = value.lower() != b"false"
    if not limits and not unified and retry_after is None and may_retry:
        return NOTHING
    rooms = (_room(family, counts, parts, now) for (family, counts), parts in limits.items())
    known = tuple(room for room in rooms if room is not None)
    return Headroom(known, _subscription(unified), retry_after, may_retry)


def _room(family: bytes, counts: bytes, parts: list[bytes | None], now: datetime) -> Room | None:
    limit, remaining, reset = parts
    most, left = _count(limit), _count(remaining)
    if not most or left is None:
        return None
    name = counts.decode("latin-1")
    return Room(name, family.decode(), most, min(left, most), _until(reset, now, most, left))


def _until(reset: bytes | None, now: datetime, limit: int, remaining: int) -> float:
    """Seconds to the reset; where it was not told or is out of all measure, what a minute's refill would take."""
    refill_s = 60.0 * max(0, limit - remaining) / limit
    try:
        at = datetime.fromisoformat((reset or b"").decode("latin-1"))
    except ValueError:
        return refill_s
    seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    return seconds if 0 <= seconds <= 86_400 else refill_s


def _subscription(unified: dict[str, str]) -> Subscription | None:
    if not unified:
        return None
    used = {}
    for name, text in unified.items():
        window, _, what = name.rpartition("-")
        share = _seconds(text.encode("latin-1")) if what == "utilization" and window else None
        if share is not None:
            used[window] = share
    return Subscription(unified.get("status", ""), used, unified.get("representative-claim", ""))


def _count(value: bytes | None) -> int | None:
    return int(value) if value is not None and value.isdigit() and len(value) <= 15 else None


def _seconds(value: bytes) -> float | None:
    try:
        seconds = float(value)
    except ValueError:  # a date: rare, and nothing to wait for
        return None
    return seconds if seconds >= 0 and math.isfinite(seconds) else None
