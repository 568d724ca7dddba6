"""
The demo's seven weeks: which requests of the fleet are sent, and where its clock stops.

Everything is fixed, the clock too, so that the demo shows the same bill everywhere and a second run changes nothing.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from zlib import crc32

from farthing.demo.fleet import fleet

if TYPE_CHECKING:
    from farthing.demo.fleet import Ask

START = datetime(2026, 10, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 19, 15, 30, tzinfo=UTC)
"""When the fleet stops, and where the clock of its dashboard stands."""
END = datetime(2026, 11, 21, tzinfo=UTC)
"""When the books of its last day are closed."""
APPLIED = datetime(2026, 11, 6, 9, tzinfo=UTC)
"""From then on one step of the savings plan is followed: so there is something that was saved."""
CACHED = "support-chat"
"""The feature that it is about."""
_TENANTS, _SESSIONS_PER_DAY = 9, 30
_FIRST_MONTH_PERCENT = 66
_RELEASED = date(2026, 10, 7)
_IN_BATCHES = ("tenant-06", "nightly-summaries")
_NEW, _OLD = "claude-haiku-5-5", "claude-haiku-4-5-20251001"
_SLIP_AT = datetime(2026, 11, 19, 8, tzinfo=UTC)
_DEAR = "claude-fable-5"


def season() -> list[Ask]:
    """The requests, in the order in which they are sent."""
    days = (NOW.date() - START.date()).days + 1
    asks = fleet(START, days, tenants=_TENANTS, sessions_per_day=_SESSIONS_PER_DAY, seed=2)
    return [_slipped(_as_decided(_as_released(ask))) for ask in asks if ask.at < NOW and _is_sent(ask)]


def _is_sent(ask: Ask) -> bool:
    """In the first month the fleet had fewer sessions: so there is something to explain."""
    return ask.at.month != START.month or crc32(ask.tags["session"].encode()) % 100 < _FIRST_MONTH_PERCENT


def _as_released(ask: Ask) -> Ask:
    """Nobody could ask for a model before there was one."""
    if ask.at.date() <= _RELEASED and ask.body["model"] == _NEW:
        return ask._replace(body=ask.body | {"model": _OLD})
    return ask


def _as_decided(ask: Ask) -> Ask:
    """What the plan's first step says: the API places the breakpoint. And what one tenant knows: summaries can wait."""
    if ask.at >= APPLIED and ask.tags["feature"] == CACHED:
        return ask._replace(body=ask.body | {"cache_control": {"type": "ephemeral"}})
    if (ask.tags["tenant"], ask.tags["feature"]) == _IN_BATCHES:
        return ask._replace(batch=True)
    return ask


def _slipped(ask: Ask) -> Ask:
    """On the last morning somebody's support chat comes back from a release with an older, dear model."""
    if ask.at >= _SLIP_AT and (ask.tags["tenant"], ask.tags["feature"]) == ("tenant-01", "support-chat"):
        return ask._replace(body=ask.body | {"model": _DEAR})
    return ask
