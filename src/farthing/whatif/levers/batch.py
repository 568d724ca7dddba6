"""
Batch: calls at full price for whose answers nobody waits.

That nobody waits is not written in a call, so it takes signs for it (a timer's minute, an even beat, the hours in which
everybody else sleeps) and none against it: no stream, no tool to answer, no fast mode, and no next call of the same
conversation within the time that a batch takes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from farthing.whatif.levers.saying import percent, policy, usd
from farthing.whatif.levers.traffic import CALLS_MIN
from farthing.whatif.playbook.advice import Effort, Guide, Proposal, Risk
from farthing.whatif.replay.choice import TURNAROUND_S, Choice

if TYPE_CHECKING:
    from farthing.whatif.levers.measures import Measures
    from farthing.whatif.levers.route import Route
    from farthing.whatif.levers.traffic import Traffic

WAITING_SHARE = 0.01
"""Assumption: of calls that nobody waits for, at most so many look as if somebody did."""
TIMER_MINUTES = 4
TIMER_SHARE = 0.6
"""Assumption: calls of a timer; at random, :data:`TIMER_MINUTES` minutes of the hour have 7 in 100."""
TIMER_HOURS = 5
"""In at least so many hours, or one busy minute would look like a timer."""
BEAT_VARIATION = 0.1
BEATS_MIN = 30
"""Assumption: pauses whose standard deviation is below this share of their mean are a machine's."""
ROUNDED_SHARE = 0.9
"""Assumption: where so many calls are sent at whole minutes, their times were rounded and show no timer."""
NIGHT_HOURS = 8
NIGHT_SHARE = 0.8
"""Assumption: work for the night has so many of its calls in the quietest hours of those who watch answers come."""
NIGHT_QUIET_SHARE = 0.15
NIGHT_WATCHED_MIN = 200
_SEEN = ("streamed", "called a tool", "followed up", "fast", "left by the client")


class Waiting(NamedTuple):
    """
    What a route's calls show of whether somebody waits for their answers.

    Attributes:
        route: Which.
        calls: Those that went through no batch.
        seen: Calls that look as if somebody waited, by how: streamed, called a tool, followed up, fast, left.
        is_habit: Whether there are enough calls to show one. nobody_seen: whether (nearly) none looks so.
        signs: Why nobody may be waiting, in words.

    """

    route: Route
    calls: int
    seen: dict[str, int]
    is_habit: bool
    nobody_seen: bool
    signs: tuple[str, ...]


def waiting(traffic: Traffic) -> list[Waiting]:
    """What each route with calls outside batches shows, in the order of their first calls."""
    night = _night(traffic)
    found = []
    for one in traffic.routes.values():
        if one.calls > one.batched:
            is_habit = one.calls >= CALLS_MIN
            signs = tuple(_signs(one, night)) if is_habit else ()
            seen = dict(zip(_SEEN, _seen(one), strict=True))
            found.append(
                Waiting(one.route, one.calls - one.batched, seen, is_habit, _nobody_is_seen_waiting(one), signs)
            )
    return found


def find(traffic: Traffic) -> list[Proposal]:
    """A proposal for each route that could go through Message Batches."""
    night = _night(traffic)
    found = []
    for one in traffic.habits:
        open_pusd = one.pusd - one.batched_pusd
        if not traffic.is_worth_saying(open_pusd / 2) or not _nobody_is_seen_waiting(one):
            continue
        if signs := _signs(one, night):
            found.append(_proposal(traffic, one, signs, open_pusd))
    return found


def _nobody_is_seen_waiting(one: Measures) -> bool:
    open_calls = one.calls - one.batched
    few = WAITING_SHARE * one.calls
    return open_calls > few and all(count <= few for count in _seen(one))


def _seen(one: Measures) -> tuple[int, ...]:
    return one.streamed, one.tool_calls, one.answered_into, one.fast, one.left


def _signs(one: Measures, night: frozenset[int]) -> list[str]:
    signs: list[str] = []
    if one.whole_minutes >= ROUNDED_SHARE * one.calls:
        return signs
    best = sorted(range(60), key=lambda minute: -one.minutes[minute])[:TIMER_MINUTES]
    at_best = sum(one.minutes[minute] for minute in best)
    if at_best >= TIMER_SHARE * one.calls and one.busy_hours >= TIMER_HOURS:
        told = ", ".join(f":{minute:02d}" for minute in sorted(best) if one.minutes[minute])
        signs.append(f"{percent(at_best, one.calls)} begin at {told} of the hour, as a timer's do")
    count, mean_s, squares = one.gaps
    if count >= BEATS_MIN and math.sqrt(squares / count) < BEAT_VARIATION * mean_s:
        signs.append(f"they come every {mean_s:.0f} s, within {percent(math.sqrt(squares / count), mean_s)}")
    in_night = sum(one.hours[hour] for hour in night)
    if night and in_night >= NIGHT_SHARE * one.calls:
        signs.append(f"{percent(in_night, one.calls)} are sent in the {NIGHT_HOURS} quietest hours of the day")
    return signs


def _night(traffic: Traffic) -> frozenset[int]:
    """The hours, UTC, in which the fewest watched calls are sent; none where that is not clearly so."""
    watched = [0] * 24
    for one in traffic.routes.values():
        if one.streamed * 2 > one.calls:
            watched = [sum(pair) for pair in zip(watched, one.hours, strict=True)]
    windows = [frozenset((first + more) % 24 for more in range(NIGHT_HOURS)) for first in range(24)]
    quietest = min(windows, key=lambda hours: sum(watched[hour] for hour in hours))
    quiet = sum(watched[hour] for hour in quietest)
    is_clear = sum(watched) >= NIGHT_WATCHED_MIN and quiet <= NIGHT_QUIET_SHARE * sum(watched)
    return quietest if is_clear else frozenset()


def _proposal(traffic: Traffic, one: Measures, signs: list[str], open_pusd: int) -> Proposal:
    route = one.route
    against = f"{one.streamed:,} streamed, {one.tool_calls:,} called a tool, {one.answered_into:,} were followed up"
    return Proposal(
        id=f"batch {route.id}",
        title=f"Send {route.label} through Message Batches",
        guide=Guide.BATCH,
        choice=Choice.of(f"batch {route.label}", where=route.where, batch=True),
        effort=Effort.SWITCH,
        risk=Risk.DELAY,
        why=(
            f"Of {one.calls:,} calls, {'; '.join(signs)}. Nothing shows that anybody waits: {against} within the hour. "
            f"They cost {usd(open_pusd)}, {percent(open_pusd, traffic.pusd)} of the bill, at full price."
        ),
        calls=one.calls - one.batched,
        evidence=one.evidence["dearest"].ids,
        prerequisite="whoever reads the answers can wait: an hour as a rule, up to 24 hours by the API's promise",
        policy=policy(route, batch=True, turnaround_s=TURNAROUND_S),
        caller_change="create a batch and fetch its results",
        verify=f"calls of {route.label} are served with service tier batch, at half the rate per token",
    )
