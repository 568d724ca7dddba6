"""
The life of an incident: opened once, each thing about it told once, quiet when it is over. Pure.

A signal that shares a key with an incident that is not resolved belongs to it; that is the whole rule against
duplicates. A signal wide enough to belong to several makes them one: the one that is still open goes on, or the oldest,
and the others end as part of it. ::

    open, acknowledged or snoozed  --over, or by hand-->  resolved
    open  --ack-->  acknowledged  --worse than what was acknowledged-->  open
    open  --snooze-->  snoozed  --its time is up-->  open

What is worth telling of an incident are its marks: that it is there, each share of a budget that is reached, that a
budget will pass its limit. An acknowledged incident tells a mark that is new, and its end; a snoozed one nothing until
its time is up, and if it still goes on then, it is open again and told again. What came and went between two rounds is
told once, when it is over already.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import msgspec

from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

State = Literal["open", "acknowledged", "snoozed", "resolved"]
SignalKind = Literal["anomaly", "budget"]
Topic = Literal["anomaly", "budget", "forecast"]
"""What a channel may be told of. A mark is a topic, and what of it after a colon: ``budget:80``."""
TOPICS: tuple[Topic, ...] = get_args(Topic)
EventName = Literal["opened", "escalated", "woken", "renewed", "joined", "resolved"]


class Signal(NamedTuple):
    """
    Something that is wrong now.

    Attributes:
        kind: What sort.
        keys: What it is about; one shared key makes it the same incident.
        began_at: When it began; aware, UTC.
        last_at: When it last showed; aware, UTC.
        is_over: Whether it shows no more.
        level: Percent of a budget that is reached; 0 for what has none.
        title: One line for people.
        stake_pusd: Dollars above usual, or at risk; None where unknown.
        detail: The rest, as JSON.
        marks: What is told once each.
        stake_kind: How sure *stake_pusd* is.

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
    marks: tuple[str, ...] = ("anomaly",)
    stake_kind: Kind = Kind.ASSUMED


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """
    One incident, as the store keeps it.

    Attributes:
        id: Its number; 0 before it is stored.
        state: Where it is in its life.
        told: Marks that were told.
        snoozed_until: Only while snoozed; aware, UTC.
        resolved_at: Only when resolved; aware, UTC.
        by: Who acknowledged, snoozed or closed it; empty: nobody did.
        part_of: The incident that it became a part of; 0: none.

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
    stake_kind: Kind = Kind.ASSUMED
    id: int = 0
    state: State = "open"
    told: tuple[str, ...] = ()
    snoozed_until: datetime | None = None
    resolved_at: datetime | None = None
    by: str = ""
    part_of: int = 0


class Step(NamedTuple):
    """
    An incident after a round.

    Attributes:
        incident: As it is now.
        event: What is to be told of it; None: nothing.
        topics: What that is about.

    """

    incident: Incident
    event: EventName | None
    topics: tuple[Topic, ...] = ()


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
    whole = _Whole(standing.values())
    mine: list[tuple[int, Signal]] = []
    new: list[Signal] = []
    for signal in signals:
        numbers = [number for number, one in standing.items() if _same(one, signal)]
        if numbers:
            mine.append((numbers[0] if signal.is_over else whole.join(numbers), signal))
        elif _is_news(signal, done):
            new.append(signal)
    met: dict[int, list[Signal]] = {}
    for number, signal in mine:
        met.setdefault(whole.of(number), []).append(signal)
    steps = []
    for number, one in sorted(standing.items()):
        if (other := whole.of(number)) != number:
            steps.append(_joined(one, other, now))
        else:
            keys = (key for part in standing.values() if whole.of(part.id) == number for key in part.keys)
            steps.append(_standing(one, met.get(number, []), keys, now))
    changed = [step for step in steps if step.event is not None or step.incident != standing[step.incident.id]]
    return changed + [_opened(signal, now) for signal in _merged(new)]


class _Whole:
    """Which incidents turn out to be one: what is open goes on, then what is oldest."""

    def __init__(self, standing: Iterable[Incident]) -> None:
        self._rank = {one.id: (one.state != "open", one.id) for one in standing}
        self._in: dict[int, int] = {}

    def of(self, number: int) -> int:
        """The incident that this one is a part of; itself where it is none."""
        while number in self._in:
            number = self._in[number]
        return number

    def join(self, numbers: Iterable[int]) -> int:
        """Make these one, and say which."""
        kept, *others = sorted({self.of(number) for number in numbers}, key=self._rank.__getitem__)
        self._in |= dict.fromkeys(others, kept)
        return kept


def _same(incident: Incident, signal: Signal) -> bool:
    return incident.kind == signal.kind and not set(incident.keys).isdisjoint(signal.keys)


def _is_news(signal: Signal, done: Iterable[Incident]) -> bool:
    """Whether it has a mark that was not told of the same episode, which is resolved, by us or by a person."""
    told = {mark for one in done if _same(one, signal) and _is_part(signal, one) for mark in one.told}
    return not told.issuperset(signal.marks)


def _is_part(signal: Signal, incident: Incident) -> bool:
    ended_at = incident.resolved_at or incident.last_at
    return signal.began_at <= incident.last_at or signal.last_at <= ended_at


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
        stake_kind=signal.stake_kind,
        told=signal.marks,
    )
    return Step(resolved(incident, now) if signal.is_over else incident, "opened", _topics(signal.marks))


def _standing(incident: Incident, signals: Sequence[Signal], keys: Iterable[str], now: datetime) -> Step:
    live = [one for one in signals if not one.is_over]
    updated = _updated(incident, signals, keys) if signals else incident
    if not live:
        return Step(resolved(updated, now), "resolved", _topics(incident.told))
    marks = dict.fromkeys(mark for one in live for mark in one.marks)
    fresh = tuple(mark for mark in marks if mark not in incident.told)
    told = msgspec.structs.replace(updated, state="open", snoozed_until=None, told=(*incident.told, *fresh), by="")
    if updated.state == "snoozed":
        is_up = updated.snoozed_until is not None and updated.snoozed_until <= now
        return Step(told, "woken", _topics(told.told)) if is_up else Step(updated, None)
    return Step(told, "escalated", _topics(fresh)) if fresh else Step(updated, None)


def _joined(incident: Incident, other: int, now: datetime) -> Step:
    ended = msgspec.structs.replace(resolved(incident, now), part_of=other)
    return Step(ended, "joined", _topics(incident.told))


def _topics(marks: Sequence[str]) -> tuple[Topic, ...]:
    about = {mark.partition(":")[0] for mark in marks}
    return tuple(topic for topic in TOPICS if topic in about)


def _updated(incident: Incident, signals: Sequence[Signal], keys: Iterable[str]) -> Incident:
    """The incident with its dearest signal's words; keys only grow, so that a wider cause stays the same incident."""
    main = max(signals, key=lambda one: (not one.is_over, one.level, one.stake_pusd or 0))
    stakes = [one.stake_pusd for one in signals if one.stake_pusd is not None]
    return msgspec.structs.replace(
        incident,
        keys=tuple(sorted({*keys, *(key for one in signals for key in one.keys)})),
        began_at=min(incident.began_at, *(one.began_at for one in signals)),
        last_at=max(incident.last_at, *(one.last_at for one in signals)),
        title=main.title,
        level=max(incident.level, main.level),
        stake_pusd=sum(stakes) if stakes else None,
        detail=main.detail,
        stake_kind=main.stake_kind,
    )


def acknowledged(incident: Incident, by: str = "") -> Incident:
    """Somebody (*by*) looks at it: it tells nothing more unless it becomes worse, and its end."""
    return msgspec.structs.replace(incident, state="acknowledged", snoozed_until=None, by=by)


def snoozed(incident: Incident, now: datetime, for_: timedelta, by: str = "") -> Incident:
    """Tell nothing for so long."""
    return msgspec.structs.replace(incident, state="snoozed", snoozed_until=now + for_, by=by)


def resolved(incident: Incident, now: datetime, by: str = "") -> Incident:
    """It is over; *by*: who says so, empty where it showed no more."""
    told_by = by or incident.by
    return msgspec.structs.replace(incident, state="resolved", resolved_at=now, snoozed_until=None, by=told_by)
