"""
The life of an incident: opened once, told once, quiet when it is over. Pure.

A signal that shares a key with an incident that is not resolved belongs to it; that is the whole rule against
duplicates. ::

    open, acknowledged or snoozed  --over, or by hand-->  resolved
    open  --ack-->  acknowledged
    open  --snooze-->  snoozed  --its time is up-->  open

An acknowledged incident tells nothing more but its end, and so does a snoozed one; when its time is up and it still
goes on, it is open again and told again. What came and went between two rounds is told once, when it is over already.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

State = Literal["open", "acknowledged", "snoozed", "resolved"]
SignalKind = Literal["anomaly", "budget", "forecast"]
EventName = Literal["opened", "escalated", "woken", "renewed", "resolved"]


class Signal(NamedTuple):
    """
    Something that is wrong now.

    Attributes:
        kind: What sort.
        keys: What it is about; one shared key makes it the same incident.
        began_at: When it began; aware, UTC.
        last_at: When it last showed; aware, UTC.
        is_over: Whether it shows no more.
        level: Grows as it becomes worse; an incident whose level grows is told again. 0 where there is none.
        title: One line for people.
        stake_pusd: Dollars above usual, or at risk; None where unknown.
        detail: The rest, as JSON.

    """

    kind: SignalKind
    keys: tuple[str, ...]
    began_at: datetime
    last_at: datetime
    is_over: bool
    level: int
    title: str
    stake_pusd: int | None
    detail: dict[str, Any]


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """
    One incident, as the store keeps it.

    Attributes:
        id: Its number; 0 before it is stored.
        state: Where it is in its life.
        told_level: The highest level that was told.
        snoozed_until: Only while snoozed; aware, UTC.
        resolved_at: Only when resolved; aware, UTC.
        by: Who acknowledged, snoozed or closed it; empty: nobody did.

    The others are its latest signal's.

    """

    kind: SignalKind
    keys: tuple[str, ...]
    began_at: datetime
    last_at: datetime
    title: str
    level: int
    stake_pusd: int | None
    detail: dict[str, Any]
    opened_at: datetime
    id: int = 0
    state: State = "open"
    told_level: int = 0
    snoozed_until: datetime | None = None
    resolved_at: datetime | None = None
    by: str = ""


class Step(NamedTuple):
    """An incident after a round, and what is to be told of it; None: nothing."""

    incident: Incident
    event: EventName | None


def advance(known: Sequence[Incident], signals: Sequence[Signal], now: datetime) -> list[Step]:
    """
    What a round of signals makes of the incidents there are.

    Args:
        known: All that are not resolved, and resolved ones that began no earlier than any signal's history.
        signals: Everything that is wrong, or was until lately.
        now: Aware.

    Returns:
        Only what changed, oldest incident first, new ones last. The same signals again change nothing.

    """
    standing = {one.id: one for one in known if one.state != "resolved"}
    done = [one for one in known if one.state == "resolved"]
    met: dict[int, list[Signal]] = {}
    new: list[Signal] = []
    for signal in signals:
        mine = next((number for number, one in sorted(standing.items()) if _same(one, signal)), None)
        if mine is not None:
            met.setdefault(mine, []).append(signal)
        elif not any(_is_told_already(one, signal) for one in done):
            new.append(signal)
    steps = [_standing(one, met.get(number, []), now) for number, one in sorted(standing.items())]
    changed = [step for step in steps if step.event is not None or step.incident != standing[step.incident.id]]
    return changed + [_opened(signal, now) for signal in _merged(new)]


def _same(incident: Incident, signal: Signal) -> bool:
    return incident.kind == signal.kind and not set(incident.keys).isdisjoint(signal.keys)


def _is_told_already(incident: Incident, signal: Signal) -> bool:
    """The same episode as one that is resolved, by us or by a person: not news."""
    return _same(incident, signal) and (
        signal.began_at <= incident.last_at or signal.last_at <= (incident.resolved_at or incident.last_at)
    )


def _merged(signals: Sequence[Signal]) -> list[Signal]:
    """Each key once: a later signal that shares one joins the earlier."""
    kept: list[Signal] = []
    for signal in sorted(signals, key=lambda one: one.is_over):  # what still goes on speaks for what is over
        if not any(one.kind == signal.kind and not set(one.keys).isdisjoint(signal.keys) for one in kept):
            kept.append(signal)
    return kept


def _opened(signal: Signal, now: datetime) -> Step:
    incident = Incident(
        kind=signal.kind,
        keys=signal.keys,
        began_at=signal.began_at,
        last_at=signal.last_at,
        title=signal.title,
        level=signal.level,
        stake_pusd=signal.stake_pusd,
        detail=signal.detail,
        opened_at=now,
        told_level=signal.level,
    )
    return Step(resolved(incident, now) if signal.is_over else incident, "opened")


def _standing(incident: Incident, signals: Sequence[Signal], now: datetime) -> Step:
    live = [one for one in signals if not one.is_over]
    updated = _updated(incident, signals) if signals else incident
    if not live:
        return Step(resolved(updated, now), "resolved")
    if updated.state == "snoozed" and updated.snoozed_until is not None and updated.snoozed_until <= now:
        woken = msgspec.structs.replace(updated, state="open", snoozed_until=None, told_level=updated.level, by="")
        return Step(woken, "woken")
    if updated.level > updated.told_level and updated.state == "open":
        return Step(msgspec.structs.replace(updated, told_level=updated.level), "escalated")
    return Step(updated, None)


def _updated(incident: Incident, signals: Sequence[Signal]) -> Incident:
    """The incident with its dearest signal's words; keys only grow, so that a wider cause stays the same incident."""
    main = max(signals, key=lambda one: (not one.is_over, one.level, one.stake_pusd or 0))
    stakes = [one.stake_pusd for one in signals if one.stake_pusd is not None]
    return msgspec.structs.replace(
        incident,
        keys=tuple(sorted({*incident.keys, *(key for one in signals for key in one.keys)})),
        began_at=min(incident.began_at, *(one.began_at for one in signals)),
        last_at=max(incident.last_at, *(one.last_at for one in signals)),
        title=main.title,
        level=max(incident.level, main.level),
        stake_pusd=sum(stakes) if stakes else None,
        detail=main.detail,
    )


def acknowledged(incident: Incident, by: str = "") -> Incident:
    """Somebody (*by*) looks at it: it tells nothing more but its end."""
    return msgspec.structs.replace(incident, state="acknowledged", snoozed_until=None, by=by)


def snoozed(incident: Incident, now: datetime, for_: timedelta, by: str = "") -> Incident:
    """Tell nothing for so long."""
    return msgspec.structs.replace(incident, state="snoozed", snoozed_until=now + for_, by=by)


def resolved(incident: Incident, now: datetime, by: str = "") -> Incident:
    """It is over; *by*: who says so, empty where it showed no more."""
    told_by = by or incident.by
    return msgspec.structs.replace(incident, state="resolved", resolved_at=now, snoozed_until=None, by=told_by)
