"""
The one rule by which a call finds its outcome. Pure.

An outcome names calls by a request id, a session or a tag. A call belongs to one outcome at most:

1. An outcome that names the call itself (``request``) goes before one of its session, and that before one of a tag:
   the narrower the name, the surer the two belong together.
2. An outcome that says whose it is never takes another tenant's call; numbers of sessions are not unique in the world.
3. Of several, the first one at or after the call: it is what the call led to. If all came before it, the last of them.
   Of outcomes at the same instant the smallest id.

Whether a call belongs depends on that call and the outcomes alone, so any part of a ledger can be joined by itself.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from farthing.ledger.outcome import JOINED_BY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime, timedelta

    from farthing.call import Call
    from farthing.ledger.outcome import JoinedBy, Outcome


class Finder:
    """Finds the outcome of a call, by the rule at the top of this module."""

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        self._named: dict[tuple[JoinedBy, str, str], list[Outcome]] = defaultdict(list)
        for outcome in outcomes:
            if outcome.request:
                self._named["request", "", outcome.request].append(outcome)
            if outcome.session:
                self._named["session", "", outcome.session].append(outcome)
            if outcome.tag_name and outcome.tag_value:
                self._named["tag", outcome.tag_name, outcome.tag_value].append(outcome)

    def find(self, call: Call) -> tuple[Outcome, JoinedBy] | None:
        """The outcome that *call* belongs to and the name that joins them, or None."""
        tenant = call.dims.get("tenant")
        for joined_by in JOINED_BY:
            rivals = [
                outcome
                for name, value in _names(call, joined_by)
                for outcome in self._named.get((joined_by, name, value), ())
                if not tenant or outcome.tenant in (None, tenant)
            ]
            if rivals:
                return min(rivals, key=lambda outcome: _nearness(outcome, call.sent_at)), joined_by
        return None


def _names(call: Call, joined_by: JoinedBy) -> Iterator[tuple[str, str]]:
    match joined_by:
        case "request":
            served = call.served
            ids = (call.call_id, served.message_id, served.request_id, call.dims.get("gateway_call"))
            yield from (("", value) for value in set(ids) if value)
        case "session":
            if session := call.dims.get("session"):
                yield "", session
        case "tag":
            yield from ((name, value) for name, value in call.dims.items() if value)


def _nearness(outcome: Outcome, sent_at: datetime) -> tuple[bool, timedelta, str]:
    too_early = outcome.happened_at < sent_at
    return too_early, abs(outcome.happened_at - sent_at), outcome.outcome_id
