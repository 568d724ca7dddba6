"""
What an answer says about the upstream's own limits: every ``anthropic-ratelimit-*`` header and its relatives. Pure.

Source: facts: claude-api 8.4 and 9, checked 2026-11-20. Headers that cannot be read are left out: they are advice.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_PARTS = ("limit", "remaining", "reset")
_KNOWN = {
    f"anthropic-{family}-{counts}-{part}".encode(): ((counts, family), place)
    for family in ("ratelimit", "fast", "priority")
    for counts in ("requests", "input-tokens", "output-tokens", "tokens")
    for place, part in enumerate(_PARTS)
}
"""Header to limit and part of it."""
_UNIFIED = b"anthropic-ratelimit-unified-"


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
    limits: dict[tuple[str, str], list[bytes | None]] = {}
    unified: dict[str, str] = {}
    retry_after: float | None = None
    may_retry = True
    for name, value in headers:
        known = _KNOWN.get(name)
        if known is not None:
            limits.setdefault(known[0], [None, None, None])[known[1]] = value
        elif name == b"retry-after":
            retry_after = _seconds(value) if retry_after is None else retry_after
        elif name == b"retry-after-ms":
            ms = _seconds(value)
            retry_after = retry_after if ms is None else ms / 1000
        elif name == b"x-should-retry":
            may_retry = value.lower() != b"false"
        elif name.startswith(_UNIFIED):
            unified[name[len(_UNIFIED) :].decode("latin-1")] = value.decode("latin-1")
    if not limits and not unified and retry_after is None and may_retry:
        return NOTHING
    at_s = now.timestamp()
    rooms = (_room(which, parts, at_s) for which, parts in limits.items())
    return Headroom(tuple(room for room in rooms if room is not None), _subscription(unified), retry_after, may_retry)


def _room(which: tuple[str, str], parts: list[bytes | None], now_s: float) -> Room | None:
    limit, remaining, reset = parts
    most, left = _count(limit), _count(remaining)
    if not most or left is None:
        return None
    seconds = _at_s(reset or b"") - now_s
    if not 0 <= seconds <= 86_400:  # not told, past, or out of all measure: what a minute's refill takes
        seconds = 60.0 * max(0, most - left) / most
    return Room(*which, most, min(left, most), seconds)


@lru_cache(maxsize=256)
def _at_s(reset: bytes) -> float:
    """Seconds since 1970; -1 where it cannot be read. Many answers within a second say the same."""
    try:
        at = datetime.fromisoformat(reset.decode("latin-1"))
    except ValueError:
        return -1.0
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


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
