"""When a refused call is sent again, and after how long. Pure, but for the dice it is given."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from farthing.gateway.headers import first

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.gateway.wire import Headers

_STATUSES = frozenset({429, 500, 502, 503, 504, 529})
_FIRST_S, _LONGEST_S = 0.5, 8.0
_ASKED_S_MAX = 30.0
"""A longer ``retry-after`` is the client's to wait for."""


def delay_s(attempt: int, status: int, headers: Headers, dice: Callable[[], float]) -> float | None:
    """
    Seconds until the next attempt; None: no attempt, the client gets this answer.

    Exponential with full jitter, never sooner than ``retry-after``.

    Args:
        attempt: Which attempt was refused, from 1.
        status: Of the refusal; 0: no connection could be made.
        headers: Of the refusal, names in lower case.
        dice: A number from 0 to 1.

    """
    if status and status not in _STATUSES:
        return None
    if (first(headers, b"x-should-retry") or b"").lower() == b"false":
        return None
    asked = _seconds(first(headers, b"retry-after"))
    if asked is None:
        return dice() * min(_LONGEST_S, _FIRST_S * 2.0 ** (attempt - 1))
    return asked + dice() * _FIRST_S if asked <= _ASKED_S_MAX else None


def _seconds(value: bytes | None) -> float | None:
    try:
        seconds = float(value) if value is not None else None
    except ValueError:  # a date: rare, and nothing to wait for
        return None
    return seconds if seconds is not None and seconds >= 0 and math.isfinite(seconds) else None
